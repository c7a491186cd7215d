"""One sequence of a continuous batch: what it may sample next, and how far it is."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Sequence
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice.sequence.batch import ModelState
from sluice.sequence.errors import SequenceError
from sluice.sequence.generation.engine import make_spec
from sluice.sequence.generation.grammar import Grammar, Guide, check_prompt_length, split_prompt
from sluice.sequence.generation.random_numbers import UniformNumbers
from sluice.sequence.generation.sampling import Sampling
from sluice.sequence.vocabulary import END, START

_NUMBERS_AT_ONCE = 64
_SHORT_PROMPT = 8
"""Tokens of a prompt that are read in the batch, one a step."""


class DeadlineError(SequenceError):
    """A sequence was not complete at its deadline."""


class GenerationCancelledError(SequenceError):
    """A sequence was cancelled before it was complete."""


class SequenceStatus(Enum):
    """Where a sequence of a `ContinuousBatch` is; the last three are final.

    One that made room for others waits again.
    """

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class BatchedSequence:
    """A sequence of a `ContinuousBatch`, which makes it: see `ContinuousBatch.add`.

    Attributes:
        seed: as given.
        priority: higher ones run first.
        tokens: the ids so far, those of the prompt included, `END` not.
    """

    def __init__(
        self,
        vocabulary_size: int,
        seed: int,
        prompt: Sequence[Collection[int]],
        sampling: Sampling | None,
        grammar: Grammar[Any] | None,
        priority: int,
        deadline: float | None,
    ) -> None:
        if not isinstance(priority, int):
            raise SequenceError(f"priority must be a whole number, got {priority!r}.")
        self.seed, self.priority, self.sampling = seed, priority, sampling or Sampling()
        self.filter = make_spec(self.sampling).filter
        prefix, choices = split_prompt(prompt, vocabulary_size)
        longest = self.sampling.max_length
        check_prompt_length(prompt, longest)
        self._guide = None if grammar is None else Guide(grammar, prefix, choices, longest)
        self._grammar_state = None if self._guide is None else self._guide.begin()
        self._prefix_length, self._choices = len(prefix), choices.numpy()
        self._generator, self._numbers = UniformNumbers(seed), deque[float]()
        self._generator.draw(len(prefix))
        if deadline is not None and not (isinstance(deadline, int | float) and deadline > 0):
            raise SequenceError(f"deadline must be seconds above 0 from now, got {deadline}.")
        self.end_time = None if deadline is None else time.monotonic() + deadline
        self.tokens = list(prefix)
        self.unread = deque([START, *prefix])  # what the model has not read yet
        self.model_states: ModelState = None  # while it is not in the batch
        self.slice_length = 0  # tokens since it was last taken into the batch
        self.is_reported, self._status = False, SequenceStatus.WAITING
        self._ends: list[tuple[SequenceStatus, Exception | None]] = []  # the first one counts
        if self._is_full:
            self.finish(SequenceStatus.DONE)

    @property
    def status(self) -> SequenceStatus:
        """Where the sequence is."""
        return self._ends[0][0] if self._ends else self._status

    @property
    def has_ended(self) -> bool:
        """Whether its status is final."""
        return bool(self._ends)

    @property
    def has_long_prompt(self) -> bool:
        """Whether so much of the prompt is unread that it is read outside the batch."""
        return len(self.unread) > _SHORT_PROMPT

    @property
    def error(self) -> Exception | None:
        """Why it failed; else None."""
        return self._ends[0][1] if self._ends else None

    def cancel(self) -> None:
        """Stop it before its next token; from any thread, at any time."""
        self.finish(SequenceStatus.CANCELLED)

    def finish(self, status: SequenceStatus, error: Exception | None = None) -> None:
        """Give it a final status, unless it has one."""
        self._ends.append((status, error))  # no lock, which a forked child might never get

    def move(self, status: SequenceStatus) -> None:
        """Give it a status that is not final; a final one stays."""
        self._status, self.slice_length = status, 0

    def next_number(self) -> float:
        """The random number of its next token."""
        if not self._numbers:
            self._numbers.extend(self._generator.draw(_NUMBERS_AT_ONCE).tolist())
        return self._numbers.popleft()

    def write_choices(self, row: NDArray[np.uint8], *, is_new_row: bool) -> None:
        """Write to `row` which ids may be next; it keeps what was written unless it is new."""
        place = len(self.tokens)
        if self._guide is not None:
            row[:] = self._guide.mask(self._grammar_state, place)
            return
        drawn, last = place - self._prefix_length, len(self._choices) - 1
        if is_new_row or drawn <= last:
            row[:] = self._choices[min(drawn, last)]

    def append(self, token: int) -> int | None:
        """Go on after a token that was sampled; returns it, None for `END`."""
        if token == END:
            self.finish(SequenceStatus.DONE)
            return None
        self.tokens.append(token)
        if self._is_full:
            self.finish(SequenceStatus.DONE)
        elif self._guide is not None:
            self._grammar_state = self._guide.advance(self._grammar_state, token)
        self.unread.append(token)
        self.slice_length += 1
        return token

    @property
    def _is_full(self) -> bool:
        return len(self.tokens) >= self.sampling.max_length
