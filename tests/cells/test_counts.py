"""Several parts under one name, with cells of the literature whose depth is an option."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import sluice
from cells.plain_loops import assert_is_loop
from sluice import Cell, EquationError, Gate, Map, State, Vector, sigmoid, tanh
from sluice.cells import Mask, Norm, layer_norm, recurrent_dropout, zoneout
from sluice.cells.from_text import TracedCell

X, H, T, B = 3, 5, 7, 2
Parameters = dict[str, Tensor]


class Highway(Cell):
    """Zilly et al. 2017, equations 7 to 9: a recurrent highway network, c = 1 - t."""

    first, first_gate = Gate(), Gate()
    deeper, deeper_gate = Map(count="more"), Map(count="more")

    def __init__(self, depth: int) -> None:
        self.more = depth - 1

    def step(self, x: Any, s: Any) -> Any:
        keep = []
        for k in range(self.more + 1):
            if k == 0:
                h, t = tanh(self.first(x, s)), sigmoid(self.first_gate(x, s))
            else:
                h, t = tanh(self.deeper[k - 1](s)), sigmoid(self.deeper_gate[k - 1](s))
            s = h * t + s * (1.0 - t)
            keep.append(t)
        return dict(s=s, keep=keep)


def highway(p: Parameters, xs: Tensor, depth: int) -> Tensor:
    s, found = xs.new_zeros(B, H), []
    for x in xs:
        pre = x @ p["weight_ih_l0"].T + p["bias_ih_l0"]
        pre = pre + s @ p["weight_hh_l0"].T + p["bias_hh_l0"]
        for k in range(depth):
            if k:
                names = (f"deeper_{k - 1}_l0", f"deeper_gate_{k - 1}_l0")
                h, t = (s @ p[f"weight_{n}"].T + p[f"bias_{n}"] for n in names)
            else:
                h, t = pre.chunk(2, -1)
            t = t.sigmoid()
            s = h.tanh() * t + s * (1 - t)
        found.append(s)
    return torch.stack(found)


class Dilated(Cell):
    """Chang et al. 2017, section 2.1: the state of d steps ago, through a line of delays."""

    delayed = State(count="dilation", initial=0.25)
    gate = Gate()

    def __init__(self, dilation: int) -> None:
        self.dilation = dilation

    def step(self, x: Any, delayed: Any) -> Any:
        return dict(delayed=[tanh(self.gate(x, delayed[-1])), *delayed[:-1]])


def dilated(p: Parameters, xs: Tensor, dilation: int) -> Tensor:
    found = [xs.new_full((B, H), 0.25)] * dilation
    for x in xs:
        pre = x @ p["weight_ih_l0"].T + p["bias_ih_l0"]
        pre = pre + found[-dilation] @ p["weight_hh_l0"].T + p["bias_hh_l0"]
        found.append(pre.tanh())
    return torch.stack(found[dilation:])


class FastSlow(Cell):
    """Mujika et al. 2017, section 3: fast cells in sequence, a slow one after the first."""

    first, slow_in, fast = Gate(), Map(), Map(count=2)
    slow, back = Map(), Map()
    scale = Vector(count=2, initial=0.7)

    def step(self, x: Any, f: Any, s: Any) -> Any:
        f = tanh(self.first(x, f))
        s = tanh(self.slow(s) + self.slow_in(f))
        f = tanh(self.fast[0](f) * self.scale[0] + self.back(s))
        f = tanh(self.fast[1](f) * self.scale[1])
        return dict(f=f, s=s)


def fast_slow(p: Parameters, xs: Tensor, _: int) -> Tensor:
    def map_of(name: str, value: Tensor) -> Tensor:
        return value @ p[f"weight_{name}_l0"].T + p[f"bias_{name}_l0"]

    f, s, found = xs.new_zeros(B, H), xs.new_zeros(B, H), []
    for x in xs:
        f = (map_of("ih", x) + map_of("hh", f)).tanh()
        s = (map_of("slow", s) + map_of("slow_in", f)).tanh()
        f = (map_of("fast_0", f) * p["scale_0_l0"] + map_of("back", s)).tanh()
        f = (map_of("fast_1", f) * p["scale_1_l0"]).tanh()
        found.append(f)
    return torch.stack(found)


CASES: list[tuple[Callable[[], Cell], Callable[[Parameters, Tensor, int], Tensor], int]] = [
    (lambda: Highway(1), highway, 1),
    (lambda: Highway(4), highway, 4),
    (lambda: Dilated(1), dilated, 1),
    (lambda: Dilated(3), dilated, 3),
    (FastSlow, fast_slow, 2),
]


@pytest.mark.parametrize("backend", ["fused", "reference"])
@pytest.mark.parametrize(("make", "oracle", "depth"), CASES)
def test_cells_of_a_depth_are_their_equations(
    make: Callable[[], Cell], oracle: Any, depth: int, backend: Any
) -> None:
    layer = sluice.nn.Recurrent(make(), X, H, dtype=torch.float64)
    layer.backend = backend
    assert_is_loop(layer, oracle, depth, (T, B), 0.6, 1e-10)


class Everything(Cell):
    """Every kind of part, by count, list and dictionary."""

    late = State(count=2, initial=0.5)
    noise = Mask(0.25, count=2)
    gates = [Gate(), Gate()]  # noqa: RUF012 - as a user writes it
    maps, norm = Map(count=2, parameter="own"), Norm(count=1)

    def __init__(self) -> None:
        self.more = {"a": Vector(), "b": Vector(initial=2.0)}

    def step(self, x: Any, h: Any, late: Any, noise: Any) -> Any:
        a, b = (gate(x, h) for gate in self.gates)
        first, second = late
        h = tanh(a * self.more["a"] + self.maps[0](first)) * noise[0] + self.more["b"]
        return dict(h=h, late=(self.norm[0](self.maps[-1](b)), second * noise[1]), seen=[a + b])


def test_parts_have_names_of_their_own_and_work_in_all_places() -> None:
    cell = Everything()
    graph = cell.graph
    assert [state.name for state in graph.states] == ["h", "late_0", "late_1"]
    assert [mask.name for mask in graph.masks] == ["noise_0", "noise_1"]
    assert [gate for gate, _ in graph.get_stack("ih").gates] == ["gates_0", "gates_1"]
    assert list(graph.outputs_by_name) == ["h", "late_0", "late_1", "seen_0"]
    names = [p.name for p in graph.parameters]
    assert {"weight_own_0", "weight_own_1", "weight_norm_0", "more_a", "more_b"} <= set(names)
    for other in (copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))):
        assert other.graph == graph
    layer = sluice.nn.Recurrent(cell, X, H, bidirectional=True, num_layers=2).eval()
    again = sluice.nn.Recurrent(TracedCell(cell.text), X, H, 2)
    assert again.cell.graph == graph
    with sluice.record(layer) as tape:
        y, last = layer(torch.randn(T, B, X))
    assert y.shape == (T, B, 2 * H) and len(last) == 3 and "late_1" in tape[""].layers["l0"]


def test_a_bound_cell_steps_on_tensors_with_sequences() -> None:
    cell = Everything()
    layer = sluice.nn.Recurrent(cell, X, H, dtype=torch.float64).eval()
    p = {name.removesuffix("_l0"): value for name, value in layer.named_parameters()}
    (sizes,) = layer.sizes
    bound = cell.bind(p, sizes)
    x, h, a, b = torch.randn(T, B, X), *(torch.randn(1, B, H) for _ in range(3))
    x, h, a, b = (value.double() for value in (x, h, a, b))
    y, last = layer(x[:1], (h, a, b))
    one = torch.ones(B, H)
    for stepping in (bound, bound.bind(p, sizes), pickle.loads(pickle.dumps(bound)).bind(p, sizes)):
        found = stepping.step(x[0], h[0], (a[0], b[0]), (one, one))
        torch.testing.assert_close(found["h"], y[0])
        torch.testing.assert_close(found["late"][0], last[1][0])


@pytest.mark.parametrize(
    "transform",
    [
        layer_norm,
        lambda cell: zoneout(cell, late_1=0.3),
        lambda cell: recurrent_dropout(cell, 0.3),
        lambda cell: sluice.cells.clamp_gates(cell, late_0=0.5),
        lambda cell: sluice.cells.clamp_units(cell, "late_0", "seen_0"),
    ],
)
def test_transforms_take_them(transform: Any) -> None:
    layer = sluice.nn.Recurrent(transform(Everything()), X, H)
    x = torch.randn(T, B, X)
    torch.manual_seed(5)
    fused, _ = layer(x)
    layer.backend = "reference"
    torch.manual_seed(5)
    torch.testing.assert_close(fused, layer(x)[0], rtol=1e-5, atol=1e-6)


def test_zoneout_of_a_count_holds_each_state() -> None:
    masks = zoneout(Everything(), late=0.3, h=0.1).graph.masks
    assert [(mask.name, mask.rate) for mask in masks if mask.name.startswith("zoneout")] == [
        ("zoneout_late_0", 0.3),
        ("zoneout_late_1", 0.3),
        ("zoneout_h", 0.1),
    ]


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (-1, "got -1"),
        (True, "got True"),
        (1.5, r"got 1\.5"),
        ("depth", r"got 'depth', which is None"),
        (10**6, "got 1000000"),
    ],
)
def test_counts_are_numbers(count: Any, words: str) -> None:
    class Wrong(Cell):
        gate = Gate(count=count)

        def step(self, x: Any, h: Any) -> Any:
            return dict(h=tanh(self.gate[0](x, h)))

    with pytest.raises(EquationError, match=rf"Wrong: the count of 'gate' must be .*{words}"):
        _ = Wrong().graph


def test_a_count_of_zero_is_an_empty_sequence() -> None:
    assert Highway(1).graph.outputs == Highway(1).graph.outputs
    assert {p.name for p in Highway(1).graph.parameters} == {
        "weight_ih",
        "weight_hh",
        "bias_ih",
        "bias_hh",
    }


def test_a_step_returns_as_many_as_it_takes() -> None:
    class Short(Dilated):
        def step(self, x: Any, delayed: Any) -> Any:
            return dict(delayed=[tanh(self.gate(x, delayed[0]))])

    with pytest.raises(EquationError, match=r"must return 3 values as 'delayed', .* got 1"):
        _ = Short(3).graph


def test_one_name_means_one_part() -> None:
    class Clash(Dilated):
        delayed_0 = Vector()

    with pytest.raises(EquationError, match="a Vector cannot be called 'delayed_0', because a st"):
        _ = Clash(2).graph

    class Twice(Cell):
        gate = Gate()

        def step(self, x: Any, h: Any) -> Any:
            a = tanh(self.gate(x, h))
            return dict(h=a, seen=[a], seen_0=a)

    with pytest.raises(EquationError, match="two values under the name 'seen_0'"):
        _ = Twice().graph

    class Mixed(Cell):
        gates = (Gate(), None)

        def step(self, x: Any, h: Any) -> Any:
            return dict(h=tanh(self.gates[0](x, h)))

    with pytest.raises(EquationError, match="'gates' holds declarations and other values"):
        _ = Mixed().graph
