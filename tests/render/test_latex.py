"""Equations in LaTeX: content, parentheses, and that they typeset."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cell_list import CELLS
from sluice import Cell, Gate, detach, exp, maximum, sigmoid, tanh, where
from sluice.cells import GRU, LSTM, SLSTM, LayerNormLSTM, PeepholeLSTM, zoneout
from sluice.equations import Graph, to_text
from sluice.render.latex import format_equations
from sluice.render.notation import Notation
from sluice.render.typeset import measure_text

LSTM_LINES = [
    r"i_{t} &= \sigma(W_{ii}\,x_{t} + b_{ii} + W_{hi}\,h_{t-1} + b_{hi})",
    r"f_{t} &= \sigma(W_{if}\,x_{t} + b_{if} + W_{hf}\,h_{t-1} + b_{hf})",
    r"\tilde{c}_{t} &= \tanh(W_{ic}\,x_{t} + b_{ic} + W_{hc}\,h_{t-1} + b_{hc})",
    r"o_{t} &= \sigma(W_{io}\,x_{t} + b_{io} + W_{ho}\,h_{t-1} + b_{ho})",
    r"c_{t} &= f_{t} \odot c_{t-1} + i_{t} \odot \tilde{c}_{t}",
    r"h_{t} &= o_{t} \odot \tanh(c_{t})",
]


class Odd(Cell):
    """Rare features: aliases, conditions, constants, Greek, underscores."""

    slow_leak, alpha = Gate(), Gate()

    def step(self, x: Any, h: Any) -> dict[str, Any]:
        k = sigmoid(self.slow_leak(x, h))
        a = -tanh(self.alpha(x))
        bounded = where(k > 0.5, maximum(a, -0.25), detach(h))
        grown = (bounded - (h - k)) / (a * 1e-5) * exp(a / k)
        return dict(h=k * (grown + a), slow_leak=k, alpha=a, copy=k)


def plain(graph: Graph) -> dict[str, str]:
    """The right side of every line, by its left side."""
    lines = format_equations(graph).plain().splitlines()
    return dict(line.strip().split(" = ", 1) for line in lines if " = " in line)


def test_the_lstm_is_written_as_by_hand() -> None:
    assert format_equations(LSTM().graph).latex().split(" \\\\\n") == LSTM_LINES


def test_the_gru_in_plain_text() -> None:
    assert format_equations(GRU().graph).plain().splitlines() == [
        "r_t = σ(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)",
        "z_t = σ(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)",
        "h̃_t = tanh(W_ih x_t + b_ih + r_t ⊙ (W_hh h_{t-1} + b_hh))",
        "h_t = (1 − z_t) ⊙ h̃_t + z_t ⊙ h_{t-1}",
    ]


def test_peepholes_masks_norms_and_heads() -> None:
    assert plain(PeepholeLSTM().graph)["o_t"].endswith("+ p_o ⊙ c_t)")
    assert plain(zoneout(LSTM, c=0.5).graph)["c_t"] == (
        "zoneout_{c,t} ⊙ c_{t-1} + (1 − zoneout_{c,t}) ⊙ u_t"
    )
    normed = plain(LayerNormLSTM().graph)
    assert normed["f_t"] == "σ(LN_{ih}(W_if x_t) + LN_{hh}(W_hf h_{t-1}))"
    assert normed["h_t"] == "o_t ⊙ tanh(LN_{c}(c_t))"
    heads = format_equations(SLSTM(heads=2).graph)
    assert "W_hi, W_hf, W_hc, W_ho: block-diagonal, 2 heads" in heads.plain()
    assert plain(SLSTM().graph)["m_t"] == "max(u_t, i\u0302_t)"


def test_parentheses_constants_and_other_names() -> None:
    lines = plain(Odd().graph)
    assert lines["α_t"] == "−tanh(W_iα x_t + b_iα)"
    assert lines["slow_leak_t"].startswith("σ(W_{i,slow_leak} x_t + b_{i,slow_leak} + ")
    assert lines["h_t"] == (
        "slow_leak_t ⊙ ((((max(α_t, −0.25) if slow_leak_t > 0.5, else sg(h_{t-1})) − "
        "(h_{t-1} − slow_leak_t)) / (1e-05 α_t)) ⊙ exp(α_t / slow_leak_t) + α_t)"
    )
    assert lines["copy_t"] == "slow_leak_t"


@pytest.mark.parametrize("name", CELLS)
def test_every_named_value_has_one_line_and_everything_typesets(name: str) -> None:
    graph = CELLS[name]().graph
    found = format_equations(graph)
    assert sorted(line.name for line in found.lines if line.name) == sorted(graph.outputs_by_name)
    assert len({line.left.latex for line in found.lines}) == len(found.lines)
    for line in (*(line.latex for line in found.lines), *(note.latex for note in found.notes)):
        assert line.count("{") == line.count("}")
        assert measure_text(f"${line}$")[0] > 0


@pytest.mark.parametrize("name", CELLS)
def test_what_a_line_reads_is_defined_above_it(name: str) -> None:
    defined: set[str] = set()
    graph = CELLS[name]().graph
    symbols = {n: Notation.from_graph(graph).value(n).latex for n in graph.outputs_by_name}
    for line in format_equations(graph).lines:
        for symbol in symbols.values():
            alone = rf"(?<![a-z}}{{_]){re.escape(symbol)}"
            assert symbol in defined or not re.search(alone, line.right.latex)
        defined.add(line.left.latex)


@pytest.mark.parametrize("name", ["slstm", "zoneout-dropout-peephole"])
def test_equal_graphs_are_written_equally(name: str) -> None:
    one, other = (CELLS[name]().graph for _ in range(2))
    assert to_text(one) == to_text(other)
    assert format_equations(one).latex() == format_equations(other).latex()
