"""Equations of cells with many values: symbols never run out, and no line is too long to read."""

from __future__ import annotations

import re
from typing import Any

import pytest

from long_cells import LONG_CELLS, SharedValues
from sluice import Cell, Gate, sigmoid, tanh
from sluice.equations import Graph
from sluice.render.latex import format_equations
from sluice.render.typeset import measure_text, typeset_equations


@pytest.mark.parametrize("name", LONG_CELLS)
def test_every_value_has_its_own_symbol_and_every_line_typesets(name: str) -> None:
    found = format_equations(LONG_CELLS[name])
    lefts = [line.left.latex for line in found.lines]
    assert len(set(lefts)) == len(lefts)
    assert {line.name for line in found.lines} >= set(LONG_CELLS[name].outputs_by_name)
    for line in found.lines[:: max(1, len(found.lines) // 25)]:
        width, height = measure_text(f"${line.latex}$", 10.0)
        assert 0 < width < 16 and height > 0
        assert not re.search(r"\}_\{[^{}]*\}_", line.latex)  # no second subscript on a subscript


@pytest.mark.parametrize("name", LONG_CELLS)
def test_the_lines_compute_what_the_graph_computes(name: str) -> None:
    """Every operation stands in exactly one line: none is lost where an expression is cut."""
    graph = LONG_CELLS[name]
    text = format_equations(graph).plain()
    for op, written in (("tanh", "tanh("), ("sigmoid", "σ("), ("exp", "exp(")):
        assert text.count(written) == sum(getattr(n, "op", "") == op for n in graph.nodes)


def test_few_values_get_letters_and_many_get_numbers() -> None:
    few = [line.left.plain for line in format_equations(SharedValues(2).graph).lines]
    assert few == ["u_t", "v_t", "w_t", "h_t"]
    many = [line.left.plain for line in format_equations(SharedValues(40).graph).lines]
    assert many[:2] == ["u_{1,t}", "u_{2,t}"] and many[-2:] == ["u_{79,t}", "h_t"]


def test_squares_and_doubles_are_written_once() -> None:
    class Powers(Cell):
        write = Gate()

        def step(self, x: Any, h: Any) -> dict[str, Any]:
            a = tanh(self.write(x, h))
            return dict(h=(a - h) * (a - h) + (a + a) * 3.0, a=a)

    assert format_equations(Powers().graph).plain().splitlines()[1] == (
        "h_t = (a_t − h_{t-1})² + 3 (2 a_t)"
    )


def test_typeset_pages_of_long_cells() -> None:
    figure = typeset_equations(SharedValues(30).graph)
    assert len(figure.texts) == 2 * 60


def _written(graph: Graph) -> dict[str, str]:
    return {line.left.plain: line.right.plain for line in format_equations(graph).lines}


def test_neutral_numbers_are_left_out() -> None:
    class Neutral(Cell):
        rate, write = Gate(), Gate()
        dt, shift, sign = 1.0, 0.0, -1.0

        def step(self, x: Any, h: Any) -> dict[str, Any]:
            k = self.dt * sigmoid(self.rate(x, h))
            g = self.sign * tanh(self.write(x, h)) / self.dt + self.shift
            return dict(h=k * h - self.shift + g * h, k=k, g=g)

    found = _written(Neutral().graph)
    assert found["k_t"].startswith("σ(") and found["g_t"].startswith("−tanh(")
    assert found["h_t"] == "k_t ⊙ h_{t-1} + g_t ⊙ h_{t-1}"
