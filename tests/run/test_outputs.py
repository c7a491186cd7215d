"""What a layer gives out: a value that is no state, a later state, several side by side."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import sluice
from sampling import thin_out
from sluice import Cell, Gate, Map, State, sigmoid, tanh
from sluice.cells import zoneout
from sluice.cells.from_text import TracedCell
from sluice.equations import EquationError
from sluice.nn import Recurrent


class Readout(Cell):
    """Gives out a map of its state, which is no state itself."""

    gate, candidate, read = Gate(), Gate(), Map(width=3)
    output = "y"

    def step(self, x: Any, h: Any) -> Any:
        k = sigmoid(self.gate(x, h))
        h = k * h + (1 - k) * tanh(self.candidate(x, h))
        return dict(h=h, y=tanh(self.read(h)), gate=k)


class Pair(Cell):
    """Gives out its second state, of another width, and a gate's activation beside it."""

    gate, first = Gate(), Gate()
    second = Map(width="slots")
    m = State(width="slots", initial=0.3)
    sizes = {"slots": 5}  # noqa: RUF012 - as users write it
    output = ("m", "gate")

    def step(self, x: Any, h: Any, m: Any) -> Any:
        k = sigmoid(self.gate(x, h))
        h = k * tanh(self.first(x, h))
        return dict(h=h, m=0.5 * m + self.second(h), gate=k)


class Last(Pair):
    """Gives out its second state alone."""

    output = "m"


