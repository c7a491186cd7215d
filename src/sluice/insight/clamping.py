"""Ablation: what a trained model does with a gate open or closed, or without a unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor

from sluice.cells import transforms
from sluice.nn.stack import RecurrentStack

Layer = TypeVar("Layer", bound=RecurrentStack)


@contextmanager
def clamp_gates(module: Layer, **values: float) -> Iterator[Layer]:
    """Run ``module`` with named values clamped to a number, inside a ``with`` block.

    All its layers and directions run the cell ``sluice.cells.clamp_gates(cell, **values)``
    with their own weights, on the same kernels; where torch's own layer would run, the reference
    runs instead. After the block the layer is as before. Streams made before are not affected.

    Source: ablation of gates, Greff et al. 2017, "LSTM: A search space odyssey", who train without
    them; here a trained model is changed.

    Args:
        module: A recurrent layer of `sluice.nn`, also one within a model, whose forward then runs
            as usual.
        values: Numbers by name, as in ``forget=1.0``.

    Raises:
        ValueError: the cell names no such value, or the number is not finite.

    Example:
        >>> import torch, sluice
        >>> layer, x = sluice.nn.LSTM(3, 8), torch.randn(5, 2, 3)
        >>> with sluice.insight.clamp_gates(layer, output=0.0):
        ...     shut, _ = layer(x)
        >>> shut.abs().max().item(), bool(layer(x)[0].abs().max() > 0)
        (0.0, True)
    """
    _require_layer(module)
    with module.swap_cell(transforms.clamp_gates(module.cell, **values)):
        yield module


@contextmanager
def clamp_units(
    module: Layer,
    values: Mapping[str, float | Tensor],
    units: Sequence[int] | None = None,
    *,
    layer: int | None = None,
    reverse: bool = False,
) -> Iterator[Layer]:
    """Run ``module`` with named values of single units clamped, inside a ``with`` block.

    The weights stay as they are: the cell is `sluice.cells.clamp_units`, on the same kernels, and
    calls, streams and generation started inside the block use it. A unit whose states are all
    clamped to 0 is removed, from the first step on; the states before it are the initial ones.

    Args:
        module: A recurrent layer of `sluice.nn`, also one within a model.
        values: For each name a number, or a tensor with one for each unit, ``(width,)``.
        units: Which units; None for all.
        layer: Which layer of a stack, counted from 0; None for all, in both directions.
        reverse: Whether to take its reverse direction.

    Raises:
        ValueError: the cell names no such value; a number that is not finite, or not one for each
            unit.
        IndexError: there is no such layer, direction or unit.

    Example:
        >>> import torch, sluice
        >>> layer, x = sluice.nn.GRU(3, 8, num_layers=2), torch.randn(5, 2, 3)
        >>> with sluice.insight.clamp_units(layer, {"h": 0.0}, [2, 5], layer=1):
        ...     y, _ = layer(x)
        >>> y.abs().amax(dim=(0, 1)).eq(0).nonzero().flatten().tolist()
        [2, 5]
    """
    _require_layer(module)
    cell = transforms.clamp_units(module.cell, *values)
    places = range(module.num_layers * module.directions)
    chosen = None if layer is None else layer * module.directions + reverse
    if chosen is not None and (chosen not in places or (reverse and module.directions == 1)):
        name = f"layer {layer}" + " in reverse" * reverse
        raise IndexError(
            f"layer must be one of the {module.num_layers} layers of the module, got {name}"
        )
    extra = [
        _build_clamp_vectors(module, place, values, units, chosen in (None, place))
        for place in places
    ]
    with module.swap_cell(cell, extra):
        yield module


def _require_layer(module: object) -> None:
    if not isinstance(module, RecurrentStack):
        raise TypeError(
            f"module must be a recurrent layer of sluice.nn, got {type(module).__name__}; name the "
            "layer within your model, as in model.encoder"
        )


def _build_clamp_vectors(
    module: RecurrentStack,
    place: int,
    values: Mapping[str, float | Tensor],
    units: Sequence[int] | None,
    selected: bool,
) -> dict[str, Tensor]:
    """The vectors of `clamp_units` for one layer and direction; unless ``selected``, all zeros."""
    sizes, like = module.sizes[place // module.directions], module.get_layer_parameters(place)[0]
    found: dict[str, Tensor] = {}
    for name, value in values.items():
        width = sizes.of(module.cell.graph.outputs_by_name[name].width)
        found[f"held_{name}"], found[f"at_{name}"] = held, at = like.new_zeros(2, width)
        if selected:
            _check_units(name, value, units, width)
            held[slice(None) if units is None else list(units)] = 1.0
            at[:] = torch.as_tensor(value, dtype=at.dtype, device=at.device)
    return found


def _check_units(name: str, value: float | Tensor, units: Sequence[int] | None, width: int) -> None:
    given = torch.as_tensor(value)
    if given.shape not in ((), (width,)) or not bool(given.isfinite().all()):
        raise ValueError(
            f"the value of '{name}' must be a finite number, or one for each of {width} units, got "
            f"{value if given.dim() == 0 else tuple(given.shape)}"
        )
    for unit in units or ():
        if not -width <= int(unit) < width or int(unit) != unit:
            raise IndexError(f"a unit of '{name}' must be from 0 to {width - 1}, got {unit}")
