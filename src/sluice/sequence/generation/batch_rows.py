"""The rows of a continuous batch: an engine, and the sequences whose states it holds."""

from __future__ import annotations

import torch

from sluice.run.kernels.token_stepper import RowBuffers
from sluice.sequence.batch import ModelState
from sluice.sequence.errors import SequenceError
from sluice.sequence.generation.batched_sequence import BatchedSequence, SequenceStatus
from sluice.sequence.generation.engine import (
    NAN_MESSAGE,
    concatenate_rows,
    list_widths,
    select_rows,
)
from sluice.sequence.generation.packed_model import PackedLanguageModel

_CHUNK, _CHUNK_ALONE = 32, 256
"""Tokens of a long prompt that are read between two steps, while others run and while none does."""

Event = tuple[BatchedSequence, int | None]
"""A sequence and the id that it got, None where it ended without one."""


class BatchRows:
    """Sequences that are sampled side by side: as many rows as there are sequences."""

    def __init__(self, weights: PackedLanguageModel) -> None:
        self.sequences: list[BatchedSequence] = []
        self._weights, self._engine = weights, weights.make_engine()
        self._reader = weights.make_engine()
        self._make_buffers(1)
        self._is_new = True

    def replace_weights(self, weights: PackedLanguageModel) -> None:
        """Go on from the states that there are, with other weights."""
        states = self._engine.read()
        before, now = (list_widths(one.initial_states) for one in (self._weights, weights))
        if before != now:
            raise SequenceError("The model's layers have other sizes now; make a new batch.")
        self._weights = weights
        self._engine, self._reader = weights.make_engine(), weights.make_engine()
        self._engine.write(states)

    def read_prompts(self, waiting: list[BatchedSequence]) -> list[BatchedSequence]:
        """Read on in the prompt of the first of those that are in no row yet.

        Returns whoever has read all but the last token, and drops it from `waiting`.
        """
        if not waiting:
            return []
        sequence, room = waiting[0], _CHUNK if self.sequences else _CHUNK_ALONE
        count = min(room, len(sequence.unread) - 1)
        ids = [sequence.unread.popleft() for _ in range(count)]
        self._reader.write(self._find_states(sequence))
        self._reader.feed(torch.tensor(ids)[:, None])
        sequence.model_states = self._reader.read()
        return [waiting.pop(0)] if len(sequence.unread) == 1 else []

    def change(self, suspended: set[BatchedSequence], joining: list[BatchedSequence]) -> None:
        """Drop sequences with a final status, suspend some, with their states, and take in others.

        The others keep their order.
        """
        kept = [
            row
            for row, one in enumerate(self.sequences)
            if one not in suspended and not one.has_ended
        ]
        if len(kept) == len(self.sequences) and not joining:
            return
        states = self._engine.read() if suspended or kept else None
        for row, sequence in enumerate(self.sequences):
            if sequence in suspended:
                sequence.model_states = select_rows(states, torch.tensor([row]))
        parts = [select_rows(states, torch.tensor(kept))] if kept else []
        parts += [self._find_states(sequence) for sequence in joining]
        self.sequences = [*(self.sequences[row] for row in kept), *joining]
        for sequence in joining:
            sequence.model_states = None
        if parts:
            self._engine.write(concatenate_rows(parts))
        if len(self.sequences) > self._buffers.capacity:
            self._make_buffers(max(len(self.sequences), 4 * self._buffers.capacity))
        self._is_new = True

    def sample(self) -> list[Event]:
        """Every sequence reads a token and samples the next, or reads on in its prompt."""
        self._write_inputs()
        samplings = [sequence.sampling for sequence in self.sequences]
        self._engine.sample_next(self._buffers, samplings)
        sampled = self._sampled[: len(samplings)].tolist()
        events: list[Event] = []
        for sequence, token in zip(self.sequences, sampled, strict=True):
            sequence.unread.popleft()
            if sequence.unread and not sequence.has_ended:
                continue
            events.append((sequence, _append(sequence, token)))
        return events

    def _write_inputs(self) -> None:
        is_new, self._is_new = self._is_new, False
        for row, sequence in enumerate(self.sequences):
            self._tokens[row] = sequence.unread[0]
            if is_new:
                self._filters[row] = sequence.filter
                self._choices[row] = 1
            if len(sequence.unread) > 1:
                continue
            self._uniforms[row] = sequence.next_number()
            try:
                sequence.write_choices(self._choices[row], is_new_row=is_new)
            except Exception as error:  # a grammar is the caller's; others must go on
                sequence.finish(SequenceStatus.FAILED, error)
                self._choices[row] = 1

    def _find_states(self, sequence: BatchedSequence) -> ModelState:
        states = sequence.model_states
        return self._weights.initial_states if states is None else states

    def _make_buffers(self, capacity: int) -> None:
        self._buffers = RowBuffers(capacity, self._weights.vocabulary_size)
        self._tokens, self._filters = self._buffers.tokens.numpy(), self._buffers.filters.numpy()
        self._choices = self._buffers.choices[0].numpy()
        self._uniforms = self._buffers.uniforms[0].numpy()
        self._sampled = self._buffers.sampled[0].numpy()


def _append(sequence: BatchedSequence, token: int) -> int | None:
    if sequence.has_ended:
        return None
    if token < 0:
        sequence.finish(SequenceStatus.FAILED, SequenceError(NAN_MESSAGE))
        return None
    try:
        return sequence.append(token)
    except Exception as error:  # of the grammar
        sequence.finish(SequenceStatus.FAILED, error)
        return None
