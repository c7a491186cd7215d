"""Continuous batching: sequences join and leave a batch between two tokens."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from typing import Any

from sluice.sequence.errors import SequenceError
from sluice.sequence.generation.batch_rows import BatchRows, Event
from sluice.sequence.generation.batched_sequence import BatchedSequence, SequenceStatus
from sluice.sequence.generation.grammar import Grammar
from sluice.sequence.generation.packed_model import refuse_recording, share_weights
from sluice.sequence.generation.sampling import Sampling
from sluice.sequence.generation.waiting_queue import WaitingQueue
from sluice.sequence.models import LanguageModel


class ContinuousBatch:
    """Sequences of one model that are sampled side by side, and join and leave at any time.

    Each has its own prompt, grammar, sampling and random numbers, and gets the tokens that
    `generate` gives to it alone, whoever else is in the batch. A step samples a token for every
    sequence that runs; it has as many rows as there are sequences, so that one alone costs what it
    costs without a batch (Yu et al. 2022 call this iteration-level scheduling).

    Where more sequences wait than fit in, those of the highest priority run, and one of a lower
    priority only in a place that is left. Among equal ones, whoever has sampled `time_slice` tokens
    makes room for the one that has waited longest, and goes on later from its state.

    The weights are those of the construction, packed once; `refresh` takes them anew. A batch is
    for one thread at a time, `BatchedSequence.cancel` for any: `GenerationServer` serves many.

    Args:
        model: any `LanguageModel`; it is not changed.
        max_size: how many sequences run side by side.
        time_slice: see above.

    Raises:
        SequenceError: a size or slice below 1, or a model that cannot generate.

    >>> from sluice.sequence import LanguageModelConfig, generate
    >>> model = LanguageModel(LanguageModelConfig(vocabulary_size=9, hidden_size=8))
    >>> batch = ContinuousBatch(model)
    >>> sampling = Sampling(max_length=12)
    >>> first = batch.add(1, prompt=[[4]], sampling=sampling)
    >>> events = batch.step()
    >>> second = batch.add(2, sampling=Sampling(temperature=0.5, max_length=7))
    >>> batch.run()
    >>> [first.tokens] == generate(model, [1], prompt=[[4]], sampling=sampling)
    True
    """

    def __init__(self, model: LanguageModel, max_size: int = 64, *, time_slice: int = 32) -> None:
        for name, value in (("max_size", max_size), ("time_slice", time_slice)):
            if value < 1:
                raise SequenceError(f"{name} must be at least 1, got {value}.")
        self.max_size, self.time_slice, self._model = max_size, time_slice, model
        refuse_recording(model)
        self._rows = BatchRows(share_weights(model))
        self._waiting = WaitingQueue()
        self._reading: list[BatchedSequence] = []  # long prompts, one after the other
        self._is_in_use, self._is_interrupted = threading.Lock(), False

    @property
    def num_running(self) -> int:
        """The number of sequences that have a place in the batch."""
        return len(self._reading) + sum(not one.has_ended for one in self._rows.sequences)

    @property
    def num_waiting(self) -> int:
        """The number of sequences that wait for one, those that made room included."""
        return len(self._waiting)

    @property
    def is_busy(self) -> bool:
        """Whether a step has something to do or to report."""
        return bool(self._waiting or self._reading or self._rows.sequences)

    def add(
        self,
        seed: int,
        *,
        prompt: Sequence[Collection[int]] = (),
        sampling: Sampling | None = None,
        grammar: Grammar[Any] | None = None,
        priority: int = 0,
        deadline: float | None = None,
    ) -> BatchedSequence:
        """A sequence that begins with the next step, or as soon as there is a place.

        Args:
            seed, prompt, sampling, grammar: as for `generate`.
            priority: higher ones run first.
            deadline: the seconds from now after which it fails with a `DeadlineError`.

        Raises:
            SequenceError, GrammarError: as `generate`; a deadline that is not above 0.
        """
        sequence = self.make_sequence(seed, prompt, sampling, grammar, priority, deadline)
        self.enqueue(sequence)
        return sequence

    def make_sequence(
        self,
        seed: int,
        prompt: Sequence[Collection[int]],
        sampling: Sampling | None,
        grammar: Grammar[Any] | None,
        priority: int,
        deadline: float | None,
    ) -> BatchedSequence:
        """A sequence for `enqueue`, from any thread; see `add`."""
        refuse_recording(self._model)
        size = self._model.config.vocabulary_size
        return BatchedSequence(size, seed, prompt, sampling, grammar, priority, deadline)

    def enqueue(self, sequence: BatchedSequence) -> None:
        """Let a new sequence wait for its place."""
        self._waiting.push(sequence)
        self._waiting.watch_deadline(sequence)

    def run(self) -> None:
        """Step until every sequence has a final status."""
        while self.is_busy:
            self.step()

    def step(self) -> list[Event]:
        """Sample a token for every sequence that runs.

        Returns:
            Each sequence that got an id or has ended since the last step, with that id; None where
            it ended without one. A sequence fails alone: its error is in `error`.

        Raises:
            SequenceError: another thread is in a step of this batch, an earlier step was
                interrupted, or `sluice.record` is active.
        """
        if not self._is_in_use.acquire(blocking=False):
            raise SequenceError(
                "A ContinuousBatch is for one thread at a time; use a GenerationServer for several."
            )
        try:
            refuse_recording(self._model)
            if self._is_interrupted:
                raise SequenceError("A step of this batch was interrupted; make a new batch.")
            self._is_interrupted = True
            events = self._step()
            self._is_interrupted = False
            return events
        finally:
            self._is_in_use.release()

    def refresh(self) -> None:
        """Take the model's weights as they are now; sequences go on from their states.

        Raises:
            SequenceError: the model's layers have other sizes than before.
        """
        self._rows.replace_weights(share_weights(self._model))

    def _step(self) -> list[Event]:
        events = self._drop_finished()
        suspended, joining = self._schedule()
        joining += self._rows.read_prompts(self._reading)
        self._rows.change(suspended, joining)
        if self._rows.sequences:
            events += self._rows.sample()
        if all(one.has_ended for one in self._rows.sequences):
            self._rows.change(set(), [])
            self._waiting.expire()
        for sequence, _ in events:
            sequence.is_reported = sequence.has_ended
        return events

    def _drop_finished(self) -> list[Event]:
        """Forget what has ended outside a step, by being cancelled or at its deadline."""
        self._waiting.expire()
        ended = self._waiting.drop_finished()
        ended += [one for one in (*self._reading, *self._rows.sequences) if one.has_ended]
        self._reading = [one for one in self._reading if not one.has_ended]
        return [(one, None) for one in ended if not one.is_reported]

    def _schedule(self) -> tuple[set[BatchedSequence], list[BatchedSequence]]:
        """Who leaves the batch for those that wait, and who joins it."""
        suspended, joining = set[BatchedSequence](), list[BatchedSequence]()
        running = [one for one in self._rows.sequences if not one.has_ended]
        while self._waiting:
            if len(running) + len(self._reading) + len(joining) >= self.max_size:
                one = self._waiting.find_dispensable([*running, *self._reading], self.time_slice)
                if one is None:
                    break
                (self._reading if one in self._reading else running).remove(one)
                one.move(SequenceStatus.WAITING)
                self._waiting.push(one)
                suspended.add(one)
            sequence = self._waiting.pop()
            sequence.move(SequenceStatus.RUNNING)
            (self._reading if sequence.has_long_prompt else joining).append(sequence)
        return suspended, joining
