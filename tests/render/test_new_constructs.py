"""Equations and sketches of every construct: none raises, and each is written as in the field."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from sampling import thin_out
from sluice import (
    Cell,
    Gate,
    Input,
    Map,
    Noise,
    Norm,
    Scalar,
    State,
    Vector,
    clamp,
    cos,
    cumulative_softmax,
    exp,
    floor,
    gelu,
    greater_equal,
    leaky_relu,
    matvec,
    max_units,
    mean_units,
    outer,
    power,
    rms_norm,
    sigmoid,
    silu,
    sin,
    softmax,
    softplus,
    sum_units,
    tanh,
    vecmat,
    where,
)
from sluice.equations import Graph
from sluice.equations.op_table import OPS
from sluice.equations.row_maps import ROW_MAP_OPS
from sluice.render.latex import format_equations, format_operation, format_row_map
from sluice.render.math_text import MathText
from sluice.render.sketch import build_layout, draw_sketch
from sluice.render.typeset import measure_text

Step = dict[str, Any]


class Timed(Cell):
    """Values beside x: a time and a mask; a scalar; Phased LSTM's openness."""

    update, decay = Gate(), Map()
    observed, tau, shift = Input(width="input"), Vector(), Scalar(initial=0.1)

    def step(self, x: Any, h: Any, *, dt: Any, observed: Any) -> Step:
        phase = dt * self.tau - floor(dt * self.tau)
        open_ = where(greater_equal(phase, 0.5), self.shift * phase, 2.0 - 2.0 * phase)
        new = tanh(self.update(x * observed, h)) * exp(-softplus(self.decay(observed)))
        return dict(h=open_ * new + (1 - open_) * h, open=open_)


class Rows(Cell):
    """Reductions over all units, and rearrangements."""

    score, value, scale = Gate(), Gate(), Scalar()

    def step(self, x: Any, h: Any) -> Step:
        a = softmax(self.score(x, h) * self.scale)
        v = rms_norm(self.value(x, h))
        centred = v - mean_units(v)
        return dict(
            h=a * centred + cumulative_softmax(h) * max_units(h), a=a, size=sum_units(h * h)
        )


class Memory(Cell):
    """A matrix as state: written by an outer product, read by a product."""

    key, value, query = Map(width="4"), Map(width="4"), Map(width="4")
    matrix = State(width="16")
    read = Map()

    def step(self, x: Any, h: Any, matrix: Any) -> Step:
        k, v, q = self.key(x), self.value(x), self.query(x)
        matrix = 0.9 * matrix + outer(v - matvec(matrix, k), k)
        return dict(h=self.read(matvec(matrix, q) + vecmat(q, matrix)), matrix=matrix)


class Functions(Cell):
    """Functions of one value, with numbers beside it."""

    a, b, c = Gate(), Gate(), Gate()
    norm, noise = Norm(), Noise(std=0.1)

    def step(self, x: Any, h: Any, noise: Any) -> Step:
        u, v, w = self.a(x, h), self.b(x, h), self.c(x, h)
        turned = sin(u) * cos(v) + power(w, 3.0) + 2.0**v
        bent = silu(u) + gelu(v) + leaky_relu(w, 0.1)
        return dict(
            h=clamp(self.norm(turned + noise), -1.0, 1.0) + sigmoid(bent) ** 2, turned=turned
        )


class Deep(Cell):
    """Parts and states by number."""

    gate, deeper = Gate(), Map(count=3)
    delayed = State(count=3)

    def step(self, x: Any, delayed: Any) -> Step:
        s = tanh(self.gate(x, delayed[2]))
        for part in self.deeper:
            s = tanh(part(s))
        return dict(delayed=[s, *delayed[:2]])


GRAPHS = {cell.__name__: cell().graph for cell in (Timed, Rows, Memory, Functions, Deep)}


@pytest.mark.parametrize("name", thin_out(GRAPHS, 2))
def test_equations_and_sketches(name: str) -> None:
    graph = GRAPHS[name]
    found = format_equations(graph)
    assert {line.name for line in found.lines if line.name} == set(graph.outputs_by_name)
    for line in found.lines:
        assert measure_text(f"${line.latex}$")[0] > 0
    figure = draw_sketch(graph)
    renderer: Any = FigureCanvasAgg(figure).get_renderer()
    texts = [text.get_window_extent(renderer) for text in figure.axes[0].texts]
    assert not any(one.overlaps(other) for one, other in combinations(texts, 2))
    names = {label.name for label in build_layout(graph).labels}
    assert {"x", *(given.name for given in graph.inputs)} <= names


def find_inputs(graph: Graph) -> dict[str, tuple[float, float]]:
    labels = build_layout(graph).labels
    return {
        label.name: label.box.middle for label in labels if label.name in ("x", "dt", "observed")
    }


def test_inputs_come_in_apart() -> None:
    places = sorted(find_inputs(GRAPHS["Timed"]).values())
    assert len(places) == 3 and len(set(places)) == 3
    assert "Δ_t" in format_equations(GRAPHS["Timed"]).plain()


@pytest.mark.parametrize("op", OPS)
def test_every_operation_typesets(op: str) -> None:
    operands = [MathText("a_{t}", "a_t"), MathText("b_{t}", "b_t"), MathText("c_{t}", "c_t")]
    written = format_operation(op, operands[: OPS[op].arity])
    symbol = OPS[op].notation.symbol
    assert measure_text(f"${written.latex}$")[0] > 0 and measure_text(f"${symbol}$")[0] > 0


@pytest.mark.parametrize("op", ROW_MAP_OPS)
def test_every_row_map_typesets(op: str) -> None:
    for name in (op, f"{op}/4"):
        written = format_row_map(name, MathText("a_{t}", "a_t"))
        assert measure_text(f"${written.latex}$")[0] > 0 and "a_t" in written.plain
