"""Fixed vectors and matrices of a cell's definition, as numbers for a layer's sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sluice.cells.declarations import Constant
from sluice.equations.sizes import parse_width
from sluice.equations.specs import ParameterSpec, Sizes

if TYPE_CHECKING:
    from sluice.cells.cell import Cell


def compute_constant(
    cell: Cell, name: str, constant: Constant, spec: ParameterSpec, sizes: Sizes
) -> Tensor:
    """The numbers of one `Constant`, float64, in the shape of its ``spec``.

    Raises ValueError where they have another shape, or are not finite.
    """
    value: Any = constant.value
    if isinstance(value, str):
        value = getattr(cell, value)
    if callable(value):
        widths = [constant.width]
        if constant.of is not None and constant.of != constant.width:
            widths.append(constant.of)
        value = value(*(sizes.of(parse_width(width)) for width in widths))
    shape, found = spec.shape(sizes), torch.as_tensor(value, dtype=torch.float64)
    if found.dim() == 0 and len(shape) == 1:
        found = found.expand(shape)
    if found.shape != shape:
        raise ValueError(
            f"constant '{name}' of {cell.name} must have shape {tuple(shape)} in a layer "
            f"of these sizes, got {tuple(found.shape)}"
        )
    if not bool(found.isfinite().all()):
        raise ValueError(f"constant '{name}' of {cell.name} must be of finite numbers")
    return found
