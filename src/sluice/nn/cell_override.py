"""Another cell on a layer's own parameters, for a while."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from sluice.cells.cell import Cell


@contextmanager
def swap_cell(
    layer: Any, cell: Cell, extra_parameters: Sequence[Mapping[str, Tensor]] = ()
) -> Iterator[None]:
    """What `RecurrentStack.running` does, for a ``layer`` of that kind."""
    _check_compatible(layer.cell, cell, set(extra_parameters[0]) if extra_parameters else set())
    kept = {name: getattr(layer, name) for name in ("cell", "_text", "native", "_names")}
    lent: list[str] = []
    layer.cell, layer._text, layer.native = cell, cell.text, None
    layer._names = [
        [parameter.name + suffix for parameter in layer._select_parameters(cell)]
        for _, suffix in layer._layer_suffixes()
    ]
    try:
        for (_, suffix), tensors in zip(
            layer._layer_suffixes(), extra_parameters, strict=bool(extra_parameters)
        ):
            for name, tensor in tensors.items():
                setattr(layer, name + suffix, tensor)
                lent.append(name + suffix)
        yield
    finally:
        for name in lent:
            delattr(layer, name)
        for name, value in kept.items():
            setattr(layer, name, value)


def _check_compatible(own: Cell, other: Cell, extra_parameters: set[str]) -> None:
    parameters = tuple(p for p in other.graph.parameters if p.name not in extra_parameters)
    if (own.graph.parameters, own.graph.states) != (parameters, other.graph.states):
        raise ValueError(f"{other.name} has other parameters or states than {own.name}")
