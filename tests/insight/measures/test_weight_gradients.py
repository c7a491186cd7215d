"""Contributions to the weights' gradients: they add up to autograd's, cell by cell."""

from __future__ import annotations

import pytest
import torch

import sluice
from cell_list import CELLS
from sampling import thin_out
from sluice import insight
from sluice.cells.cell import Cell


class Tied(Cell):
    """A weight that is read twice in a step."""

    gate = sluice.Gate()
    mix = sluice.Map(bias=False)

    def step(self, x: object, h: object) -> dict[str, object]:
        first = sluice.tanh(self.gate(x, h))
        return dict(h=self.mix(first) + sluice.tanh(self.mix(h)), first=first)


@pytest.mark.parametrize("backend", [None, "reference"])
@pytest.mark.parametrize("name", thin_out([*CELLS, "tied"], 3))
def test_they_sum_to_autograds_gradient(name: str, backend: str | None) -> None:
    cell = Tied() if name == "tied" else CELLS[name]()
    size = 2 if any(s.width == "projection" for s in cell.graph.states) else 0
    layer = sluice.nn.Recurrent(cell, 3, 4, proj_size=size, bidirectional=True).double()
    layer.backend = backend
    x, weight = torch.randn(6, 3, 3).double(), torch.randn(6, 3, 2 * (size or 4)).double()
    with sluice.record(layer, maps=True) as tape:
        y, _ = layer(x, lengths=torch.tensor([6, 0, 4]))
        (y * weight).square().sum().backward()
    for reverse in (False, True):
        found = insight.step_weight_gradients(tape, reverse=reverse, steps=range(6))
        graph, sizes, seen = cell.graph, layer.sizes[0], 0
        for stack in graph.stacks:
            for gate, (start, count) in stack.row_ranges(sizes).items():
                of_bias = stack.bias_ranges(sizes) if stack.bias else {}
                for kind in ("weight", "bias")[: 1 + (gate in of_bias)]:
                    first = start if kind == "weight" else of_bias[gate][0]
                    key = f"{kind}_{stack.name}.{gate}"
                    suffix = "_l0_reverse" if reverse else "_l0"
                    whole = getattr(layer, f"{kind}_{stack.name}{suffix}").grad
                    torch.testing.assert_close(
                        found.contributions[key].sum(0),
                        whole[first : first + count],
                        atol=1e-12,
                        rtol=1e-9,
                    )
                    torch.testing.assert_close(
                        found.norms[key], found.contributions[key].flatten(1).norm(dim=1)
                    )
                    seen += 1
        assert seen == len(found.contributions) == len(found.norms)


def test_both_norm_algorithms_and_a_layer_without_biases() -> None:
    layer, found = sluice.nn.GRU(30, 40, num_layers=2, bias=False), []
    for batch in (2, 64):  # inner products, and the matrix itself
        with sluice.record(layer, maps=True) as tape:
            layer(torch.randn(5, batch, 30))[0].square().sum().backward()
        part = insight.step_weight_gradients(tape[""], layer=1, steps=[0, -1])
        assert sorted(part.norms) == sorted(
            f"weight_{s}.{g}" for s in ("ih", "hh") for g in ("reset", "update", "candidate")
        )
        for name, whole in part.contributions.items():
            norm = whole.double().flatten(1).norm(dim=1)
            torch.testing.assert_close(part.norms[name][[0, -1]], norm, rtol=1e-5, atol=1e-9)
        found.append(part)
    assert insight.step_weight_gradients(tape.layer(0)).contributions == {}


def test_missing_gradients_are_reported() -> None:
    layer, x = sluice.nn.LSTM(3, 4), torch.randn(5, 2, 3)
    model = torch.nn.ModuleDict({"a": layer, "b": sluice.nn.GRU(3, 4)})
    with sluice.record(layer) as tape, pytest.raises(ValueError, match=r"record\(model, maps=True"):
        layer(x)
        insight.step_weight_gradients(tape)
    with sluice.record(model, maps=True) as tape:
        layer(x)
        with pytest.raises(RuntimeError, match=r"call backward\(\)"):
            insight.step_weight_gradients(tape, "a")
        with pytest.raises(ValueError, match="choose one of a, b"):
            insight.step_weight_gradients(tape)
        with pytest.raises(KeyError, match="the model has no recurrent layer 'c'"):
            insight.step_weight_gradients(tape, "c")
        layer(x)[0].sum().backward()
        with pytest.raises(IndexError, match="step must be from 0 to 4, got 5"):
            insight.step_weight_gradients(tape, "a", steps=[5])
        with pytest.raises(IndexError, match="no l1"):
            insight.step_weight_gradients(tape, "a", layer=1)
    stream = layer.stream(2)
    with sluice.record(stream, maps=True) as tape:
        stream(x[0])
    with pytest.raises(RuntimeError, match="a stream has no gradients"):
        insight.step_weight_gradients(tape)
