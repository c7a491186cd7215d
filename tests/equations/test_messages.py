"""What a step cannot contain is answered with its line and with what to write instead."""

from __future__ import annotations

import linecache
import math  # noqa: F401 - for the steps below
import re
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import sluice
from sluice import Cell, Gate, Map, Norm, Vector, equations, tanh
from sluice.equations import EquationError
from sluice.run import reference
from sluice.run.spec import RunSpec

INTERNAL = re.compile(r"Leaf|Elementwise|Affine|RowNorm|RowMap|Symbol|Bound|Node")
FILE = "wrong_step.py"


class Parts(Cell):
    """What the steps below use."""

    gate, write, map, norm, peep = Gate(), Gate(), Map(), Norm(), Vector()
    several = Gate(count=2)
    layer = torch.nn.Linear(4, 4)
    weight = torch.nn.Parameter(torch.ones(1))
    table = np.ones(8)


WRONG = [
    ("h.shape[0]", r"widths are declared"),
    ("h.size(0)", r"widths are declared"),
    ("h.dim()", r"widths are declared"),
    ("len(h)", r"widths are declared"),
    ("h.dtype", r"leave it out"),
    ("h.to(torch.float64)", r"leave it out"),
    ("h.float()", r"leave it out"),
    ("h.chunk(2)", r"declare one Gate\(\), Map\(\) or State"),
    ("h.split(3)", r"declare one Gate\(\), Map\(\) or State"),
    ("h[:4]", r"declare one gate"),
    ("h[0]", r"declare one gate"),
    ("a, b = h", r"declare one gate each"),
    ("[a for a in h]", r"declare one gate each"),
    ("h.sum()", r"sum_units\(a\)"),
    ("h.mean(0)", r"mean_units\(a\)"),
    ("h.sum(-1)", r"sum_units\(a\), which keeps"),
    ("h.max()", r"max_units\(a\), max of two values maximum"),
    ("torch.min(h, dim=-1)", r"-max_units\(-a\), min of two values minimum"),
    ("h.softmax(0)", r"softmax\(a\), or dim=-1"),
    ("h.var(-1)", r"a Norm\(\)"),
    ("h.argmax()", r"max_units\(a\)"),
    ("round(h)", r"sluice's round\(a\)"),
    ("F.layer_norm(h, (8,))", r"norm = Norm\(\)"),
    ("h.matmul(h)", r"self\.gate\(x, h\)"),
    ("h @ h", r"self\.gate\(x, h\)"),
    ("torch.einsum('bi,bi->b', h, h)", r"self\.gate\(x, h\)"),
    ("F.linear(h, torch.ones(8, 8))", r"self\.gate\(x, h\)"),
    ("self.layer(h)", r"self\.gate\(x, h\)"),
    ("h.t()", r"leave it out"),
    ("h.T", r"leave it out"),
    ("h.view(2, -1)", r"leave it out"),
    ("h.unsqueeze(0)", r"leave it out"),
    ("h == 0.0", r"where\(b > a, y, x\)"),
    ("h != h", r"where\(b > a, y, x\)"),
    ("(h > 0) & (h < 1)", r"where\(a > b, where\("),
    ("(h > 0) | (h < 1)", r"where\(a > b, where\("),
    ("~(h > 0)", r"exchange x and y"),
    ("h % 2", r"\+ - \* /"),
    ("h // 2", r"\+ - \* /"),
    ("np.array(h)", r"sluice\.record"),
    ("np.array([h, h])", r"sluice\.record"),
    ("np.sum(h)", r"sum_units\(a\)"),
    ("np.matmul(h, h)", r"self\.gate\(x, h\)"),
    ("math.tanh(h)", r"use sluice's sigmoid, tanh"),
    ("float(h)", r"use sluice's sigmoid, tanh"),
    ("torch.cat([x, h])", r"self\.gate\(x, h\) for x and h"),
    ("torch.stack([h, h])", r"with a Map\(\) each"),
    ("torch.where(h > 0)", r"3 operands"),
    ("torch.where(h, h, 0.0)", r"where\(a > b, x, y\)"),
    ("F.dropout(h, 0.5)", r"Mask\(rate=\.\.\.\)"),
    ("torch.rand_like(h)", r"Mask\(rate=\.\.\.\)"),
    ("torch.zeros_like(h)", r"write the number itself"),
    ("h.new_ones(8)", r"write the number itself"),
    ("h.add_(1.0)", r"x = x \+ y"),
    ("h.item()", r"sluice\.record"),
    ("h.data", r"detach\(value\)"),
    ("F.relu(h, inplace=True)", r"leave out what is not an operand"),
    ("h.clamp(0, 1, 2)", r"leave out what is not an operand"),
    ("h.erfinv()", r"the operations are absolute"),
    ("torch.lgamma(h)", r"the operations are absolute"),
    ("torch.as_tensor(h)", r"widths are declared"),
    ("torch.Tensor(h)", r"sluice's operations"),
    ("h if h > 0 else x", r"where\(a > b"),
    ("max(h, 0.0)", r"maximum\(x, y\)"),
    ("h and x", r"where\(a > b"),
    ("self.gate.weight", r"write self\.gate\(x, h\)"),
    ("self.gate * 2.0", r"write self\.gate\(x, h\)"),
    ("torch.sigmoid(self.gate)", r"write self\.gate\(x, h\)"),
    ("tanh(self.map)", r"write self\.map\(value\)"),
    ("h * self.map", r"write self\.map\(value\)"),
    ("h()", r"self\.gate\(x, h\)"),
    ("self.peep(h)", r"self\.gate\(x, h\)"),
    ("self.gate()", r"self\.gate\(x, h\)"),
    ("self.gate(x, h, h)", r"self\.gate\(x, h\)"),
    ("self.gate(h, x)", r"exchange the two"),
    ("self.gate(x=h)", r"self\.gate\(h=h\)"),
    ("self.gate(1.0, h)", r"must be applied to x, a state"),
    ("self.map(x, h)", r"a map with one value"),
    ("self.map(h > 0)", r"where\(a > b, 1\.0, 0\.0\)"),
    ("self.norm(2.0)", r"must be applied to x, states"),
    ("self.table * h", r"declare a Vector\(\)"),
    ("h * torch.ones(8)", r"declare a Vector\(\)"),
    ("self.weight * h", r"declare a Vector\(\)"),
    ("h + None", r"numbers, states, gates"),
    ("h + [1.0]", r"as in late\[0\]"),
    ("x + h", r"bring them to one width with a Gate\(\) or a Map\(\)"),
    ("no_gradient(h)", r"detach\(value\)"),
    ("no_gradient(h, self.map)", r"detach\(value\)"),
    ("self.gats(x, h)", r"gats"),
    ("dict(h=h, **{'pre.gate': h})", r"called 'pre\.gate'; it must have a name in Python"),
    ("dict(h=h, x=x)", r"called 'x'; it must have a name in Python other than x"),
    ("dict(h=self.gate)", r"step returns a part as 'h'; .* write self\.gate\(x, h\)"),
    ("dict(h=self.several)", r"take one, by its number in \[\]"),
    ("self.several(x, h)", r"take one, by its number in \[\]"),
    ("h * (h, h)", r"as in late\[0\]"),
    ("tanh((h, h))", r"as in late\[0\]"),
    ("dict(h=1.0)", r"must depend on the step"),
]


