"""The recording of a pass: its named values, and the derivatives with respect to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from sluice.equations.graph import Graph
from sluice.run.recording.buffers import TensorStore
from sluice.run.recording.record_spec import RECORD_ALL, RecordSpec
from sluice.run.recording.sinks import ValueReader, WeakSink
from sluice.run.spec import RunSpec

GRADIENT_PREFIX = "gradient."
"""What a derivative's name begins with in a `TensorStore`."""


class RecordedValueSource(Protocol):
    """A recording as its readers see it: `Recording`, or that of a stream."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the recorded values."""
        ...

    @property
    def graph(self) -> Graph:
        """The equations that ran."""
        ...

    @property
    def reverse(self) -> bool:
        """Whether the steps ran from the last to the first."""
        ...

    @property
    def backend(self) -> str:
        """Which backend ran, ``"fused"`` or ``"reference"``."""
        ...

    @property
    def every(self) -> int:
        """Row k of a value is step ``k * every``."""
        ...

    @property
    def has_gradients(self) -> bool:
        """Whether there was a backward pass."""
        ...

    @property
    def backward_count(self) -> int:
        """How often derivatives arrived."""
        ...

    def value(self, name: str) -> Tensor:
        """A named value, ``(time, batch, width)``."""
        ...

    def gradient(self, name: str) -> Tensor:
        """The derivative of the loss with respect to a named value, of the same shape."""
        ...


class _LazyReader:
    """Reads each name at its first use, and releases the source after the last."""

    def __init__(self, read: ValueReader, names: Iterable[str]) -> None:
        self._read: ValueReader | None = read
        self._remaining, self._cache = set(names), dict[str, Tensor]()

    def __call__(self, name: str) -> Tensor:
        if name not in self._cache:
            assert self._read is not None
            self._cache[name] = self._read(name)
            self._remaining.discard(name)
            if not self._remaining:
                self._read = None
        return self._cache[name]


