"""Tracing, canonical text, stages, and the messages of tracing errors."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch

from cell_list import CELLS
from sluice.cells import Cell, Gate, Map, Norm, State, Vector
from sluice.equations import (
    EquationError,
    from_text,
    maximum,
    sigmoid,
    split_stages,
    tanh,
    to_text,
    where,
)
from sluice.equations.graph import Affine, Elementwise, Leaf, constant


def test_equal_nodes_are_one() -> None:
    h = Leaf("state", "h", "hidden")
    assert Elementwise("tanh", (h,), "hidden") is Elementwise("tanh", (h,), "hidden")
    assert (h + 1.0) is (h + 1) and (h + 1.0) is not (h + 2.0)
    assert constant(0.5) is constant(0.5)


@pytest.mark.parametrize("name", CELLS)
def test_text_and_pickle_keep_the_graph(name: str) -> None:
    cell = CELLS[name]()
    back = from_text(cell.text)
    assert back == cell.graph and to_text(back) == cell.text
    assert pickle.loads(pickle.dumps(cell)).text == cell.text


def test_text_that_is_not_a_graph_is_refused() -> None:
    with pytest.raises(ValueError, match="the first line of a graph must be"):
        from_text("hello\n")
    with pytest.raises(ValueError, match="not a line"):
        from_text("sluice graph 1\nnonsense here\n")


@pytest.mark.parametrize(
    ("name", "count", "hoisted"),
    [
        ("elman", 1, 1),
        ("lstm", 1, 4),
        ("gru", 1, 3),
        ("gru-reset-before", 2, 3),
        ("mgu", 2, 2),
        ("jordan", 2, 1),
        ("projected", 2, 4),
        ("dropout-gru", 1, 3),
    ],
)
def test_stages(name: str, count: int, hoisted: int) -> None:
    cut = split_stages(CELLS[name]().graph)
    assert (len(cut.stages), len(cut.hoisted_nodes)) == (count, hoisted)


def test_a_masked_state_is_ready_not_a_stage() -> None:
    cut = split_stages(CELLS["dropout-gru"]().graph)
    assert [node.op for node in cut.ready_nodes if isinstance(node, Elementwise)] == ["multiply"]


def test_values_saved_for_the_backward_pass() -> None:
    gru = CELLS["gru"]().graph
    saved = set(split_stages(gru).saved_nodes) - {node for _, node in gru.outputs}
    assert [(n.stack, n.gate) for n in saved if isinstance(n, Affine)] == [("hh", "candidate")]
    lstm = CELLS["lstm"]().graph
    assert set(split_stages(lstm).saved_nodes) == {node for _, node in lstm.outputs}


class Branching(Cell):
    gate = Gate()

    def step(self, x, h):  # type: ignore[no-untyped-def]
        if h > 0:
            return dict(h=h)
        return dict(h=self.gate(x, h))


class Misspelt(Cell):
    forget = Gate()

    def step(self, x, h):  # type: ignore[no-untyped-def]
        return dict(h=tanh(self.forgt(x, h)))


class WrongWidth(Cell):
    gate = Gate()

    def step(self, x, h):  # type: ignore[no-untyped-def]
        return dict(h=tanh(self.gate(x, h)) + x)


class NoState(Cell):
    gate = Gate()

    def step(self, x, h):  # type: ignore[no-untyped-def]
        return dict(y=tanh(self.gate(x, h)))


class PreActivation(Cell):
    forget = Gate()

    def step(self, x, h):  # type: ignore[no-untyped-def]
        f = self.forget(x, h)
        return dict(h=sigmoid(f) * h, forget=f)


class Indexed(Cell):
    gate = Gate()

    def step(self, x, h):  # type: ignore[no-untyped-def]
        return dict(h=tanh(self.gate(x, h))[0])


class Foreign(Cell):
    gate = Gate()

    def step(self, x, h):  # type: ignore[no-untyped-def]
        return dict(h=torch.lgamma(self.gate(x, h)))


class Compared(Cell):
    gate = Gate()

    def step(self, x, h):  # type: ignore[no-untyped-def]
        return dict(h=(h > 0) * tanh(self.gate(x, h)))


class Mapped(Cell):
    gate, out = Gate(), Map()

    def step(self, x, h):  # type: ignore[no-untyped-def]
        return dict(h=tanh(self.gate(x, h) + self.out(h > 0)))


class Normed(Cell):
    gate, norm = Gate(), Norm()

    def step(self, x, h):  # type: ignore[no-untyped-def]
        _, big = self.norm(h, h > 0)
        return dict(h=tanh(self.gate(x, h)) * big)


@pytest.mark.parametrize(
    ("cell", "line", "advice"),
    [
        (Branching, "if h > 0:", r"where\(a > b"),
        (Misspelt, "self.forgt", "forgt"),
        (WrongWidth, "+ x", r"\(input\)"),
        (NoState, "", r"must return dict.*, got no 'h'"),
        (PreActivation, "", "pre-activation"),
        (Indexed, "[0]", "declare one gate"),
        (Foreign, "lgamma", "the operations are absolute"),
        (Compared, "(h > 0) *", r"where\(a > b"),
        (Mapped, "self.out(h > 0)", r"gate 'out' must .* got a comparison; write where\(a > b"),
        (Normed, "self.norm(h, h > 0)", r"norm 'norm' must .* got a comparison; write where\("),
    ],
)
def test_errors_name_the_line_and_a_remedy(cell: type[Cell], line: str, advice: str) -> None:
    with pytest.raises(EquationError, match=advice) as caught:
        _ = cell().graph
    assert str(caught.value).startswith(cell.__name__)
    if line:
        assert line in str(caught.value) and "test_graph.py line" in str(caught.value)


@pytest.mark.parametrize("value", [lambda h: h > 0.0, lambda h: constant(2.0)])
def test_values_that_are_not_nodes_cannot_be_named(value: Callable[[Any], Any]) -> None:
    class Odd(Cell):
        gate = Gate()

        def step(self, x: Any, h: Any) -> dict[str, Any]:
            return dict(h=tanh(self.gate(x, h)), odd=value(h))

    with pytest.raises(EquationError, match=r"as 'odd'; (return numbers|it must depend)"):
        _ = Odd().graph


class Torchy(Cell):
    """Written with torch's own functions, which trace as well."""

    gate = Gate()

    def step(self, x, h):  # type: ignore[no-untyped-def]
        return dict(h=torch.tanh(self.gate(x, h)) * torch.sigmoid(h))


