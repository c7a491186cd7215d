"""Cells whose dynamics are known in closed form, and layers of any cell to measure."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import sluice
from cell_list import CELLS, SIZES


class Linear(sluice.Cell):
    """h = W x + b + R h + b'."""

    hidden = sluice.Gate()

    def step(self, x: Any, h: Any) -> dict[str, Any]:
        return dict(h=self.hidden(x, h))


def linear_layer(recurrent: Tensor, inputs: Tensor | None = None) -> Any:
    """A layer of `Linear` with these weights and no biases; None: one input of zero weight."""
    inputs = torch.zeros(len(recurrent), 1) if inputs is None else inputs
    layer = sluice.nn.Recurrent(Linear, inputs.shape[1], len(recurrent), bias=False).double()
    with torch.no_grad():
        layer.weight_hh_l0.copy_(recurrent)
        layer.weight_ih_l0.copy_(inputs)
    return layer


def shift_register(length: int) -> Any:
    """A linear layer that keeps its last ``length`` inputs, the newest in unit 0."""
    first = torch.zeros(length, 1)
    first[0] = 1.0
    return linear_layer(torch.diag(torch.ones(length - 1), -1), first)


def any_layer(name: str, **options: Any) -> Any:
    """A float64 layer of a cell of the list, in evaluation, with weights that are not small."""
    cell = CELLS[name]()
    projected = any(state.width == "projection" for state in cell.graph.states)
    proj_size = SIZES.projection if projected else 0
    layer = sluice.nn.Recurrent(
        cell, SIZES.input, SIZES.hidden, proj_size=proj_size, **options
    ).double()
    return layer.eval()
