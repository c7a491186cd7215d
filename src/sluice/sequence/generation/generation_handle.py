"""What a client holds of a sequence that a `GenerationServer` samples for it."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from types import TracebackType

from sluice.sequence.generation.batched_sequence import BatchedSequence, SequenceStatus
from sluice.sequence.generation.token_channel import TokenChannel


class GenerationHandle:
    """The tokens of one sequence as they come: an iterator, for threads and for asyncio.

    ``for token in handle`` waits for each; ``async for token in handle`` lets the event loop go on
    meanwhile. Each id is read once. A ``with`` block cancels the sequence at its end, and so does a
    handle that is dropped: nothing is sampled for a client that is gone.
    """

    def __init__(self, sequence: BatchedSequence, channel: TokenChannel, server: object) -> None:
        self._sequence, self._channel = sequence, channel
        self._server = server  # which lives at least as long as its handles
        self._ready = deque[int]()
        self._finalizer = weakref.finalize(self, sequence.cancel)
        self._finalizer.atexit = False

    @property
    def status(self) -> SequenceStatus:
        """Where the sequence is."""
        return self._sequence.status

    @property
    def tokens(self) -> list[int]:
        """All ids so far, read or not, those of the prompt included."""
        return list(self._sequence.tokens)

    def cancel(self) -> None:
        """Stop the sequence before its next token; whoever reads on gets an error."""
        self._sequence.cancel()

    def read(self, timeout: float | None = None) -> list[int]:
        """The ids that nobody has read, at least one; none at the end.

        Raises:
            TimeoutError: none came within `timeout` seconds.
            DeadlineError: the deadline is over.
            GenerationCancelledError: the sequence was cancelled, or the server closed.
            SequenceError: the sequence failed, as by a `GrammarError`, or the server did.
        """
        return list(self._pop_ready()) or self._channel.take(timeout)

    def result(self, timeout: float | None = None) -> list[int]:
        """All ids of the complete sequence, as `generate` returns them; errors as of `read`."""
        end = None if timeout is None else time.monotonic() + timeout
        while self.read(None if end is None else max(0.0, end - time.monotonic())):
            pass
        return self.tokens

    def iterate(self, timeout: float | None = None) -> Iterator[int]:
        """The ids that nobody has read, each within `timeout` seconds; errors as of `read`."""
        while ids := self.read(timeout):
            self._ready.extend(ids)
            yield from self._pop_ready()

    def _pop_ready(self) -> Iterator[int]:
        with suppress(IndexError):  # others may read too
            while True:
                yield self._ready.popleft()

    def __iter__(self) -> Iterator[int]:
        return self.iterate()

    async def read_async(self) -> list[int]:
        """As `read`, but the event loop goes on meanwhile."""
        if ready := list(self._pop_ready()):
            return ready
        loop = asyncio.get_running_loop()
        while (ids := self._channel.take_now()) is None:
            is_ready = asyncio.Event()
            self._channel.wake_when_ready(_make_waker(loop, is_ready))
            await is_ready.wait()
        return ids

    async def __aiter__(self) -> AsyncIterator[int]:
        while ids := await self.read_async():
            self._ready.extend(ids)
            for token in self._pop_ready():
                yield token

    def __enter__(self) -> GenerationHandle:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cancel()


def _make_waker(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> Callable[[], None]:
    """A function that sets the event from any thread, unless the loop is closed."""

    def wake() -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(event.set)

    return wake
