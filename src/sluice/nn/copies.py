"""A layer's *ensemble*: several copies of it, whose tensors have a dimension for the copies.

The kernels run all copies as one layer of a block-diagonal cell. Here is how tensors of copies
become that layer's, and back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from sluice.cells.cell import Cell
from sluice.cells.from_text import TracedCell
from sluice.equations.replication import replicate_graph, replicate_sizes
from sluice.equations.specs import Sizes
from sluice.equations.text import to_text
from sluice.nn.options import LayerOptions
from sluice.nn.places import select_parameters


def flatten_input(input: Tensor | PackedSequence, copies: int, width: int) -> Tensor:
    """``(time, batch, copies, input)``, or ``(time, batch, input)`` for all, as one wide input.

    The first two dimensions may be swapped. Raises ValueError for another shape.
    """
    if isinstance(input, PackedSequence) or input.dim() not in (3, 4):
        given = "a PackedSequence" if isinstance(input, PackedSequence) else f"{input.dim()}-D"
        raise ValueError(
            "the input of a layer with copies must be (time, batch, copies, input), or (time, "
            f"batch, input) for all copies alike, got {given}; give lengths= for padded batches"
        )
    own = input if input.dim() == 4 else input.unsqueeze(2)
    if own.shape[2] not in ((copies,) if input.dim() == 4 else (1,)) or own.shape[3] != width:
        raise ValueError(
            f"the input must be (time, batch, {copies}, {width}), or (time, batch, {width}) for "
            f"all copies alike, got {tuple(input.shape)}"
        )
    return own.expand(-1, -1, copies, -1).flatten(2)


def flatten_states(hx: Any, copies: int) -> Any:
    """States ``(..., copies, width)`` as those of one layer; raises RuntimeError for others."""

    def flatten(state: Tensor) -> Tensor:
        if state.dim() < 3 or state.shape[-2] != copies:
            raise RuntimeError(
                f"hx must have the dimensions (..., batch, {copies}, width), with one for the "
                f"copies, got {list(state.shape)}"
            )
        return state.flatten(-2)

    return _map_states(flatten, hx)


def split_copies(values: Any, copies: int) -> Any:
    """The inverse of `flatten_states`, also for outputs."""

    def split(value: Tensor) -> Tensor:
        return value.view(*value.shape[:-1], copies, value.shape[-1] // copies)

    return _map_states(split, values)


def _map_states(function: Callable[[Tensor], Tensor], hx: Any) -> Any:
    if isinstance(hx, Tensor):
        return function(hx)
    return tuple(_map_states(function, part) for part in hx)


def join_directions(outputs: list[Tensor], copies: int | None) -> Tensor:
    """The outputs of both directions side by side, within each copy."""
    if len(outputs) == 1:
        return outputs[0]
    if copies is None:
        return torch.cat(outputs, dim=-1)
    parts = [output.unflatten(-1, (copies, -1)) for output in outputs]
    joined: Tensor = torch.cat(parts, dim=-1).flatten(-2)
    return joined


def replicate_cell(
    cell: Cell, sizes: tuple[Sizes, ...], options: LayerOptions
) -> tuple[Cell, tuple[Sizes, ...]]:
    """The cell and the sizes of the wide layer, those given without copies.

    Raises ValueError for options that it lacks, `EquationError` for a cell that cannot be copied.
    """
    copies = options.copies
    if copies is None:
        return cell, sizes
    if not isinstance(copies, int) or isinstance(copies, bool) or copies < 1:
        raise ValueError(f"copies must be a number of at least 1, got {copies!r}")
    if options.output_size is not None or options.output_activation is not None:
        raise ValueError(
            "a layer with copies has no readout; leave output_size= out, and map its output: "
            'torch.einsum("tbch,coh->tbco", y, weight)'
        )
    wide = TracedCell(to_text(replicate_graph(cell.graph, copies)))
    return wide, tuple(replicate_sizes(one, copies) for one in sizes)


def list_gate_rows(cell: Cell, sizes: Sizes, bias: bool) -> list[tuple[int, ...]]:
    """How many rows each gate has in each parameter of one copy."""
    return [
        tuple(sizes.of(width) for width in one.dimensions[0])
        for one in select_parameters(cell, bias)
    ]


def flatten_parameter(tensor: Tensor, rows: tuple[int, ...]) -> Tensor:
    """A parameter of all copies, ``(copies, ...)``, as the wide layer has it: gate by gate.

    ``rows`` are those of each gate in one copy.
    """
    copies, _, *columns = tensor.shape
    if len(rows) == 1:
        return tensor.reshape(-1, *columns)
    if len(set(rows)) == 1:
        gates = tensor.reshape(copies, len(rows), rows[0], *columns).transpose(0, 1)
        return gates.reshape(-1, *columns)
    return torch.cat([part.reshape(-1, *columns) for part in tensor.split(rows, dim=1)])
