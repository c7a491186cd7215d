"""Steps of hundreds of operations, maps and states: linear time, no recursion, the same numbers."""

from __future__ import annotations

import copy
import pickle
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from sampling import thin_out
from sluice.cells import Cell, Gate, Map, Vector
from sluice.cells.from_text import TracedCell
from sluice.equations import EquationError, from_text, split_stages, tanh, to_text
from sluice.equations.instrument import find_preactivations, instrument_graph
from sluice.equations.sums import list_terms
from sluice.nn import Recurrent

pytestmark = pytest.mark.filterwarnings("ignore::sluice.cells.unused.UnusedDeclarationWarning")


class Repeated(Cell):
    """A gate whose value goes through ``count`` lines of Python's own loop."""

    gate, inner, weight = Gate(), Map(), Vector(initial=0.9)

    def __init__(self, line: Callable[..., tuple[Any, Any]], count: int) -> None:
        self.line, self.count = line, count

    def step(self, x: Any, h: Any, c: Any) -> dict[str, Any]:
        v = self.gate(x, h)
        for _ in range(self.count):
            v, c = self.line(self, v, c, h)
        return dict(h=tanh(h + v), c=tanh(c))


LINES: dict[str, Callable[..., tuple[Any, Any]]] = {
    "doubled": lambda cell, v, c, h: (v + v, c),
    "halved": lambda cell, v, c, h: (0.5 * (v + v), c),
    "leapfrog": lambda cell, v, c, h: (0.5 * (v + c), 0.5 * (c + v - h)),
    "chain": lambda cell, v, c, h: (tanh(v), c),
    "mixed": lambda cell, v, c, h: (tanh(v) * cell.weight + h, c),
    "sub-steps": lambda cell, v, c, h: (v + 0.01 * tanh(cell.inner(v)), c),
}


@pytest.fixture(autouse=True)
def little_recursion() -> Iterator[None]:
    """Python may recurse a few hundred calls deep, half of them pytest's own."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(500)
    yield
    sys.setrecursionlimit(limit)


def run_plainly(layer: Any, line: Any, count: int, x: Tensor) -> Tensor:
    """The same in torch's operations."""
    p = dict(layer.named_parameters())

    class Tensors:
        weight = p.get("weight_l0")

        @staticmethod
        def inner(v: Tensor) -> Tensor:
            return v @ p["weight_inner_l0"].T + p["bias_inner_l0"]

    h = c = x.new_zeros(x.shape[1], layer.hidden_sizes[0])
    outputs = []
    for row in x:
        v = row @ p["weight_ih_l0"].T + p["bias_ih_l0"] + h @ p["weight_hh_l0"].T + p["bias_hh_l0"]
        for _ in range(count):
            v, c = line(Tensors, v, c, h)
        h, c = (h + v).tanh(), c.tanh()
        outputs.append(h)
    return torch.stack(outputs)


@pytest.mark.parametrize(
    ("name", "count"),
    thin_out(
        [
            ("doubled", 12),
            ("doubled", 24),
            ("doubled", 60),
            ("halved", 300),
            ("leapfrog", 60),
            ("chain", 1000),
            ("mixed", 300),
            ("sub-steps", 200),
        ],
        3,
        1,
    ),
)
def test_lines_by_the_hundred(name: str, count: int) -> None:
    line = LINES[name]
    cell = Repeated(line, count)
    layer = Recurrent(cell, 3, 5, dtype=torch.float64)
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    upstream = torch.randn(4, 2, 5, dtype=torch.float64)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(2.0 ** -min(count, 60) if name == "doubled" else 1.0)
    expected = run_plainly(layer, line, count, x)
    gradients = torch.autograd.grad(expected, list(layer.parameters()), upstream)
    for backend in (None, "reference"):
        layer.backend = backend
        start = time.monotonic()
        found = layer(x)[0]
        own = torch.autograd.grad(found, list(layer.parameters()), upstream)
        assert time.monotonic() - start < 60
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
        for one, other in zip(own, gradients, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10 * float(other.abs().max()))


@pytest.mark.parametrize(("name", "count"), [("doubled", 500), ("chain", 2000), ("sub-steps", 500)])
def test_what_is_made_of_a_large_graph(name: str, count: int) -> None:
    """Text, copies, pickles, stages, names of pre-activations: none recurses, none takes long."""
    start = time.monotonic()
    graph = Repeated(LINES[name], count).graph
    assert from_text(to_text(graph)) == graph and hash(from_text(to_text(graph))) == hash(graph)
    assert copy.deepcopy(graph) == graph and copy.copy(graph) == graph
    assert pickle.loads(pickle.dumps(graph)) == graph
    assert copy.deepcopy(graph.outputs[0][1]) is graph.outputs[0][1]
    assert pickle.loads(pickle.dumps(graph.outputs[0][1])) is graph.outputs[0][1]
    assert TracedCell(to_text(graph)).graph == graph
    assert len(repr(graph)) < 10_000
    split_stages(graph)
    find_preactivations(graph)
    instrument_graph(graph, True, True)
    assert time.monotonic() - start < 20


def test_a_shared_sum_has_each_term_once() -> None:
    graph = Repeated(LINES["doubled"], 100).graph
    total = graph.outputs_by_name["h"].operands[0]
    assert len(list_terms(total)) == 3  # h, and the two halves of the gate


class Delayed(Cell):
    """64 states: a line of delays."""

    gate = Gate()
    count = 64

    @property
    def names(self) -> list[str]:
        return [f"d{k}" for k in range(self.count - 1)]


names = ", ".join(f"d{k}" for k in range(63))
space: dict[str, Any] = dict(tanh=tanh)
exec(
    f"def step(self, x, h, {names}):\n"
    f"    late = [h, {names}]\n"
    f"    return dict(zip(self.names, late), h=tanh(self.gate(x, d62)))",
    space,
)
Delayed.step = space["step"]  # type: ignore[method-assign]


def test_sixty_four_states() -> None:
    layer = Recurrent(Delayed(), 3, 5, dtype=torch.float64)
    x = torch.randn(130, 2, 3, dtype=torch.float64)
    upstream = torch.randn(130, 2, 5, dtype=torch.float64)
    p = list(layer.parameters())
    line = [x.new_zeros(2, 5)] * 64
    outputs = []
    for row in x:
        new = (row @ p[0].T + p[2] + line[-1] @ p[1].T + p[3]).tanh()
        line = [new, *line[:-1]]
        outputs.append(new)
    expected = torch.stack(outputs)
    gradients = torch.autograd.grad(expected, p, upstream)
    for backend in (None, "reference"):
        layer.backend = backend
        found = layer(x)[0]
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
        own = torch.autograd.grad(found, p, upstream)
        for one, other in zip(own, gradients, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)


def test_more_operations_than_a_step_may_have_are_refused() -> None:
    with pytest.raises(EquationError, match="at most 20,000 values in a step, got"):
        _ = Repeated(LINES["chain"], 20_001).graph