def no_gradient(value: Any, function: Any = abs) -> Any:
    with torch.no_grad():
        return function(value)


def make_cell(expression: str) -> Cell:
    """A cell whose third line of step is ``expression``."""
    line = f"return {expression}" if expression.startswith("dict") else expression
    source = f"class Wrong(Parts):\n    def step(self, x, h):\n        {line}\n"
    linecache.cache[FILE] = (len(source), None, source.splitlines(keepends=True), FILE)
    space = dict(globals())
    exec(compile(source, FILE, "exec"), space)
    cell: Cell = space["Wrong"]()
    return cell


@pytest.mark.parametrize(("expression", "advice"), WRONG, ids=[wrong for wrong, _ in WRONG])
def test_a_wrong_step_is_answered(expression: str, advice: str) -> None:
    with pytest.raises(EquationError, match=advice) as caught:
        _ = make_cell(expression).graph
    message = str(caught.value)
    place = "line 2: `def step" if expression.startswith("dict") else f"line 3: `{expression}`"
    assert message.startswith(f"Wrong: {FILE} {place}")
    assert not INTERNAL.search(message.replace(expression, "")), message


def numpy_functions(a: Any) -> Any:
    """NumPy's functions of a value of a step, and what they are on a tensor with gradients."""
    if isinstance(a, torch.Tensor):
        return a.tanh() * 2.0 + 0.5 * a + a.clamp(0.0, 0.5)
    return np.tanh(a) * np.float64(2.0) + np.float32(0.5) * a + np.clip(a, 0.0, 0.5)


