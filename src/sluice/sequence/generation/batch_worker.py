"""The loop of the thread that owns a continuous batch."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future

from sluice.sequence.errors import SequenceError
from sluice.sequence.generation.batched_sequence import (
    BatchedSequence,
    GenerationCancelledError,
    SequenceStatus,
)
from sluice.sequence.generation.continuous_batch import ContinuousBatch
from sluice.sequence.generation.token_channel import TokenChannel


class QueueFullError(SequenceError):
    """A server has as many waiting sequences as it takes."""


class BatchWorker:
    """Steps a batch while it has sequences, and delivers their tokens; `run` is the thread's."""

    def __init__(self, batch: ContinuousBatch, max_waiting: int) -> None:
        self.batch, self._max_sequences = batch, batch.max_size + max_waiting
        self._condition, self._process = threading.Condition(), os.getpid()
        self._incoming: list[tuple[BatchedSequence, TokenChannel]] = []
        self._channels: dict[BatchedSequence, TokenChannel] = {}
        self._calls: list[tuple[Callable[[], None], Future[None]]] = []
        self._is_closing, self._drains = False, False
        self._error: BaseException | None = None

    def submit(self, sequence: BatchedSequence) -> TokenChannel:
        """Sample a sequence; its ids, those of the prompt first, go to the channel."""
        with self._condition:
            self._check_open()
            if len(self._incoming) + len(self._channels) >= self._max_sequences:
                raise QueueFullError(
                    f"{self._max_sequences} sequences run or wait already; try again later, or "
                    "increase max_waiting."
                )
            channel = TokenChannel()
            channel.put(list(sequence.tokens))
            self._incoming.append((sequence, channel))
            self._condition.notify()
            return channel

    def call(self, function: Callable[[], None]) -> Future[None]:
        """Let the thread call `function` between two steps."""
        with self._condition:
            self._check_open()
            future: Future[None] = Future()
            self._calls.append((function, future))
            self._condition.notify()
            return future

    def stop(self, drains: bool = False) -> None:
        """End the thread after its step; with `drains`, once all sequences are complete."""
        if os.getpid() == self._process:  # locks of a forked child may never be free
            with self._condition:
                self._is_closing, self._drains = True, drains
                self._condition.notify()

    def check_process(self) -> None:
        """Raise SequenceError in a forked child, which lacks the thread."""
        if os.getpid() != self._process:
            raise SequenceError(
                "A GenerationServer's thread did not follow into this forked process; make a "
                "server here."
            )

    def run(self) -> None:
        """Step until `stop`."""
        try:
            while self._prepare():
                for sequence, token in self.batch.step():
                    self._deliver(sequence, token)
        except BaseException as error:  # whoever waits must hear of it
            self._error = error
        finally:
            self._close_channels()

    def _prepare(self) -> bool:
        """Take in what is new, waiting for it if there is nothing to do; False at the end."""
        with self._condition:
            while not (self._incoming or self._calls or self._channels or self._is_closing):
                self._condition.wait()
            if self._is_closing and not (self._drains and (self._incoming or self._channels)):
                return False
            incoming, self._incoming = self._incoming, []
            calls, self._calls = self._calls, []
            self._channels.update(incoming)
        for sequence, _ in incoming:
            self.batch.enqueue(sequence)
        for function, future in calls:
            try:
                function()
                future.set_result(None)
            except SequenceError as error:
                future.set_exception(error)
        return True

    def _deliver(self, sequence: BatchedSequence, token: int | None) -> None:
        channel = self._channels.get(sequence)
        if channel is None:
            return
        if token is not None:
            channel.put([token])
        if sequence.has_ended:
            channel.close(_find_error(sequence))
            with self._condition:
                del self._channels[sequence]

    def _close_channels(self) -> None:
        with self._condition:
            self._is_closing = True
            remaining = [*self._channels.items(), *self._incoming]
            calls, self._calls, self._incoming = self._calls, [], []
            self._channels.clear()
        for sequence, channel in remaining:
            sequence.cancel()
            channel.close(self._explain_end())
        for _, future in calls:
            future.set_exception(self._explain_end())

    def _check_open(self) -> None:
        if self._is_closing or self._error is not None:
            raise self._explain_end()

    def _explain_end(self) -> SequenceError:
        if self._error is None:
            return GenerationCancelledError("The GenerationServer is closed.")
        kind = type(self._error).__name__
        found = SequenceError(f"The thread that samples has failed: {kind}: {self._error}")
        found.__cause__ = self._error
        return found


def _find_error(sequence: BatchedSequence) -> Exception | None:
    if sequence.status == SequenceStatus.CANCELLED:
        count = len(sequence.tokens)
        return GenerationCancelledError(f"The sequence was cancelled after {count} tokens.")
    return sequence.error