class Ours(Cell):
    gate = Gate()

    def step(self, x, h):  # type: ignore[no-untyped-def]
        return dict(h=tanh(self.gate(x, h)) * sigmoid(h))


def test_torch_functions_trace_to_the_same_graph() -> None:
    assert Torchy().graph.outputs == Ours().graph.outputs


class Everything(Cell):
    """Every operation of the table, with a state that starts at 2."""

    h = State(initial=2.0)
    gate, peep = Gate(), Vector(initial=0.5)

    def step(self, x, h):  # type: ignore[no-untyped-def]
        from sluice import equations as e

        a = self.gate(x, h)
        b = e.exp(-abs(a)) + e.log(1.5 + a**2) - e.sqrt(1.0 + h * h) / (2.0 - sigmoid(a))
        b = b + where(a > 0.1, e.relu(a), e.log_sigmoid(a)) + where(a < 0.2, 0.1, 0.3)
        return dict(h=tanh(maximum(b, -0.5) + e.minimum(a, self.peep) + e.detach(a)))


def test_every_operation_differentiates() -> None:
    from sluice.equations.specs import Sizes
    from sluice.run import bptt, reference
    from sluice.run.spec import RunSpec

    graph, sizes = Everything().graph, Sizes(2, 3)
    d = torch.float64
    x = torch.randn(4, 5, 2, dtype=d, requires_grad=True)
    h = torch.full((5, 3), 2.0, dtype=d, requires_grad=True)
    p = tuple(torch.randn(q.shape(sizes), dtype=d, requires_grad=True) for q in graph.parameters)
    y, last = reference.run(RunSpec(graph, sizes, x, (h,), p))
    assert set(_ops(graph.nodes)) >= {"exp", "log", "sqrt", "relu", "log_sigmoid"}
    gy, gl = torch.randn_like(y), torch.randn_like(last[0])
    expected = torch.autograd.grad((y, last[0]), (x, h, *p), (gy, gl))
    found = bptt.backward(RunSpec(graph, sizes, x.detach(), (h.detach(),), p), gy, (gl,))
    for mine, theirs in zip((found.x, *found.states, *found.parameters), expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-11)


def _ops(nodes: object) -> list[str]:
    return [node.op for node in nodes if isinstance(node, Elementwise)]  # type: ignore[attr-defined]
