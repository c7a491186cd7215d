"""What a backend delivers a pass to: one recording, or several at once.

A backend calls `RecordingSink.on_forward` when a pass is done and `RecordingSink.on_backward` when
a backward pass through it is done. Between the two it keeps only `RecordingSink.weak`, so that an
autograd graph does not keep a recording alive: recordings belong to those who record.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor

from sluice.run.spec import RunSpec

ValueReader = Callable[[str], Tensor]
"""Reads a named value, ``(time, batch, width)``, undefined where a sequence has ended."""


class RecordingSink(Protocol):
    """Receives the values of a pass, and the derivatives of each backward pass through it."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the values to deliver."""
        ...

    def on_forward(self, backend: str, read: ValueReader, needs_grad: bool) -> None:
        """The pass is done; ``needs_grad`` says whether a backward pass can follow."""
        ...

    def on_backward(self, read: ValueReader) -> None:
        """A backward pass is done; ``read`` gives the derivatives."""
        ...

    def weak(self) -> RecordingSink:
        """A sink that passes everything on to this one, and does not keep it alive."""
        ...


class ChunkableSink(RecordingSink, Protocol):
    """A sink for a pass that may run some time steps at a time."""

    @property
    def in_chunks(self) -> bool:
        """Whether a pass without gradients should run in chunks: not all is kept in memory."""
        ...

    def for_chunk(self, spec: RunSpec, chunk: slice) -> RecordingSink:
        """A sink for the steps ``chunk``, which run as a pass of their own, ``spec``."""
        ...


class RecordedRunner(Protocol):
    """Runs a pass, and delivers its values to a sink if there is one."""

    def __call__(
        self, spec: RunSpec, *, recording: RecordingSink | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The output, ``(time, batch, width)``, and the last states."""
        ...


class WeakSink:
    """Passes everything on to a sink while that one is alive."""

    def __init__(self, sink: RecordingSink) -> None:
        self._ref, self.names = weakref.ref(sink), sink.names

    def on_forward(self, backend: str, read: ValueReader, needs_grad: bool) -> None:
        """As `RecordingSink.on_forward`."""
        if (sink := self._ref()) is not None:
            sink.on_forward(backend, read, needs_grad)

    def on_backward(self, read: ValueReader) -> None:
        """As `RecordingSink.on_backward`."""
        if (sink := self._ref()) is not None:
            sink.on_backward(read)

    def weak(self) -> WeakSink:
        """Itself."""
        return self


class SinkGroup:
    """Several sinks of one pass."""

    def __init__(self, sinks: Sequence[RecordingSink]) -> None:
        self._sinks = tuple(sinks)
        self.names = tuple(dict.fromkeys(name for sink in sinks for name in sink.names))

    def on_forward(self, backend: str, read: ValueReader, needs_grad: bool) -> None:
        """As `RecordingSink.on_forward`, for each."""
        for sink in self._sinks:
            sink.on_forward(backend, read, needs_grad)

    def on_backward(self, read: ValueReader) -> None:
        """As `RecordingSink.on_backward`, for each."""
        for sink in self._sinks:
            sink.on_backward(read)

    def weak(self) -> SinkGroup:
        """As `RecordingSink.weak`, for each."""
        return SinkGroup([sink.weak() for sink in self._sinks])


class RecordingGroup(SinkGroup):
    """Several recordings of one whole pass."""

    def __init__(self, recordings: Sequence[ChunkableSink]) -> None:
        super().__init__(recordings)
        self._recordings = tuple(recordings)

    @property
    def in_chunks(self) -> bool:
        """As `ChunkableSink.in_chunks`, for any of them."""
        return any(one.in_chunks for one in self._recordings)

    def for_chunk(self, spec: RunSpec, chunk: slice) -> SinkGroup:
        """As `ChunkableSink.for_chunk`, for each."""
        return SinkGroup([one.for_chunk(spec, chunk) for one in self._recordings])
