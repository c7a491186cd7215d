"""Compiled code lives as long as something that may run it, and no longer."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import sluice
from sluice.cells import Cell, Gate
from sluice.equations.specs import Sizes
from sluice.run.kernels.compiled_cell import compile_cell
from sluice.run.kernels.stepper import LayerWeights, PackedLayers, Stepper

ONE = """
import sys, torch
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from run.kernels.test_compiled_cell import make_layer

def measure_resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

def use(first, last):
    for number in range(first, last):
        layer = make_layer(1 + number / 1024)
        layer(torch.randn(5, 2, 4))[0].sum().backward()

use(0, 70)
before = measure_resident()
use(70, 190)
print((measure_resident() - before) / 120)
"""


class Scaled(Cell):
    """An own cell with a constant among its equations: another graph for each."""

    gate = Gate()

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def step(self, x: Any, h: Any) -> dict[str, Any]:
        return {"h": sluice.tanh(self.gate(x, h)) * self.scale}


def make_layer(scale: float) -> Any:
    return sluice.nn.Recurrent(Scaled(scale), 4, 8)


def find_code(scale: float) -> weakref.ref[Any]:
    """The compiled bodies of a layer, without holding them."""
    sizes = Sizes(4, 8, 8)
    return weakref.ref(compile_cell(Scaled(scale).graph, sizes, True, torch.float32).bodies)


@pytest.fixture
def without_garbage_collector() -> Iterator[None]:
    """Only references free anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def differentiate(layer: Any, x: Tensor) -> list[Tensor]:
    layer(x)[0].square().sum().backward()
    return [parameter.grad for parameter in layer.parameters()]


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_does_not_grow_with_the_cells_it_has_dropped() -> None:
    tests = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", ONE, tests]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    assert float(done.stdout) < 50_000, done.stdout  # before they were freed: 2,400,000


@pytest.mark.usefixtures("without_garbage_collector")
def test_code_goes_with_the_last_layer_and_is_made_again() -> None:
    x = torch.randn(6, 3, 4)
    layer, other = make_layer(2.5), make_layer(2.5)
    other.load_state_dict(layer.state_dict())
    expected = differentiate(layer, x)
    code = find_code(2.5)
    assert all(map(torch.equal, differentiate(other, x), expected))
    assert find_code(2.5)() is code() is not None
    weights = {name: value.clone() for name, value in layer.state_dict().items()}
    del layer
    assert code() is not None
    del other
    assert code() is None
    again = make_layer(2.5)
    again.load_state_dict(weights)
    assert all(map(torch.equal, differentiate(again, x), expected))


@pytest.mark.usefixtures("without_garbage_collector")
def test_a_pending_backward_pass_keeps_its_code() -> None:
    layer = make_layer(2.75)
    parameters, x = list(layer.parameters()), torch.randn(6, 3, 4)
    expected = [g.clone() for g in differentiate(layer, x)]
    layer.zero_grad()
    loss = layer(x)[0].square().sum()
    code = find_code(2.75)
    del layer
    assert code() is not None
    loss.backward()
    assert all(map(torch.equal, [p.grad for p in parameters], expected))
    del loss
    assert code() is None


@pytest.mark.usefixtures("without_garbage_collector")
def test_a_packed_stack_of_streams_keeps_its_code() -> None:
    layer = make_layer(3.25).eval()
    x = torch.randn(1, 4)
    with torch.no_grad():
        expected = layer(x[None])[0][0]
    weights = tuple(parameter.detach() for parameter in layer.parameters())
    packed = PackedLayers([LayerWeights(layer.cell.graph, Sizes(4, 8, 8), weights)], "float32")
    stepper = Stepper(packed, 1)
    code = find_code(3.25)
    del layer
    assert code() is not None
    y = torch.empty(1, 8)
    stepper.step(x.data_ptr(), y.data_ptr())
    assert torch.equal(y, expected)
    del stepper, packed
    assert code() is None
