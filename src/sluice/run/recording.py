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
from sluice.equations.watched import PRE, watched
from sluice.run.passes import Pass
from sluice.run.shelf import Shelf

Read = Callable[[str], Tensor]
"""A named value, ``(time, batch, width)``, anything at all where a sequence has ended."""

GRADIENT = "gradient."
"""What a derivative's name begins with on a shelf."""


@dataclass(frozen=True)
class Wanted:
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

    def graph(self, graph: Graph) -> Graph:
        """``graph`` with all names that are wanted."""
        pre = self.pre or any(name.startswith(PRE) for name in self.names or ())
        return watched(graph, pre, self.maps) if pre or self.maps else graph

    def of(self, graph: Graph) -> tuple[str, ...]:
        """The names to be recorded, in the graph's order."""
        named = self.graph(graph).named
        return tuple(name for name in named if self.names is None or name in self.names)

    @property
    def is_whole(self) -> bool:
        """Whether it is all that a pass keeps."""
        return self.names is None and self.every == 1


ALL = Wanted()


class _Lazily:
    """Reads each name when it is first asked for, and lets go of the source after the last."""

    def __init__(self, read: Read, names: Iterable[str]) -> None:
        self._read: Read | None = read
        self._left, self._found = set(names), dict[str, Tensor]()

    def __call__(self, name: str) -> Tensor:
        if name not in self._found:
            assert self._read is not None
            self._found[name] = self._read(name)
            self._left.discard(name)
            if not self._left:
                self._read = None
        return self._found[name]


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

    def __init__(self, job: Pass, order: Tensor | None, wanted: Wanted = ALL) -> None:
        """``order`` brings the batch of ``job`` into the caller's order; None where it is in it."""
        self.names, self.every = wanted.of(job.graph), wanted.every
        self.graph, self.biased = job.graph, len(job.parameters) == len(job.graph.parameters)
        self.backend = ""
        self.shelf: Shelf | None = None
        self.in_parts = not wanted.is_whole
        self._valid, self._order, self._trains = job.valid, order, False
        self._steps = job.x.shape[0]
        self._values: Read | None = None
        self._gradients: Read | None = None
        self.company: object = None  # kept alive for those who record the same pass

    def put_on(self, shelf: Shelf) -> None:
        """Put values and derivatives on ``shelf`` as soon as they are known."""
        self.shelf, self.in_parts = shelf, True

    def ran(self, backend: str, read: Read, trains: bool) -> None:
        """The pass is done; ``trains`` says whether a way back can follow."""
        self.backend, self._trains = backend, trains
        self._values, self._gradients = self._kept(read, ""), None

    def went_back(self, read: Read) -> None:
        """A way back is done."""
        self._gradients = self._kept(read, GRADIENT)

    def parts(self, job: Pass, at: slice) -> list[Part]:
        """A recording of the steps ``at``, run as a ``job`` of their own, that ends up in this."""
        return [Part(self, job, at)]

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
        if self._trains:
            raise RuntimeError("there are no derivatives yet; call backward() on a loss first")
        raise RuntimeError(
            "there are no derivatives: the recorded pass ran without gradients (no_grad, int8, or "
            "nothing that requires one); record a pass that trains, then call backward()"
        )

    def _kept(self, read: Read, prefix: str) -> Read:
        arranged = partial(_arranged, read, self._valid, self._order, self.every)
        if self.shelf is None:
            return _Lazily(arranged, self.names)
        for name in self.names:
            self.shelf.put(prefix + name, 0, self._steps, arranged(name), self.every)
        return partial(_taken, self.shelf, prefix)

    def gathered(self, backend: str) -> None:
        """All parts have run."""
        assert self.shelf is not None
        self.backend, self._values = backend, partial(_taken, self.shelf, "")


class Steps:
    """What a stream's steps leave: named values, a row of time for each step (or every k-th).

    Attributes:
        graph, names, backend, every: As of a `Recording`.
        stream: Whose steps they are.
    """

    has_gradients = False

    def __init__(self, stream: object, graph: Graph, wanted: Wanted, backend: str) -> None:
        self.stream, self.graph, self.backend = stream, graph, backend
        self.names, self.every = wanted.of(graph), wanted.every
        self._count, self._rows = 0, {name: list[Tensor]() for name in self.names}

    def append(self, read: Read) -> None:
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


class Part:
    """A recording of some steps, on their way to a whole one's shelf."""

    in_parts = False
    company: object = None

    def __init__(self, whole: Recording, job: Pass, at: slice) -> None:
        self.names = whole.names
        if whole.shelf is None:
            whole.shelf = Shelf()
        self._whole, self._valid, self._at, self._shelf = whole, job.valid, at, whole.shelf

    def ran(self, backend: str, read: Read, trains: bool) -> None:
        """The steps have been run."""
        assert not trains
        whole, first = self._whole, -self._at.start % self._whole.every
        for name in whole.names:
            rows = _arranged(read, self._valid, whole._order, 1, name)[first :: whole.every]
            start = self._at.start + first
            self._shelf.put(name, start, whole._steps, rows, whole.every)
        whole.gathered(backend)

    def went_back(self, read: Read) -> None:
        """Parts are run without gradients."""
        raise AssertionError("a part has no way back")


class Company:
    """Several recordings of one pass; those of a whole pass keep it alive, as it does not them."""

    def __init__(self, members: Sequence[Recording] | Sequence[Part]) -> None:
        self._all = [weakref.ref(one) for one in members]
        self.names = tuple(dict.fromkeys(name for one in members for name in one.names))
        self.in_parts = any(one.in_parts for one in members)
        for one in members:
            one.company = self

    def _members(self) -> Iterator[Any]:
        return (one for ref in self._all if (one := ref()) is not None)

    def ran(self, backend: str, read: Read, trains: bool) -> None:
        """As `Recording.ran`, for each."""
        for one in self._members():
            one.ran(backend, read, trains)

    def went_back(self, read: Read) -> None:
        """As `Recording.went_back`, for each."""
        for one in self._members():
            one.went_back(read)

    def parts(self, job: Pass, at: slice) -> list[Part]:
        """As `Recording.parts`, for all."""
        return [part for one in self._members() for part in one.parts(job, at)]


def _arranged(
    read: Read, valid: Tensor | None, order: Tensor | None, every: int, name: str
) -> Tensor:
    # Apart from the recording: a cycle would keep a tape until the garbage collector comes by.
    tensor = read(name).detach()
    if every > 1:
        tensor = tensor[::every].clone()
        valid = valid if valid is None else valid[::every]
    if valid is not None:
        tensor = torch.where(valid, tensor, 0)
    return tensor if order is None else tensor.index_select(1, order)


def _taken(shelf: Shelf, prefix: str, name: str) -> Tensor:
    return shelf.take(prefix + name)
