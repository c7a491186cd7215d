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
        self._deadlines: list[tuple[float, int, BatchedSequence]] = []
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def best_priority(self) -> int:
        """The priority of the one that is next."""
        return -self._heap[0][0]

    def push(self, sequence: BatchedSequence) -> None:
        """Let a sequence wait, behind those of its priority."""
        heapq.heappush(self._heap, (-sequence.priority, next(self._numbers), sequence))

    def pop(self) -> BatchedSequence:
        """The one that is next."""
        return heapq.heappop(self._heap)[2]

    def watch_deadline(self, sequence: BatchedSequence) -> None:
        """Let `expire` know of its deadline, if it has one."""
        if sequence.end_time is not None:
            entry = (sequence.end_time, next(self._numbers), sequence)
            heapq.heappush(self._deadlines, entry)

    def expire(self) -> None:
        """Fail all sequences, waiting or not, whose deadline is over."""
        now = time.monotonic()
        while self._deadlines and (
            self._deadlines[0][0] <= now or self._deadlines[0][2].status.is_final
        ):
            _, _, sequence = heapq.heappop(self._deadlines)
            message = f"The sequence had {len(sequence.tokens)} tokens at its deadline."
            sequence.finish(SequenceStatus.FAILED, DeadlineError(message))

    def drop_finished(self) -> list[BatchedSequence]:
        """Those with a final status, which wait no longer."""
        finished = [entry[2] for entry in self._heap if entry[2].status.is_final]
        if finished:
            self._heap = [entry for entry in self._heap if not entry[2].status.is_final]
            heapq.heapify(self._heap)
        if sum(entry[2].status.is_final for entry in self._deadlines) > 64:
            self._deadlines = [one for one in self._deadlines if not one[2].status.is_final]
            heapq.heapify(self._deadlines)
        return finished
