"""One layer in one direction: its sizes, the names of its parameters, its random masks.

Places come in torch's order: layer 0 forward, layer 0 reverse, layer 1 forward, ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sluice.cells.cell import Cell
from sluice.equations.specs import NoiseSpec, ParameterSpec, RandomSpec, Sizes
from sluice.nn.options import LayerOptions
from sluice.nn.random_draws import draw_normal, draw_uniform


@dataclass(frozen=True)
class LayerPlace:
    """One layer in one direction.

    Attributes:
        layer: The number of the layer.
        suffix: What its parameters' names end with, ``_l0`` or ``_l0_reverse``;
            a layer that reads from the end alone has the names of any other.
        is_reverse: Whether it reads the input from its end.
        sizes: The layer's sizes.
        parameter_names: Its parameters in the module, in the graph's order.
        initial_state_names: The parameters that hold its initial states; empty for none.
    """

    layer: int
    suffix: str
    is_reverse: bool
    sizes: Sizes
    parameter_names: tuple[str, ...]
    initial_state_names: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All its parameters in the module."""
        return self.parameter_names + self.initial_state_names

    def state_widths(self, cell: Cell) -> tuple[int, ...]:
        """The width of each state of ``cell`` here."""
        return tuple(self.sizes.of(state.width) for state in cell.graph.states)

    def draw_masks(self, cell: Cell, x: Tensor, is_training: bool) -> list[Tensor]:
        """The masks of ``cell`` for an input ``(time, batch, input)``."""
        widths = [self.sizes.of(mask.width) for mask in cell.graph.masks]
        pairs = zip(cell.graph.masks, widths, strict=True)
        return [_draw_mask(mask, x, width, is_training) for mask, width in pairs]


def build_places(
    cell: Cell, options: LayerOptions, layer_sizes: Sequence[Sizes]
) -> tuple[LayerPlace, ...]:
    """The places of a layer with these options."""
    found = []
    for layer, sizes in enumerate(layer_sizes):
        for is_second in (False, True)[: options.directions]:
            suffix = f"_l{layer}_reverse" if is_second else f"_l{layer}"
            is_reverse = is_second or options.reverse
            names = tuple(p.name + suffix for p in select_parameters(cell, options.bias))
            initial = tuple(f"initial_{state.name}{suffix}" for state in cell.graph.states)
            initial = initial if options.learn_initial_state else ()
            found.append(LayerPlace(layer, suffix, is_reverse, sizes, names, initial))
    return tuple(found)


def select_parameters(cell: Cell, bias: bool) -> list[ParameterSpec]:
    """The parameters of ``cell`` in a layer with or without biases."""
    return [p for p in cell.graph.parameters if bias or not p.is_bias]


def _draw_mask(mask: RandomSpec, x: Tensor, width: int, is_training: bool) -> Tensor:
    """A mask for ``x``, from torch's generator while training."""
    if not is_training:
        return torch.full((1, 1, 1), mask.eval_value, dtype=x.dtype, device=x.device)
    steps = 1 if mask.shared else x.shape[0]
    if isinstance(mask, NoiseSpec):
        drawn = draw_normal((steps, x.shape[1], width), x)
        return drawn * mask.std + mask.mean
    dropped = draw_uniform((steps, x.shape[1], width), x) < mask.rate
    kept = torch.full((), mask.keep_value, dtype=x.dtype, device=x.device)
    return torch.where(dropped, torch.full_like(kept, mask.drop_value), kept)