class Recording:
    """The named values of one pass, and the derivatives of the loss with respect to them.

    All are ``(time, batch, width)``, detached, in the dtype that the pass computed in, the batch
    in the caller's order, zero where a sequence has ended.

    Attributes:
        names: The names of the recorded values.
        graph: The equations that ran.
        keeps_read: Whether a value that was read is kept, for the next time that it is read.
        order: Brings the batch of the pass into the caller's order; None where it is in it.
        has_bias: Whether their maps had biases.
        reverse: Whether the pass ran from the last step to the first.
        backend: Which backend ran, ``"fused"`` or ``"reference"``.
        every: Every how many steps one was recorded.
        steps: How many steps the pass has.
        needs_grad: Whether a backward pass can follow.
        before_gradients: Called before those of a backward pass are taken.
        backward_count: How many backward passes there were.
        in_chunks: Whether a pass without gradients should run in chunks, since not all of it is
            kept in memory.
    """

    def __init__(
        self, spec: RunSpec, order: Tensor | None, record_spec: RecordSpec = RECORD_ALL
    ) -> None:
        """``order`` permutes the batch of ``spec`` to the caller's order; None leaves it."""
        self.names, self.every = record_spec.select_names(spec.graph), record_spec.every
        self.graph, self.has_bias, self.reverse = spec.graph, spec.has_bias, spec.reverse
        self.backend, self.needs_grad = "", False
        self.keeps_read = True
        self.store: TensorStore | None = None
        self.in_chunks = not record_spec.is_complete
        self.before_gradients: Callable[[], None] | None = None
        self.backward_count = 0
        self._valid, self.order, self._first = spec.valid_mask, order, 0
        self.steps = spec.x.shape[0]
        self._values: ValueReader | None = None
        self._gradients: ValueReader | None = None

    def begin_after(self, steps: int) -> None:
        """``steps`` of the same sequence came before, in other passes."""
        self._first = -steps % self.every

    @property
    def rows(self) -> int:
        """How many steps are recorded."""
        return len(range(self._first, self.steps, self.every))

    def store_in(self, store: TensorStore) -> None:
        """Write values and derivatives to ``store`` as soon as they are known."""
        self.store, self.in_chunks = store, True

    def on_forward(self, backend: str, read: ValueReader, needs_grad: bool) -> None:
        """The pass is done; ``needs_grad`` says whether a backward pass can follow."""
        self.backend, self.needs_grad = backend, needs_grad
        self._values, self._gradients = self._build_reader(read, ""), None

    def on_backward(self, read: ValueReader) -> None:
        """A backward pass is done."""
        if self.before_gradients is not None:
            self.before_gradients()
        self.backward_count += 1
        self._gradients = self._build_reader(read, GRADIENT_PREFIX)

    def drop_gradients(self) -> None:
        """Forget the derivatives of an earlier backward pass."""
        if self._gradients is not None and self.store is not None:
            for name in self.names:
                self.store.clear(GRADIENT_PREFIX + name)
        self._gradients = None

    def weak(self) -> WeakSink:
        """As `RecordingSink.weak`."""
        return WeakSink(self)

    def for_chunk(self, spec: RunSpec, chunk: slice) -> ChunkRecording:
        """A recording of the steps ``chunk``, run as ``spec``, that adds its values to these."""
        return ChunkRecording(self, spec, chunk)

    def on_chunk(self, backend: str, read: ValueReader, spec: RunSpec, chunk: slice) -> None:
        """The steps ``chunk`` are done, run as ``spec``: write their values to the store."""
        store = self.store = self.store or TensorStore()
        first = (self._first - chunk.start) % self.every
        at = len(range(self._first, chunk.start, self.every))
        for name in self.names:
            rows = _arrange(read, spec.valid_mask, self.order, 0, 1, name)[first :: self.every]
            store.write(name, at, self.rows, rows)
        self.backend, self._values = backend, partial(_read_store, store, "")

    def value(self, name: str) -> Tensor:
        """A named value. Raises RuntimeError if the pass was interrupted."""
        if self._values is None:
            raise RuntimeError("the pass was interrupted before its end; call the model again")
        return self._values(name)

    @property
    def has_gradients(self) -> bool:
        """Whether there was a backward pass."""
        return self._gradients is not None

    def gradient(self, name: str) -> Tensor:
        """The total derivative of the loss with respect to a value, of the last backward pass.

        Raises RuntimeError if there was no backward pass.
        """
        if self._gradients is None:
            raise RuntimeError("there was no backward pass through this one")
        return self._gradients(name)

    def _build_reader(self, read: ValueReader, prefix: str) -> ValueReader:
        arranged = partial(_arrange, read, self._valid, self.order, self._first, self.every)
        if self.store is None and not self.keeps_read:
            return arranged
        if self.store is None:
            return _LazyReader(arranged, self.names)
        for name in self.names:
            self.store.write(prefix + name, 0, self.rows, arranged(name))
        return partial(_read_store, self.store, prefix)


class ChunkRecording:
    """The recording of some time steps of a pass, which adds them to that of the whole pass."""

    def __init__(self, whole: Recording, spec: RunSpec, chunk: slice) -> None:
        self.names, self._whole, self._spec, self._chunk = whole.names, whole, spec, chunk

    def on_forward(self, backend: str, read: ValueReader, needs_grad: bool) -> None:
        """The steps are done."""
        assert not needs_grad
        self._whole.on_chunk(backend, read, self._spec, self._chunk)

    def on_backward(self, read: ValueReader) -> None:
        """Raises AssertionError: chunks run without gradients."""
        raise AssertionError("a chunk of a recorded pass runs without gradients")

    def weak(self) -> WeakSink:
        """As `RecordingSink.weak`."""
        return WeakSink(self)


def _arrange(
    read: ValueReader,
    valid: Tensor | None,
    order: Tensor | None,
    first: int,
    every: int,
    name: str,
) -> Tensor:
    # No method of `Recording`: a reference cycle would keep a tape until garbage is collected.
    tensor = read(name).detach()
    if every > 1:
        tensor = tensor[first::every].clone()
        valid = valid if valid is None else valid[first::every]
    if valid is not None:
        tensor = torch.where(valid, tensor, 0)
    return tensor if order is None else tensor.index_select(1, order)


def _read_store(store: TensorStore, prefix: str, name: str) -> Tensor:
    return store.read(prefix + name)