def run_loop(
    layer: Recurrent, suffix: str, x: Tensor, lengths: Tensor, resets: Tensor, reverse: bool
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """One layer in one direction: the output and the final states, with lengths and resets."""
    p = {n.removesuffix(suffix): v for n, v in layer.named_parameters() if n.endswith(suffix)}
    is_pair, units = isinstance(layer.cell, Pair), layer.hidden_sizes[0]
    slots = len(p["bias_second"]) if is_pair else 0
    fresh = [torch.zeros(units, dtype=x.dtype)]
    fresh += [torch.full((slots,), 0.3, dtype=x.dtype)] if is_pair else []
    rows, finals = [], []
    for b in range(x.shape[1]):
        count, states, found = int(lengths[b]), fresh, {}
        for t in reversed(range(count)) if reverse else range(count):
            behind = t + 1 if reverse else t
            if behind < count and resets[behind, b]:
                states = fresh
            h, *rest = states
            a = p["weight_ih"] @ x[t, b] + p["bias_ih"] + p["weight_hh"] @ h + p["bias_hh"]
            k, g = a[:units].sigmoid(), a[units:].tanh()
            if is_pair:
                h = k * g
                m = 0.5 * rest[0] + p["weight_second"] @ h + p["bias_second"]
                states, named = [h, m], {"m": m, "gate": k}
            else:
                h = k * h + (1 - k) * g
                y = torch.tanh(p["weight_read"] @ h + p["bias_read"])
                states, named = [h], {"y": y}
            found[t] = torch.cat([named[name] for name in layer.cell.graph.output])
        width = sum(map(layer.sizes[0].of, layer.cell.graph.output_widths))
        nothing = torch.zeros(width, dtype=x.dtype)
        rows.append(torch.stack([found.get(t, nothing) for t in range(x.shape[0])]))
        finals.append(states)
    return torch.stack(rows, 1), tuple(torch.stack(s) for s in zip(*finals, strict=True))


@pytest.mark.parametrize("backend", ["fused", "reference", "recompute"])
@pytest.mark.parametrize("cell", [Readout, Pair, Last])
def test_outputs_of_two_layers_and_directions(cell: type[Cell], backend: str) -> None:
    torch.manual_seed(3)
    sizes = {"slots": 4} if cell is not Readout else None
    recompute = 2 if backend == "recompute" else None
    layer = Recurrent(
        cell, 3, 6, num_layers=2, bidirectional=True, sizes=sizes, recompute=recompute
    ).double()
    layer.backend = "reference" if backend == "reference" else None
    width = {Readout: 3, Pair: 10, Last: 4}[cell]
    assert layer.output_features == 2 * width
    assert layer.weight_ih_l1.shape == (12, 2 * width)
    x = torch.randn(5, 4, 3, dtype=torch.float64, requires_grad=True)
    lengths, resets = torch.tensor([5, 2, 0, 3]), torch.rand(5, 4) < 0.3
    y, last = layer(x, lengths=lengths, resets=resets)
    expected, finals = x, list[tuple[Tensor, ...]]()
    for number in range(2):
        parts = []
        for suffix in (f"_l{number}", f"_l{number}_reverse"):
            reverse = suffix.endswith("reverse")
            part, ends = run_loop(layer, suffix, expected, lengths, resets, reverse)
            parts.append(part)
            finals.append(ends)
        expected = torch.cat(parts, -1)
    wanted, upstream = [x, *layer.parameters()], torch.randn_like(y)
    columns = (last,) if isinstance(last, Tensor) else last
    theirs_last = [torch.stack(column) for column in zip(*finals, strict=True)]
    into = [torch.randn_like(column) for column in columns]
    mine = torch.autograd.grad((y, *columns), wanted, (upstream, *into))
    theirs = torch.autograd.grad((expected, *theirs_last), wanted, (upstream, *into))
    pairs = zip((y, *columns, *mine), (expected, *theirs_last, *theirs), strict=True)
    for found, right in pairs:
        torch.testing.assert_close(found, right, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("hidden", thin_out([1, 16, 35], 3, 2))
@pytest.mark.parametrize("cell", [Readout, Pair, Last])
def test_all_ways_of_running_agree(cell: type[Cell], hidden: int) -> None:
    sizes = {"slots": 17} if cell is not Readout else None
    layer = Recurrent(cell, 2, hidden, num_layers=2, sizes=sizes).eval()
    x = torch.randn(6, 3, 2)
    y, _ = layer(x)
    stream = layer.stream(3)
    assert torch.equal(torch.stack([stream(row) for row in x]), y)
    torch._dynamo.reset()
    assert torch.equal(torch.compile(layer, fullgraph=True, backend="aot_eager")(x)[0], y)
    assert torch.equal(torch.export.export(layer, (x,)).module()(x)[0], y)
    assert torch.equal(layer(x[:, :1])[0], y[:, :1])
    layer.backend = "reference"
    torch.testing.assert_close(layer(x)[0], y, rtol=1e-5, atol=1e-6)
    stream = layer.stream(3)
    torch.testing.assert_close(torch.stack([stream(row) for row in x]), y, rtol=1e-5, atol=1e-6)
    layer.backend, layer.precision = None, "bfloat16"
    assert (layer(x)[0] - y).abs().max() < 0.05
    layer.precision = "int8"
    stream = layer.stream(3)
    assert torch.equal(torch.stack([stream(row) for row in x]), layer(x)[0])


@pytest.mark.parametrize("threads", [1, 2])
def test_many_threads_share_the_units_of_outputs(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        torch.manual_seed(0)
        layer = Recurrent(Pair, 64, 256, sizes={"slots": 80})
        x = torch.randn(9, 1, 64, requires_grad=True)
        y, _ = layer(x)
        upstream = torch.randn_like(y)
        mine = torch.autograd.grad(y, [x, *layer.parameters()], upstream)
        with torch.no_grad():
            stream = layer.stream()
            assert torch.equal(torch.stack([stream(row) for row in x]), y)
        layer.backend = "reference"
        other, _ = layer(x)
        theirs = torch.autograd.grad(other, [x, *layer.parameters()], upstream)
        for found, right in zip((y, *mine), (other, *theirs), strict=True):
            torch.testing.assert_close(found, right, rtol=1e-3, atol=1e-4)
    finally:
        torch.set_num_threads(before)


def test_recordings_hold_what_is_given_out() -> None:
    layer = Recurrent(Pair, 2, 16, sizes={"slots": 16}).double()
    x = torch.randn(4, 2, 2, dtype=torch.float64)
    plain, _ = layer(x)
    with sluice.record(layer) as tape:
        y, _ = layer(x)
        y.square().sum().backward()
    place = tape[""].layers["l0"]
    assert torch.equal(y, plain)
    assert torch.equal(torch.cat([place["m"], place["gate"]], -1), y)
    fused = place.gradient["gate"]
    layer.backend = "reference"
    with sluice.record(layer) as tape:
        layer(x)[0].square().sum().backward()
    torch.testing.assert_close(fused, tape[""].layers["l0"].gradient["gate"])


def test_transforms_and_texts_keep_the_choice() -> None:
    cell = zoneout(Pair, h=0.1)
    assert cell.graph.output == ("m", "gate")
    assert TracedCell(cell.text).graph == cell.graph
    assert "gives" not in sluice.cells.LSTM().text


@pytest.mark.parametrize(
    ("names", "message"),
    [("z", "'z', which step does not return; it returns h, y"), (("h", "h"), "'h' twice")],
)
def test_unknown_output_is_refused(names: Any, message: str) -> None:
    class Other(Readout):
        output = names

    with pytest.raises(EquationError, match=message):
        _ = Other().graph
