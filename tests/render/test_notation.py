"""Symbols of names: letters, Greek, subscripts, accents, and that no two are alike."""

from __future__ import annotations

from typing import Any

import pytest

from sluice import Cell, Gate, Map, Vector, sigmoid, tanh
from sluice.render.latex import format_equations
from sluice.render.math_text import MathText, format_number
from sluice.render.names import format_name
from sluice.render.typeset import measure_text


@pytest.mark.parametrize(
    ("name", "latex", "plain"),
    [
        ("f", "f", "f"),
        ("zeta", r"\zeta", "ζ"),
        ("nu", r"\nu", "ν"),
        ("lam", r"\lambda", "λ"),
        ("sigma", r"\varsigma", "ς"),
        ("c2", "c_{2}", "c_2"),
        ("alpha_12", r"\alpha_{12}", "α_12"),
        ("b_gate_i", r"b_{\mathrm{gate},i}", "b_{gate,i}"),
        ("b_gate_h", r"b_{\mathrm{gate},h}", "b_{gate,h}"),
        ("h_tilde", r"\tilde{h}", "h\u0303"),
        ("slow_leak", r"\mathrm{slow\_leak}", "slow_leak"),
        ("late_0", r"\mathrm{late}_{0}", "late_{0}"),
        ("late0", r"\mathrm{late0}", "late0"),
        ("_", "_", "_"),
    ],
)
def test_names_as_symbols(name: str, latex: str, plain: str) -> None:
    words = format_name(name)
    assert (words.latex, words.plain) == (latex, plain)


def test_subscripts_and_accents_join_those_before() -> None:
    numbered = format_name("u_1")
    assert numbered.with_subscripts(MathText("t", "t")).latex == "u_{1,t}"
    assert numbered.with_accent(r"\hat", "\u0302").latex == r"\hat{u}_{1}"


@pytest.mark.parametrize("value", ["1.0", "-2.5", "1e-05", "-1e+38", "inf", "-inf", "nan", "3e20"])
def test_numbers_typeset(value: str) -> None:
    assert measure_text(f"${format_number(value).latex}$")[0] > 0


class Alike(Cell):
    """Names that would all become i, u, b_ih or W_i if nobody took care."""

    input, i, u = Gate(), Gate(), Vector()
    b_ih, b_i_h, ih_out = Vector(), Vector(), Map()

    def step(self, x: Any, h: Any, u_1: Any) -> dict[str, Any]:
        a, b = sigmoid(self.input(x, h)), sigmoid(self.i(x, h))
        shared = tanh(a * self.u + b)
        new = shared * shared * h + self.b_ih * shared + self.b_i_h
        return dict(h=self.ih_out(new), u_1=new + shared, input=a, i=b)


def test_no_two_things_have_one_symbol() -> None:
    found = format_equations(Alike().graph)
    lefts = [line.left.latex for line in found.lines]
    assert len(set(lefts)) == len(lefts)
    text = found.plain()
    assert "i_t = σ(W_ii x_t" in text and "input_t = σ(W_{i,input} x_t" in text
    vectors = [words.latex for words in found.notation.leaf_symbols.values()]
    assert len(set(vectors)) == len(vectors)
    affine = {"b_{ii}", "b_{hi}", r"b_{i,\mathrm{input}}"}
    assert not affine & set(vectors)
    shared = {words.latex for words in found.notation.shared_symbols.values()}
    assert not shared & {"u", "u_{1}", "h"}
