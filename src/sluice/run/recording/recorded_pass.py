"""Recordings: what one pass of a layer leaves for those who listen."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sluice.equations.graph import Graph
from sluice.equations.instrument import PREACTIVATION_PREFIX, instrument_graph
from sluice.run.recording.buffers import TensorStore
from sluice.run.spec import RunSpec

ValueReader = Callable[[str], Tensor]
"""A named value, ``(time, batch, width)``, anything at all where a sequence has ended."""

GRADIENT_PREFIX = "gradient."
"""What a derivative's name begins with on a shelf."""


@dataclass(frozen=True)
class RecordSpec:
    """What of a pass is to be recorded.

    Attributes:
        names: Which values; None for all that the cell names.
        pre: Whether the gates' pre-activations as well, as ``pre.forget``.
        maps: Whether every learned map's result and operand as well.
        every: Of each ``every`` steps the first.
    """

    names: frozenset[str] | None = None
    pre: bool = False
    maps: bool = False
    every: int = 1

    def instrument(self, graph: Graph) -> Graph:
        """``graph`` with all names that are wanted."""
        pre = self.pre or any(name.startswith(PREACTIVATION_PREFIX) for name in self.names or ())
        return instrument_graph(graph, pre, self.maps) if pre or self.maps else graph

    def select_names(self, graph: Graph) -> tuple[str, ...]:
        """The names to be recorded, in the graph's order."""
        named = self.instrument(graph).outputs_by_name
        return tuple(name for name in named if self.names is None or name in self.names)

    @property
    def is_complete(self) -> bool:
        """Whether it is all that a pass keeps."""
        return self.names is None and self.every == 1


RECORD_ALL = RecordSpec()


class _LazyReader:
    """Reads each name when it is first asked for, and lets go of the source after the last."""

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
        names: The names of what is recorded.
        graph: The equations that ran.
        biased: Whether their maps had biases.
        backend: Which backend ran, ``"fused"`` or ``"reference"``.
        every: Of how many steps the first is kept.
        in_parts: Whether a pass without gradients had better run some steps at a time, since not
            all of it is kept in memory.
    """

    def __init__(
        self, spec: RunSpec, order: Tensor | None, record_spec: RecordSpec = RECORD_ALL
    ) -> None:
        """``order`` brings the batch of ``job`` into the caller's order; None where it is in it."""
        self.names, self.every = record_spec.select_names(spec.graph), record_spec.every
        self.graph, self.has_bias = spec.graph, len(spec.parameters) == len(spec.graph.parameters)
        self.backend = ""
        self.store: TensorStore | None = None
        self.in_chunks = not record_spec.is_complete
        self._valid, self._order, self._needs_grad = spec.valid_mask, order, False
        self._steps = spec.x.shape[0]
        self._values: ValueReader | None = None
        self._gradients: ValueReader | None = None
        self.group: object = None  # kept alive for those who record the same pass

    def store_in(self, store: TensorStore) -> None:
        """Put values and derivatives on ``shelf`` as soon as they are known."""
        self.store, self.in_chunks = store, True

    def on_forward(self, backend: str, read: ValueReader, needs_grad: bool) -> None:
        """The pass is done; ``trains`` says whether a way back can follow."""
        self.backend, self._needs_grad = backend, needs_grad
        self._values, self._gradients = self._build_reader(read, ""), None

    def on_backward(self, read: ValueReader) -> None:
        """A way back is done."""
        self._gradients = self._build_reader(read, GRADIENT_PREFIX)

    def chunk_recordings(self, spec: RunSpec, chunk: slice) -> list[ChunkRecording]:
        """A recording of the steps ``at``, run as a ``job`` of their own, that ends up in this."""
        return [ChunkRecording(self, spec, chunk)]

    def value(self, name: str) -> Tensor:
        """A named value. Raises RuntimeError where the pass has not come to its end."""
        if self._values is None:
            raise RuntimeError("this pass did not come to its end; call the model again")
        return self._values(name)

    @property
    def has_gradients(self) -> bool:
        """Whether a backward pass has come by."""
        return self._gradients is not None

    def gradient(self, name: str) -> Tensor:
        """The total derivative of the loss with respect to a named value, by the last way back.

        Raises RuntimeError where there was none.
        """
        if self._gradients is not None:
            return self._gradients(name)
        if self._needs_grad:
            raise RuntimeError("there are no derivatives yet; call backward() on a loss first")
        raise RuntimeError(
            "there are no derivatives: the recorded pass ran without gradients (no_grad, int8, or "
            "nothing that requires one); record a pass that trains, then call backward()"
        )

    def _build_reader(self, read: ValueReader, prefix: str) -> ValueReader:
        arranged = partial(_arrange, read, self._valid, self._order, self.every)
        if self.store is None:
            return _LazyReader(arranged, self.names)
        for name in self.names:
            self.store.write(prefix + name, 0, self._steps, arranged(name), self.every)
        return partial(_read_store, self.store, prefix)

    def on_chunks_done(self, backend: str) -> None:
        """All parts have run."""
        assert self.store is not None
        self.backend, self._values = backend, partial(_read_store, self.store, "")


