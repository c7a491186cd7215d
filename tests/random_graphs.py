"""Cells drawn at random: declarations, and steps of all operations of the table."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sluice.equations import rows
from sluice.equations.graph import (
    Graph,
    Node,
    RowNorm,
    constant,
    elementwise,
    is_comparison,
    is_number,
)
from sluice.equations.op_table import OPS
from sluice.equations.specs import (
    InputSpec,
    MaskSpec,
    NormSpec,
    StackSpec,
    StateSpec,
    VectorSpec,
)
from sluice.equations.symbol import EquationError
from sluice.equations.trace import Declarations, trace

# Operands are brought to where the operation is defined and smooth enough to be compared.
_POSITIVE = {("log", 0), ("sqrt", 0), ("divide", 1), ("power", 0)}
_ROW_FUNCTIONS = (
    *("sum_units", "mean_units", "max_units", "softmax", "log_sum_exp", "rms_norm", "dot"),
    *("cosine_similarity", "cumulative_sum", "cumulative_softmax", "repeat", "tile"),
    *("outer", "matvec", "vecmat"),
)
_BOUNDED = {("exp", 0), ("power", 1)}


def draw_graph(draw: random.Random, name: str) -> Graph:
    """A cell that can be traced."""
    while True:
        try:
            return _Builder(draw).build(name)
        except EquationError:  # a state of a width that nothing has, say
            continue


@dataclass
class _Builder:
    """Draws one cell: declarations first, then a step that uses them."""

    draw: random.Random
    widths: list[str] = field(default_factory=lambda: ["hidden"])

    def build(self, name: str) -> Graph:
        draw = self.draw
        self.widths += draw.sample(
            ["input", "projection", "1", "3", "17", "own"], draw.randrange(3)
        )
        declarations = self._declare()
        return trace(name, declarations, self._make_step(declarations))

    def _declare(self) -> Declarations:
        draw, width = self.draw, self._width
        states = [
            StateSpec(f"s{k}", width(), draw.choice([0.0, 0.0, 0.5])) for k in range(self._few())
        ]
        heads = draw.choice([1, 1, 1, 2])
        gates = tuple((f"g{k}", width()) for k in range(draw.randrange(4)))
        stacks = []
        if gates:
            bias = draw.random() < 0.8
            stacks = [
                StackSpec("ih", gates, "input", 1, bias),
                StackSpec("hh", gates, width(), heads, bias),
            ]
        for k in range(draw.randrange(3)):
            heads = draw.choice([1, 1, 2])
            stacks.append(
                StackSpec(f"m{k}", ((f"m{k}", width()),), width(), heads, draw.random() < 0.7)
            )
        return Declarations(
            tuple(states),
            tuple(stacks),
            tuple(VectorSpec(f"v{k}", width(), None) for k in range(draw.randrange(3))),
            tuple(NormSpec(f"n{k}", (), 1e-3) for k in range(draw.randrange(2))),
            tuple(
                MaskSpec(f"d{k}", 0.3, 1.5, 0.0, 1.0, draw.random() < 0.5, width())
                for k in range(draw.randrange(2))
            ),
            inputs=tuple(InputSpec(f"u{k}", width()) for k in range(draw.randrange(2))),
        )

    def _width(self) -> str:
        return self.draw.choice(self.widths)

    def _few(self) -> int:
        return self.draw.choice([1, 1, 2, 2, 3, 5])

    def _make_step(
        self, declarations: Declarations
    ) -> Callable[[Any, Node, dict[str, Node]], dict[str, Node]]:
        def step(interpreter: Any, x: Node, values: dict[str, Node]) -> dict[str, Node]:
            return _Step(self.draw, declarations, interpreter, x, values).run()

        return step


class _Step:
    """Draws a step: values made of values that are there already."""

    def __init__(
        self,
        draw: random.Random,
        declarations: Declarations,
        interpreter: Any,
        x: Node,
        values: dict[str, Node],
    ) -> None:
        self.draw, self.declarations, self.interpreter = draw, declarations, interpreter
        self.states = [values[state.name] for state in declarations.states]
        self.values = [x, *values.values()]
        self.values += [interpreter.vector(v.name) for v in declarations.vectors]
        self.stacks = [(s, g) for s in declarations.stacks for g, _ in s.gates]

    def run(self) -> dict[str, Node]:
        for _ in range(self.draw.choice([3, 8, 8, 15, 30])):
            try:
                self.values += self._draw_values()
            except EquationError:
                continue  # as where an operation wants a number
        outputs = {s.name: self._make_state(s) for s in self.declarations.states}
        named = [v for v in self.values if not is_comparison(v) and not is_number(v)]
        for k in range(self.draw.randrange(3)):
            outputs[f"named{k}"] = self.draw.choice(named)
        return outputs

    def _draw_values(self) -> list[Node]:
        kind = self.draw.random()
        if kind < 0.25 and self.stacks:
            return [self._map()]
        if kind < 0.35 and self.declarations.norms:
            return self._norm()
        if kind < 0.5:
            return [self._reduce()]
        return [self._operate()]

    def _reduce(self) -> Node:
        """A function of rows; one that holds exponentials has bounded operands."""
        value = self._value(self._width())
        name = self.draw.choice(_ROW_FUNCTIONS)
        if name in ("repeat", "tile"):
            found: Any = getattr(rows, name)(value, like=self._value(self._width()))
        elif name in ("dot", "cosine_similarity"):
            found = getattr(rows, name)(value, self._value(value.width))
        elif name in ("outer", "matvec", "vecmat"):
            other = self._value(self._width())
            matrix = rows.outer(value, other)
            found = matrix if name == "outer" else rows.matvec(matrix, other)
            found = rows.vecmat(value, matrix) if name == "vecmat" else found
        elif name in ("sum_units", "max_units", "softmax"):
            found = getattr(rows, name)(value, heads=self.draw.choice([1, 1, 2]))
        else:
            found = getattr(rows, name)(value)
        assert isinstance(found, Node)
        return found

    def _map(self) -> Node:
        stack, gate = self.draw.choice(self.stacks)
        found: Node = self.interpreter.affine(stack.name, gate, self._value(stack.operand))
        return found

    def _norm(self) -> list[Node]:
        norm = self.draw.choice(self.declarations.norms)
        known = [v for v in self.values if isinstance(v, RowNorm) and v.norm == norm.name]
        widths = [p.width for p in known[0].group] if known else [self._width() for _ in range(2)]
        group = tuple(map(self._value, widths if known or self.draw.random() < 0.5 else widths[:1]))
        return list(self.interpreter.norm(norm.name, group))

    def _operate(self) -> Node:
        op = self.draw.choice(sorted(OPS))
        width = self._width()
        operands = [self._operand(op, k, width) for k in range(OPS[op].arity)]
        made = elementwise(op, *operands)
        if not is_comparison(made):
            return made
        return elementwise("where", made, self._value(width), self._operand("where", 2, width))

    def _operand(self, op: str, place: int, width: str) -> Node:
        if op == "where" and place == 0:
            return elementwise("greater", self._value(width), self._operand("greater", 1, width))
        number = self.draw.random() < (0.2 if place else 0.05)
        ones = [v for v in self.values if v.width == "1" and not is_comparison(v)]
        if ones and self.draw.random() < 0.2:
            width = "1"
        value = constant(self.draw.choice([0.5, 1.5, -0.75, 2.0])) if number else self._value(width)
        if (op, place) in _POSITIVE:
            value = elementwise("add", elementwise("absolute", value), constant(0.5))
        if op in ("clamp", "hard_tanh") and place:  # from below 0 to above 0
            side = constant(1.1 if place == 2 else -1.1)
            value = elementwise("add", elementwise("tanh", value), side)
        if (op, place) in _BOUNDED:
            value = value if number else elementwise("tanh", value)
        return value

    def _make_state(self, state: StateSpec) -> Node:
        """A new state, bounded, so that many steps stay finite."""
        value = self._value(state.width)
        for later in reversed(self.values):
            if later.width == state.width and self.draw.random() < 0.6 and not is_comparison(later):
                value = later
                break
        bounded = elementwise("tanh", value)
        if self.draw.random() < 0.4:
            old = next(s for s in self.states if getattr(s, "name", "") == state.name)
            kept = elementwise("multiply", constant(0.5), old)
            return elementwise("add", kept, bounded)
        return bounded

    def _width(self) -> str:
        return self.draw.choice([v.width for v in self.values if not is_number(v)])

    def _value(self, width: str) -> Node:
        found = [v for v in self.values if v.width == width and not is_comparison(v)]
        if found:
            return self.draw.choice(found[-8:] if self.draw.random() < 0.6 else found)
        makers = [(s, g) for s, g in self.stacks if dict(s.gates)[g] == width]
        makers = [(s, g) for s, g in makers if any(v.width == s.operand for v in self.values)]
        if not makers:
            raise EquationError(f"nothing is {width} wide")
        stack, gate = self.draw.choice(makers)
        made: Node = self.interpreter.affine(stack.name, gate, self._value(stack.operand))
        self.values.append(made)
        return made
