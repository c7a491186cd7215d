"""A layer one step at a time, with its state kept."""

from __future__ import annotations

import copy
from typing import Any, Protocol

import torch
from torch import Tensor

from sluice.cells.cell import Cell
from sluice.equations.evaluate import Schedule, Tensors, Values
from sluice.equations.graph import Leaf
from sluice.equations.specs import Sizes
from sluice.nn.batch import States
from sluice.nn.readout import Readout
from sluice.run.passes import named


class Streamable(Protocol):
    """What a stream needs of a layer."""

    cell: Cell
    input_size: int
    readout: Readout | None

    @property
    def directions(self) -> int: ...

    @property
    def sizes(self) -> tuple[Sizes, ...]: ...

    def copied_parameters(self, place: int) -> tuple[Tensor, ...]: ...

    def initial_rows(self) -> States: ...


class Stream:
    """Runs a layer step by step: ``y = stream(x)``, as in evaluation, without gradients.

    A stream holds its own copy of the weights, taken when it is made and at `refresh`: later
    changes of the layer do not reach it before that.

    Args:
        layer: The layer; not bidirectional.
        batch_size: How many sequences run side by side.

    Example:
        >>> import sluice, torch
        >>> stream = sluice.nn.LSTM(3, 8).stream(batch_size=2)
        >>> stream(torch.zeros(2, 3)).shape
        torch.Size([2, 8])
    """

    def __init__(self, layer: Streamable, batch_size: int = 1) -> None:
        if layer.directions == 2:
            raise ValueError(
                "a bidirectional layer reads its input from the end as well, so it cannot run "
                "step by step; make it with bidirectional=False"
            )
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self._layer, self.batch_size = layer, batch_size
        self.refresh()
        self.reset()

    def refresh(self) -> None:
        """Take the layer's weights as they are now; the state stays."""
        layer, graph = self._layer, self._layer.cell.graph
        self._meanings = [
            Tensors(graph.stacks, graph.norms, sizes, named(graph, layer.copied_parameters(place)))
            for place, sizes in enumerate(layer.sizes)
        ]
        self._readout = copy.deepcopy(layer.readout)
        self._initial = layer.initial_rows()
        self._input = Leaf("input", "x", "input")
        self._masks: Values = {
            Leaf("mask", mask.name, mask.width): mask.evaluated for mask in graph.masks
        }
        known = [self._input, *graph.state_leaves, *self._masks]
        self._schedule = Schedule(graph.named.values(), known=known)

    def reset(self, rows: Tensor | None = None) -> None:
        """Start anew, from the layer's initial state.

        Args:
            rows: Which sequences of the batch, boolean ``(batch,)`` or indices; None for all.
        """
        fresh = [
            tuple(row.expand(self.batch_size, -1).clone() for row in states)
            for states in self._initial
        ]
        if rows is None:
            self._states = fresh
            return
        for old, new in zip(self._states, fresh, strict=True):
            for kept, initial in zip(old, new, strict=True):
                kept[rows] = initial[rows]

    @torch.no_grad()
    def __call__(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """One step: from ``x``, (batch, input), to the output, (batch, features).

        With ``out`` the result is written there. Raises ValueError for an input of another shape
        or dtype.
        """
        self._check(x)
        graph, y = self._layer.cell.graph, x
        for place, meaning in enumerate(self._meanings):
            values: Values = {self._input: y, **self._masks}
            values.update(zip(graph.state_leaves, self._states[place], strict=True))
            self._schedule.run(values, meaning)
            # Cloned: a state may be the very tensor that it was before, or another's.
            self._states[place] = tuple(values[graph.named[s.name]].clone() for s in graph.states)
            y = self._states[place][0]
        if self._readout is not None:
            y = self._readout(y)
        return y.clone() if out is None else out.copy_(y)

    def _check(self, x: Tensor) -> None:
        expected, dtype = (self.batch_size, self._layer.input_size), self._states[0][0].dtype
        if x.shape != expected or x.dtype != dtype:
            raise ValueError(
                f"a step reads {dtype} of shape {expected}, (batch, input), "
                f"got {x.dtype} of shape {tuple(x.shape)}"
            )

    def state_dict(self) -> dict[str, Tensor]:
        """The state as tensors by name, to be saved; `load_state_dict` takes it back."""
        names = [state.name for state in self._layer.cell.graph.states]
        return {
            f"{name}_l{place}": tensor.clone()
            for place, states in enumerate(self._states)
            for name, tensor in zip(names, states, strict=True)
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go on from a saved state. Raises ValueError where it is another layer's or batch's."""
        own = self.state_dict()
        shapes = {name: tuple(tensor.shape) for name, tensor in own.items()}
        given = {name: tuple(tensor.shape) for name, tensor in saved.items()}
        if shapes != given:
            raise ValueError(f"the saved state does not fit: expected {shapes}, got {given}")
        names = [state.name for state in self._layer.cell.graph.states]
        self._states = [
            tuple(
                saved[f"{name}_l{place}"].to(like).clone()
                for name, like in zip(names, s, strict=True)
            )
            for place, s in enumerate(self._states)
        ]
