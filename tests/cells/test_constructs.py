"""One cell for each row of the documentation's table of constructs, in all that a layer does."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import sluice
from cell_list import SoftStep
from run.kernels.row_cells import DeltaRule
from sluice import Cell, Constant, Gate, Map, Norm, State, Vector, sigmoid, tanh
from sluice.cells import Input, Mask, Noise, PeepholeLSTM, layer_norm, recurrent_dropout
from sluice.cells.from_text import TracedCell
from sluice.render import format_equations

X, H, T, B = 3, 5, 4, 3


class Counted(Cell):
    """Counts, a list and a dictionary of parts."""

    late, noise = State(count=2, initial=0.5), Mask(0.25, count=2)
    gates, maps, norm = (Gate(), Gate()), Map(count=2), Norm(count=1)

    def __init__(self) -> None:
        self.more = {"a": Vector(), "b": Vector(initial=0.5)}

    def step(self, x: Any, h: Any, late: Any, noise: Any) -> Any:
        a, b = (gate(x, h) for gate in self.gates)
        h = tanh(a * self.more["a"] + self.maps[0](late[0])) * noise[0] + self.more["b"] * h
        return dict(h=h, late=[self.norm[0](self.maps[1](b)), late[1] * noise[1] + h], seen=[a])


class Given(Cell):
    """An input beside x, noise, a state of a width of its own, a map of two widths."""

    since, jitter, slots = Input(width="hidden"), Noise(std=0.1), State(width=4, initial=0.1)
    keep, write, read = Gate(), Map(width=4), Map(heads=1)

    def step(self, x: Any, h: Any, slots: Any, jitter: Any, *, since: Any) -> Any:
        k = sigmoid(self.keep(x, h) - since)
        slots = 0.5 * slots + tanh(self.write(x))
        return dict(h=k * h + (1.0 - k) * tanh(self.read(slots)) + jitter, slots=slots, keep=k)


class Fixed(Cell):
    """A memory that a fixed matrix turns and a fixed vector lets fade; it is given out as well."""

    write, turn = Map(width=4), Constant([[0.0, 1, 0, 0], [-1, 0, 0, 0], [0] * 4, [0] * 4], 4, of=4)
    fade, read = Constant([0.9, 0.5, 0.25, 0.0], width=4), Gate()
    memory, back = State(width=4), Map(bias=False)
    output = ("h", "memory")

    def step(self, x: Any, h: Any, memory: Any) -> Any:
        memory = self.fade * self.turn(memory) + self.write(x)
        return dict(h=tanh(self.read(x, h) + self.back(memory)), memory=memory)


class Mapped(Cell):
    """A recurrence of maps alone."""

    own, of_x = Map(), Map()

    def step(self, x: Any, h: Any) -> Any:
        return dict(h=tanh(self.own(h) + self.of_x(x)))


ROWS: dict[str, tuple[str, ...]] = {
    "counted": ("Gate", "Map", "Vector", "Norm", "State", "Mask"),
    "given": ("Input", "Noise", "State", "Map"),
    "fixed": ("Constant", "State", "Map"),
    "whole rows": ("Scalar", "Gate"),
    "matrix state": ("State", "Map"),
    "gate names": ("forget_gate_name",),
    "normed maps": ("Map",),
    "dropped maps": ("Map", "Mask"),
}
"""The rows that each cell below stands for."""
CELLS: dict[str, Callable[[], Cell]] = {
    "counted": Counted,
    "given": Given,
    "fixed": Fixed,
    "whole rows": SoftStep,
    "matrix state": DeltaRule,
    "gate names": PeepholeLSTM,
    "normed maps": lambda: layer_norm(Mapped),
    "dropped maps": lambda: recurrent_dropout(Mapped, 0.3),
}


def test_every_row_of_the_table_has_a_cell() -> None:
    page = (Path(__file__).parents[2] / "docs/cells.md").read_text(encoding="utf-8")
    table = page.split("## What a definition may contain")[1].split("Operations:")[0]
    rows = set(re.findall(r"^\| `(\w+)", table, re.MULTILINE))
    assert rows - {name for names in ROWS.values() for name in names} == set()


def call(layer: Any, x: torch.Tensor, **options: Any) -> tuple[torch.Tensor, ...]:
    """Output and gradients, of x and of the parameters, for a fixed upstream and seed."""
    x = x.clone().requires_grad_()
    torch.manual_seed(4)
    y, last = layer(x, **options)
    ends = [last] if isinstance(last, torch.Tensor) else list(last)
    generator = torch.Generator().manual_seed(5)
    outputs = [y, *ends]
    upstream = [torch.randn(o.shape, generator=generator, dtype=o.dtype) for o in outputs]
    wanted = [x, *layer.parameters()]
    return (*outputs, *torch.autograd.grad(outputs, wanted, upstream, materialize_grads=True))


@pytest.mark.parametrize("name", CELLS)
def test_a_construct_in_layers(name: str) -> None:
    """Kernels as the reference: lengths, resets, both directions, two layers, recompute."""
    layer = sluice.nn.Recurrent(
        CELLS[name](), X, H, num_layers=2, bidirectional=True, dtype=torch.float64
    )
    x = torch.randn(T, B, X, dtype=torch.float64)
    options: dict[str, Any] = {"lengths": torch.tensor([4, 3, 1])}
    options["resets"] = torch.rand(T, B) < 0.3
    if name == "given":
        options["since"] = torch.rand(T, B, H, dtype=torch.float64)
    layer.backend = "reference"
    expected = call(layer, x, **options)
    layer.backend = "fused"
    for recompute in (None, 2):
        layer.recompute = recompute
        for mine, theirs in zip(call(layer, x, **options), expected, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", CELLS)
def test_a_construct_elsewhere(name: str, tmp_path: Path) -> None:
    """Streams, recordings, texts, state dictionaries and equations."""
    cell = CELLS[name]()
    layer = sluice.nn.Recurrent(cell, X, H).eval()
    x, options = torch.randn(T, B, X), dict[str, Any]()
    if name == "given":
        options["since"] = torch.rand(T, B, H)
    with torch.no_grad():
        y, _ = layer(x, **options)
        with sluice.record(layer) as tape:
            assert torch.equal(layer(x, **options)[0], y)
        assert set(tape[""].layers["l0"]) >= set(cell.graph.outputs_by_name)
        stream = layer.stream(batch_size=B)
        steps = [stream(x[t], **{k: v[t] for k, v in options.items()}) for t in range(T)]
        torch.testing.assert_close(torch.stack(steps), y, rtol=1e-5, atol=1e-6)
        again = sluice.nn.Recurrent(TracedCell(cell.text), X, H, sizes=cell.sizes).eval()
        again.load_state_dict(layer.state_dict())
        assert torch.equal(again(x, **options)[0], y)
    lines = format_equations(cell.graph)
    assert "x_{t}" in lines.latex() and len(lines.plain().splitlines()) >= len(cell.graph.outputs)