RIGHT: list[Any] = [
    lambda a: a.exp() + a.tanh() + a.sigmoid(),
    lambda a: a.abs().sqrt() + (1.5 + a.square()).log(),
    lambda a: a.relu() - a.neg() + a.mul(2.0).add(1.0).sub(a).div(3.0),
    lambda a: a.clamp(-0.4, 0.5) + torch.clamp(a, min=0.25) + a.clamp(max=0.5),
    numpy_functions,
    lambda a: torch.where(a > 0.25, a, 0.0) + torch.where(a < 0.25, 1.0, a),
    lambda a: a.maximum(0.25 * a) + torch.minimum(input=a, other=a * a),
    lambda a: (2.0 + a).reciprocal() + (2.0 + a).rsqrt() + a.pow(2) + +a,
    lambda a: a.sum(-1, keepdim=True) * a + a.mean(dim=1, keepdim=True) - a.softmax(-1),
    lambda a: F.softmax(a, dim=-1) * a.amax(-1, True) + a.cumsum(-1) + torch.max(a, 0.5 * a),
    lambda a: torch.nn.Tanh()(a) + torch.special.expit(a) + a.clone(),
]


@pytest.mark.parametrize("number", range(len(RIGHT)))
def test_methods_and_foreign_functions_that_have_a_meaning(number: int) -> None:
    """Values and gradients are torch's, at 0.25 and 0.5 (where pieces meet) as well."""

    function = RIGHT[number]

    class Own(Cell):
        map = Map()

        def step(self, x: Any, h: Any) -> Any:
            return dict(h=function(h) + self.map(h))

    d, sizes = torch.float64, equations.Sizes(1, 5)
    h = torch.tensor([[0.25, 0.5, -0.4, -0.9, 0.7]], dtype=d, requires_grad=True)
    zero = {"weight_map": torch.zeros(5, 5, dtype=d), "bias_map": torch.zeros(5, dtype=d)}
    y, _ = reference.run(
        RunSpec(Own().graph, sizes, torch.zeros(1, 1, 1, dtype=d), (h,), tuple(zero.values()))
    )
    expected = function(h)
    torch.testing.assert_close(y[0], expected)
    (mine,) = torch.autograd.grad(y.sum(), h)
    (theirs,) = torch.autograd.grad(expected.sum(), h)
    torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(
    ("returned", "found"),
    [
        (lambda a: a, r"got <a value of tanh, width hidden>"),
        (lambda a: [a], r"got a list"),
        (lambda a: None, r"got nothing"),
    ],
)
def test_a_step_returns_a_dictionary(returned: Any, found: str) -> None:
    class Bare(Cell):
        gate = Gate()

        def step(self, x: Any, h: Any) -> Any:
            return returned(tanh(self.gate(x, h)))

    with pytest.raises(EquationError, match=rf"def step.*must return dict\(h=..., ...\), {found}"):
        _ = Bare().graph


def test_a_cell_without_a_step_is_told() -> None:
    class Forward(Cell):
        gate = Gate()

        def forward(self, x: Any, h: Any) -> Any:
            return dict(h=tanh(self.gate(x, h)))

    with pytest.raises(EquationError, match=r"Forward has no step; .* def step\(self, x, h\)"):
        _ = Forward().graph


def test_a_value_shows_itself_in_the_words_of_the_step() -> None:
    shown: list[str] = []

    class Shown(Cell):
        gate, peep = Gate(), Vector()

        def step(self, x: Any, h: Any) -> Any:
            a = self.gate(x, h)
            shown.extend([f"{x}", f"{h:.3f}", repr(self.gate(x)), repr(a), str(self.peep)])
            return dict(h=tanh(a * self.peep))

    _ = Shown().graph
    assert shown[:5] == [
        "<x, width input>",
        "<state h, width hidden>",
        "<gate gate, width hidden>",
        "<a value of add, width hidden>",
        "<vector peep, width hidden>",
    ]


def test_python_s_own_errors_keep_their_words() -> None:
    with pytest.raises(EquationError, match=r"line 3: `1 / 0`: ZeroDivisionError: division"):
        _ = make_cell("1 / 0").graph


def test_nothing_is_left_of_reading_a_step() -> None:
    """After a step that failed, nodes compare as usual and gradients are as they were."""
    with torch.no_grad():
        with pytest.raises(EquationError):
            _ = make_cell("h == h").graph
        assert not torch.is_grad_enabled()
    nodes = sluice.cells.LSTM().graph.nodes
    assert nodes[0] != nodes[1] and nodes[0] in list(nodes)
