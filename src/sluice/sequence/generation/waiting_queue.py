"""The sequences that wait for a place in a batch, and the deadlines of all."""

from __future__ import annotations

import heapq
import itertools
import time

from sluice.sequence.generation.batched_sequence import (
    BatchedSequence,
    DeadlineError,
    SequenceStatus,
)


class WaitingQueue:
    """A queue by priority; equal ones in the order in which they came."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, BatchedSequence]] = []
        self._with_deadline: set[BatchedSequence] = set()
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, sequence: BatchedSequence) -> None:
        """Let a sequence wait, behind those of its priority."""
        heapq.heappush(self._heap, (-sequence.priority, next(self._numbers), sequence))

    def pop(self) -> BatchedSequence:
        """The one that is next."""
        return heapq.heappop(self._heap)[2]

    def find_dispensable(
        self, running: list[BatchedSequence], time_slice: int
    ) -> BatchedSequence | None:
        """Which of those that run makes room for the one that is next; None if nobody has to."""
        priority = -self._heap[0][0]
        lower = [one for one in running if one.priority < priority]
        if lower:
            return min(lower, key=lambda one: (one.priority, -one.slice_length))
        equal = [one for one in running if one.priority == priority]
        longest = max(equal, key=lambda one: one.slice_length, default=None)
        return longest if longest and longest.slice_length >= time_slice else None

    def watch_deadline(self, sequence: BatchedSequence) -> None:
        """Let `expire` know of its deadline, if it has one."""
        if sequence.end_time is not None:
            self._with_deadline.add(sequence)

    def expire(self) -> None:
        """Fail all sequences, waiting or not, whose deadline is over."""
        now = time.monotonic()
        for one in list(self._with_deadline):
            if one.end_time is not None and one.end_time <= now:
                message = f"The sequence had {len(one.tokens)} tokens at its deadline."
                one.finish(SequenceStatus.FAILED, DeadlineError(message))
            if one.has_ended:
                self._with_deadline.discard(one)

    def drop_finished(self) -> list[BatchedSequence]:
        """Those with a final status, which wait no longer."""
        finished = [entry[2] for entry in self._heap if entry[2].has_ended]
        if finished:
            self._heap = [entry for entry in self._heap if not entry[2].has_ended]
            heapq.heapify(self._heap)
        return finished
