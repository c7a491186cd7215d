"""Weights and states of another shape than the cell's: refused on every way to the kernels.

A matrix that lies across has as many bytes as the right one, so their number shows nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sluice
from sluice.cells import Cell, Gate, Mask, Vector
from sluice.equations.ops import tanh
from sluice.nn import LSTM, LSTMCell, Recurrent
from sluice.run.custom_op import OperatorInputs, run


class Peephole(Cell):
    gate, peephole = Gate(), Vector()

    def step(self, x: Any, h: Any) -> dict[str, Any]:
        return dict(h=tanh(self.gate(x, h) + self.peephole * h))


class Dropped(Peephole):
    keep = Mask(0.5)

    def step(self, x: Any, h: Any, keep: Any) -> dict[str, Any]:
        return dict(h=tanh(self.gate(x, h * keep) + self.peephole * h))


X = torch.randn(5, 3, 4)

WAYS: dict[str, Callable[[Any], object]] = {
    "plain": lambda layer: layer(X),
    "packed": lambda layer: layer(nn.utils.rnn.pack_sequence([X[:, 0], X[:3, 1]])),
    "lengths": lambda layer: layer(X, lengths=torch.tensor([5, 4, 2])),
    "evaluation": lambda layer: torch.no_grad()(layer)(X),
    "stream": lambda layer: layer.stream(3)(X[0]),
    "compiled": lambda layer: torch.ops.sluice.run(*operator_inputs(layer), "float32"),
}


def operator_inputs(layer: Any) -> OperatorInputs:
    parameters = list(layer.parameters())
    states = [torch.zeros(3, 6) for _ in layer.cell.graph.states]
    masks = [torch.ones(1, 1, 1) for _ in layer.cell.graph.masks]
    return OperatorInputs(
        layer.cell.text, [4, 6, 0], X, states, parameters, masks, None, None, [], False
    )


def transpose(weight: Tensor) -> nn.Parameter:
    return nn.Parameter(weight.detach().t().contiguous())


@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize("way", sorted(WAYS))
@pytest.mark.parametrize("cell", [sluice.cells.LSTM, Peephole, Dropped])
def test_a_weight_that_lies_across_is_refused(
    cell: type[Cell], way: str, backend: str | None
) -> None:
    layer = Recurrent(cell, 4, 6)
    layer.backend = backend
    WAYS[way](layer)  # a plan may be kept
    layer.weight_ih_l0 = transpose(layer.weight_ih_l0)
    with pytest.raises(RuntimeError, match=r"'weight_ih' must have shape \((24|6), 4\), got \(4, "):
        WAYS[way](layer)


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_vector_that_is_a_matrix_is_refused(way: str) -> None:
    layer = Recurrent(Peephole, 4, 6)
    layer.peephole_l0 = nn.Parameter(torch.zeros(6, 1))
    with pytest.raises(RuntimeError, match=r"'peephole' must have shape \(6,\), got \(6, 1\)"):
        WAYS[way](layer)


def test_a_one_step_cell_and_a_layer_of_torchs_kind() -> None:
    cell = LSTMCell(4, 6)
    cell(X[0])
    cell.weight_hh = transpose(cell.weight_hh)
    with pytest.raises(RuntimeError):
        cell(X[0])
    layer = LSTM(4, 6)
    layer(X)
    layer.weight_hh_l0 = transpose(layer.weight_hh_l0)
    with pytest.raises(RuntimeError, match=r"'weight_hh' must have shape \(24, 6\)"):
        layer(X)


def test_the_operator_refuses_what_its_program_was_not_made_for() -> None:
    layer = Recurrent(Dropped, 4, 6)
    good = operator_inputs(layer)
    run(good, "float32")
    for changes in (
        dict(x=X.transpose(0, 2).contiguous()),
        dict(states=[torch.zeros(6, 3)]),
        dict(states=[]),
        dict(masks=[torch.ones(2, 1, 1)]),
        dict(masks=[]),
        dict(restart=[torch.zeros(6, 1)]),
        dict(lengths=torch.tensor([5, 5])),
        dict(resets=torch.zeros(3, 5, dtype=torch.bool)),
        dict(parameters=good.parameters[1:]),
    ):
        with pytest.raises(RuntimeError, match=r"must have shape|expected"):
            run(good._replace(**changes), "float32")  # type: ignore[arg-type]


def test_streams_refuse_integers() -> None:
    layer = Recurrent(Peephole, 4, 6)
    layer.weight_hh_l0 = nn.Parameter(torch.zeros(6, 6, dtype=torch.int32), requires_grad=False)
    with pytest.raises(RuntimeError):
        layer.stream(1)(X[0, :1])
