"""Another cell on a layer's own parameters, inside a ``with`` block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from torch import Tensor

from sluice.cells.cell import Cell
from sluice.nn.places import LayerPlace, select_parameters


class CellOwner(Protocol):
    """A layer whose cell can be replaced: `LayerParameters`."""

    bias: bool
    cell: Cell
    _places: tuple[LayerPlace, ...]


@contextmanager
def swap_cell(
    layer: CellOwner, cell: Cell, extra_parameters: Sequence[Mapping[str, Tensor]] = ()
) -> Iterator[None]:
    """What `RecurrentStack.swap_cell` does."""
    _check_compatible(layer.cell, cell, set(extra_parameters[0]) if extra_parameters else set())
    saved = {name: getattr(layer, name) for name in ("cell", "_text", "native", "_places")}
    added: list[str] = []
    names = [parameter.name for parameter in select_parameters(cell, layer.bias)]
    swapped = {
        "cell": cell,
        "_text": cell.text,
        "native": None,
        "_places": tuple(
            replace(place, parameter_names=tuple(name + place.suffix for name in names))
            for place in layer._places
        ),
    }
    try:
        for name, value in swapped.items():
            setattr(layer, name, value)
        for place, tensors in zip(layer._places, extra_parameters, strict=bool(extra_parameters)):
            for name, tensor in tensors.items():
                setattr(layer, name + place.suffix, tensor)
                added.append(name + place.suffix)
        yield
    finally:
        for name in added:
            delattr(layer, name)
        for name, value in saved.items():
            setattr(layer, name, value)


def _check_compatible(own: Cell, other: Cell, extra_parameters: set[str]) -> None:
    parameters = tuple(p for p in other.graph.parameters if p.name not in extra_parameters)
    if (own.graph.parameters, own.graph.states) != (parameters, other.graph.states):
        raise ValueError(
            f"{other.name} has other parameters or states than {own.name}; the cells swapped must "
            "share them"
        )
