"""bfloat16 and int8: their error against float64, and that autocast is equivalent."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import cell_list
import sluice
from cells.test_elementwise_recurrences import LRU, RWKV4
from sampling import thin_out
from sluice.cells import LSTM
from sluice.run.kernels import extension

CELLS = {
    **cell_list.CELLS,
    "other-activations": lambda: LSTM(
        "gelu", "hard_sigmoid", cell_activation="sin", clip=3.0, cell_clip=2.0
    ),
    "lru": LRU,
    "rwkv": RWKV4,
}

BOUND = {"float32": 1e-5, "bfloat16": 1e-2, "int8": 2e-2}
# Cells that amplify any rounding over many steps in any implementation: without a gate that
# forgets, or with norms that make an untrained cell chaotic. They are held to fewer steps.
STEPS = {
    "lstm-1997": 30,
    "layer-norm-lstm": 5,
    "layer-norm-lstm-by-gate": 5,
    "layer-norm-two-stages": 5,
    "layer-norm-gru": 100,
    "layer-norm-elman": 100,
    "other-activations": 100,
    "lru": 100,
    "rwkv": 60,
}


def make_layer(name: str, inputs: int = 96, hidden: int = 128) -> Any:
    cell = CELLS[name]()
    projected = any(state.width == "projection" for state in cell.graph.states)
    torch.manual_seed(0)
    return sluice.nn.Recurrent(cell, inputs, hidden, proj_size=hidden // 2 if projected else 0)


def relative_error(found: Tensor, exact: Tensor) -> float:
    """The root mean square of the error over that of the values."""
    difference = (found.double() - exact).pow(2).mean() / exact.pow(2).mean()
    return difference.sqrt().item()


@pytest.mark.parametrize("name", thin_out(CELLS, 6, 1))
def test_outputs_are_within_the_bounds(name: str) -> None:
    layer, x = make_layer(name).eval(), torch.randn(STEPS.get(name, 1000), 3, 96)
    with torch.no_grad():
        layer.double().backend = "reference"
        exact = layer(x.double())[0]
        layer.float().backend = None
        for precision, bound in BOUND.items():
            layer.precision = precision
            assert layer.resolved_backend.name == "fused"
            y = layer(x)[0]
            assert y.dtype is torch.float32
            assert relative_error(y, exact) < bound, precision


@pytest.mark.parametrize("name", thin_out(CELLS, 3, 2))
def test_gradients_in_bfloat16_are_those_of_float64(name: str) -> None:
    layer = make_layer(name, 20, 48).eval()
    x, upstream = torch.randn(STEPS.get(name, 60), 5, 20), torch.randn(1)
    gradients = {}
    for precision, dtype in (("float32", torch.float64), ("bfloat16", torch.float32)):
        layer.to(dtype).precision = precision
        inputs = x.to(dtype).requires_grad_()
        y, last = layer(inputs)
        last = last if isinstance(last, tuple) else (last,)
        upstream = torch.linspace(-1, 1.5, y.numel(), dtype=dtype).reshape(y.shape)
        loss = (y * upstream).sum() + sum((k + 1) * s.sum() for k, s in enumerate(last))
        wanted = [inputs, *layer.parameters()]
        found = torch.autograd.grad(loss, wanted, allow_unused=True)
        gradients[precision] = [g for g in found if g is not None]
    for found, exact in zip(gradients["bfloat16"], gradients["float32"], strict=True):
        assert relative_error(found, exact) < 4e-2 if exact.any() else not found.any()


@pytest.mark.parametrize("name", ["lstm", "gru", "gru-reset-before", "peephole"])
def test_bfloat16_gradients_are_the_same_where_threads_share_units(name: str) -> None:
    layer, x = make_layer(name, 40, 256), torch.randn(6, 1, 40, requires_grad=True)
    layer.precision = "bfloat16"
    found = []
    try:
        for count in (1, 2, 3):
            extension.set_num_threads(count)
            y, last = layer(x)
            loss = (y * torch.linspace(-1, 1.5, y.numel()).reshape(y.shape)).sum()
            loss = loss + sum(s.square().sum() for s in (last if type(last) is tuple else (last,)))
            found.append(torch.autograd.grad(loss, [x, *layer.parameters()]))
    finally:
        extension.set_num_threads(torch.get_num_threads())
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))
        assert all(a.any() for a in other)


def test_int8_takes_outliers_and_rows_of_zeros() -> None:
    layer = sluice.nn.GRU(40, 50).eval()
    with torch.no_grad():
        layer.weight_ih_l0[3] = 0
        layer.weight_hh_l0[5] *= 5
        x = torch.randn(20, 4, 40)
        x[:, 1] *= 300
        x[4:6, 2] = 0
        exact = layer(x)[0]
        layer.precision = "int8"
        found = layer(x)[0]
        assert relative_error(found[:, [0, 2, 3]], exact[:, [0, 2, 3]].double()) < 2e-2
        assert found.isfinite().all()
        x[7, 3, 1] = float("nan")
        y = layer(x)[0]
    assert torch.equal(y[:, :3], found[:, :3]) and y[7:, 3].isnan().any(1).all()
    assert torch.equal(y[:7, 3], found[:7, 3])


def test_int8_is_for_evaluation() -> None:
    layer = sluice.nn.LSTM(3, 16)
    layer.precision = "int8"
    with pytest.raises(RuntimeError, match="eval"):
        layer(torch.randn(2, 1, 3))
    x = torch.randn(2, 1, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="int8"):
        layer.eval()(x)[0].sum().backward()
    with pytest.raises(ValueError, match="float32, bfloat16, int8"):
        layer.precision = "float16"


@pytest.mark.parametrize("name", ["lstm", "gru", "layer-norm-gru"])
def test_autocast_runs_the_kernels_in_bfloat16(name: str) -> None:
    layer, x = make_layer(name, 8, 32), torch.randn(7, 2, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(x)[0]
    layer.precision = "bfloat16"
    expected_y = layer(x.bfloat16().float())[0]
    assert y.dtype is torch.bfloat16
    # Autocast rounds the parameters too, biases included.
    assert relative_error(y.float(), expected_y.double()) < 1e-2


def test_bfloat16_learns_as_float32_does() -> None:
    """A task with memory: recall the first symbol at the end."""
    ends = {}
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(3)
        layer, head = sluice.nn.LSTM(4, 32), torch.nn.Linear(32, 4)
        layer.precision = precision
        optimiser = torch.optim.Adam([*layer.parameters(), *head.parameters()], 2e-2)
        for _ in range(200):
            first = torch.randint(4, (32,))
            x = torch.randn(8, 32, 4) * 0.1
            x[0] += torch.nn.functional.one_hot(first, 4)
            loss = torch.nn.functional.cross_entropy(head(layer(x)[0][-1]), first)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        ends[precision] = loss.item()
    assert ends["float32"] < 0.05 and ends["bfloat16"] < 0.05, ends