class StreamRecording:
    """What a stream's steps leave: named values, a row of time for each step (or every k-th).

    Attributes:
        graph, names, backend, every: As of a `Recording`.
        stream: Whose steps they are.
    """

    has_gradients = False

    def __init__(self, stream: object, graph: Graph, record_spec: RecordSpec, backend: str) -> None:
        self.stream, self.graph, self.backend = stream, graph, backend
        self.names, self.every = record_spec.select_names(graph), record_spec.every
        self._count, self._rows = 0, {name: list[Tensor]() for name in self.names}

    def append_step(self, read: ValueReader) -> None:
        """One more step, ``(1, batch, width)`` each."""
        if self._count % self.every == 0:
            for name, rows in self._rows.items():
                rows.append(read(name).detach().clone())
        self._count += 1

    def value(self, name: str) -> Tensor:
        """A named value of all steps so far, ``(time, batch, width)``."""
        rows = self._rows[name]
        rows[:] = [torch.cat(rows)]
        return rows[0]

    def gradient(self, name: str) -> Tensor:
        """Raises RuntimeError: a stream has none."""
        raise RuntimeError(
            "there are no derivatives: a stream runs without gradients; record a call of the layer"
        )


class ChunkRecording:
    """A recording of some steps, on their way to a whole one's shelf."""

    in_chunks = False
    group: object = None

    def __init__(self, parent: Recording, spec: RunSpec, chunk: slice) -> None:
        self.names = parent.names
        if parent.store is None:
            parent.store = TensorStore()
        self._parent, self._valid, self._chunk, self._store = (
            parent,
            spec.valid_mask,
            chunk,
            parent.store,
        )

    def on_forward(self, backend: str, read: ValueReader, needs_grad: bool) -> None:
        """The steps have been run."""
        assert not needs_grad
        whole, first = self._parent, -self._chunk.start % self._parent.every
        for name in whole.names:
            rows = _arrange(read, self._valid, whole._order, 1, name)[first :: whole.every]
            start = self._chunk.start + first
            self._store.write(name, start, whole._steps, rows, whole.every)
        whole.on_chunks_done(backend)

    def on_backward(self, read: ValueReader) -> None:
        """Parts are run without gradients."""
        raise AssertionError("a part has no way back")


class RecordingGroup:
    """Several recordings of one pass; those of a whole pass keep it alive, as it does not them."""

    def __init__(self, members: Sequence[Recording] | Sequence[ChunkRecording]) -> None:
        self._member_refs = [weakref.ref(one) for one in members]
        self.names = tuple(dict.fromkeys(name for one in members for name in one.names))
        self.in_chunks = any(one.in_chunks for one in members)
        for one in members:
            one.group = self

    def _members(self) -> Iterator[Any]:
        return (one for ref in self._member_refs if (one := ref()) is not None)

    def on_forward(self, backend: str, read: ValueReader, needs_grad: bool) -> None:
        """As `Recording.on_forward`, for each."""
        for one in self._members():
            one.on_forward(backend, read, needs_grad)

    def on_backward(self, read: ValueReader) -> None:
        """As `Recording.on_backward`, for each."""
        for one in self._members():
            one.on_backward(read)

    def chunk_recordings(self, spec: RunSpec, chunk: slice) -> list[ChunkRecording]:
        """As `Recording.parts`, for all."""
        return [part for one in self._members() for part in one.parts(spec, chunk)]


def _arrange(
    read: ValueReader, valid: Tensor | None, order: Tensor | None, every: int, name: str
) -> Tensor:
    # Apart from the recording: a cycle would keep a tape until the garbage collector comes by.
    tensor = read(name).detach()
    if every > 1:
        tensor = tensor[::every].clone()
        valid = valid if valid is None else valid[::every]
    if valid is not None:
        tensor = torch.where(valid, tensor, 0)
    return tensor if order is None else tensor.index_select(1, order)


def _read_store(store: TensorStore, prefix: str, name: str) -> Tensor:
    return store.read(prefix + name)
