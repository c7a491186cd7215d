"""Tracing: a step, run once on symbols, becomes a graph.

A step asks for its learned parts through an *interpreter*: under `SymbolicInterpreter` the gates
yield nodes, under `sluice.equations.evaluation.TensorInterpreter` the same calls compute.
"""

from __future__ import annotations

import linecache
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol

from sluice.equations.graph import (
    Affine,
    Graph,
    Leaf,
    Node,
    RowNorm,
    X,
    as_node,
    is_comparison,
    is_number,
)
from sluice.equations.ops import Value
from sluice.equations.row_nodes import find_size, row_map
from sluice.equations.specs import (
    InputSpec,
    NormSpec,
    RandomSpec,
    StackSpec,
    StateSpec,
    VectorSpec,
)
from sluice.equations.spellings import OPERATION_NAMES
from sluice.equations.sums import list_terms
from sluice.equations.symbol import EquationError, check_gradients_are_on, reading_equations
from sluice.equations.validation import validate_graph


class Interpreter(Protocol):
    """What a step's gates, vectors and norms stand for."""

    def affine(self, stack: str, gate: str, operand: Value) -> Value:
        """The map of ``gate`` in ``stack``, applied to ``operand``."""

    def vector(self, name: str) -> Value:
        """The learned vector called ``name``."""

    def norm(self, name: str, group: tuple[Value, ...]) -> tuple[Value, ...]:
        """The layer norm called ``name`` over the concatenation of ``group``."""

    def row_map(self, op: str, operand: Value, width: str) -> Value:
        """The row map ``op`` of ``operand``, whose result has ``width``."""

    def size(self, width: str) -> Value:
        """How many units ``width`` has."""


@dataclass(frozen=True)
class Declarations:
    """All that a cell declares: each stack's gates are those it might use."""

    states: tuple[StateSpec, ...]
    stacks: tuple[StackSpec, ...]
    vectors: tuple[VectorSpec, ...] = ()
    norms: tuple[NormSpec, ...] = ()
    masks: tuple[RandomSpec, ...] = ()
    inputs: tuple[InputSpec, ...] = ()
    output: tuple[str, ...] = ()


class SymbolicInterpreter:
    """Interprets a step symbolically: gates, vectors and norms yield nodes."""

    def __init__(self, declarations: Declarations) -> None:
        self._widths = {(s.name, gate): w for s in declarations.stacks for gate, w in s.gates}
        self._vectors = {vector.name: vector.width for vector in declarations.vectors}

    def affine(self, stack: str, gate: str, operand: Value) -> Node:
        if not isinstance(operand, Node):
            raise EquationError(
                f"gate '{gate}' must be applied to x, a state, or a value computed from them, "
                f"got {operand!r}"
            )
        _refuse_comparison(f"gate '{gate}'", operand)
        check_gradients_are_on()
        return Affine(stack, gate, operand, self._widths[stack, gate], False)

    def vector(self, name: str) -> Node:
        return Leaf("vector", name, self._vectors[name])

    def norm(self, name: str, group: tuple[Value, ...]) -> tuple[Node, ...]:
        nodes = tuple(part for part in group if isinstance(part, Node))
        if len(nodes) < len(group):
            raise EquationError(
                f"norm '{name}' must be applied to x, states, or values computed from them, got "
                f"{group!r}"
            )
        for node in nodes:
            _refuse_comparison(f"norm '{name}'", node)
        check_gradients_are_on()
        return tuple(
            RowNorm(name, nodes, index, (), part.width) for index, part in enumerate(nodes)
        )

    def row_map(self, op: str, operand: Value, width: str) -> Node:
        return row_map(op, as_node(operand), width)

    def size(self, width: str) -> Node:
        return find_size(width)


def _refuse_comparison(part: str, operand: Node) -> None:
    if is_comparison(operand):
        raise EquationError(
            f"{part} must be applied to numbers, got a comparison; write where(a > b, 1.0, 0.0)"
        )


def trace(
    name: str,
    declarations: Declarations,
    step: Callable[[Interpreter, Node, dict[str, Node]], Mapping[str, Value]],
    source: object = None,
) -> Graph:
    """Run ``step`` once on symbols and return its graph.

    ``step`` is called with an interpreter, x, and the states, masks and inputs by name. Raises
    `EquationError`, with the line of the step, for what cannot become equations; ``source`` is the
    function that the user wrote.
    """
    states = {state.name: Leaf("state", state.name, state.width) for state in declarations.states}
    masks = {mask.name: Leaf("mask", mask.name, mask.width) for mask in declarations.masks}
    inputs = {one.name: Leaf("input", one.name, one.width) for one in declarations.inputs}
    try:
        with reading_equations():
            returned = step(SymbolicInterpreter(declarations), X, {**states, **masks, **inputs})
    except Exception as error:
        message = str(error)
        if not isinstance(error, EquationError):
            message = f"{type(error).__name__}: {_translate(message)}"
        place = _format_location(error.__traceback__) or format_definition(source)
        raise EquationError(f"{name}: {place}{message}") from error
    try:
        return _build_graph(name, declarations, _check_outputs(returned, declarations))
    except EquationError as error:
        raise EquationError(f"{name}: {format_definition(source)}{error}") from None


_INTERNAL_NAMES = re.compile(r"'?\b(Leaf|Elementwise|Affine|Row[A-Z]\w*|Symbol|Bound[A-Z]\w*)\b'?")

_NOT_A_NUMBER = re.compile(r"float\(\) argument must be .*, not '(\w+)'")


def _translate(message: str) -> str:
    """What Python or torch say of a symbol, in the words of a step."""
    if "__call__" in message:
        return (
            "a gate is called with the input, a state or both, as in self.gate(x, h), a map with "
            "one value and a norm with one or more"
        )
    not_number = _NOT_A_NUMBER.match(message)
    if not_number:
        return (
            f"operations take values of the step and numbers, got a {not_number[1]}; of a "
            "sequence take one, as in late[0]"
        )
    found = _INTERNAL_NAMES.sub("a value of the step", message)
    if found == message:
        return message
    return (
        f"{found}; write the step with its gates and maps, + - * / and sluice's operations "
        f"({', '.join(OPERATION_NAMES)})"
    )


def _format_location(trail: TracebackType | None) -> str:
    """The innermost line of a function called ``step``, as `file line N: code: `."""
    frames = [frame for frame in traceback.extract_tb(trail) if frame.name == "step"]
    if not frames:
        return ""
    file, line = frames[-1].filename, frames[-1].lineno or 0
    return f"{Path(file).name} line {line}: `{linecache.getline(file, line).strip()}`: "


def format_definition(source: object) -> str:
    """Where a function begins, as `file line N: code: `; nothing for what has no code."""
    code = getattr(source, "__code__", None)
    if code is None:
        return ""
    file, line = code.co_filename, code.co_firstlineno
    return f"{Path(file).name} line {line}: `{linecache.getline(file, line).strip()}`: "


def _check_outputs(outputs: object, declarations: Declarations) -> dict[str, Node]:
    """The named values that a step returned, once they are known to be values of the step."""
    expected = ", ".join(f"{s.name}=..." for s in declarations.states)
    if not isinstance(outputs, Mapping):
        found = repr(outputs) if isinstance(outputs, Node) else f"a {type(outputs).__name__}"
        found = "nothing" if outputs is None else found
        raise EquationError(f"step must return dict({expected}, ...), got {found}")
    for state in declarations.states:
        if state.name not in outputs:
            raise EquationError(f"step must return dict({expected}), got no '{state.name}'")
    widths = {state.name: state.width for state in declarations.states}
    gates = {gate for stack in declarations.stacks for gate, _ in stack.gates}
    checked: dict[str, Node] = {}
    for name, node in outputs.items():
        if not isinstance(name, str) or not name.isidentifier() or name == "x":
            raise EquationError(
                f"step returns a value called {name!r}; it must have a name in Python other than "
                "x, which is the input"
            )
        if not isinstance(node, Node) or is_number(node):
            explain = getattr(node, "explain_call", lambda: "it must depend on the step")
            shown = "a part" if hasattr(node, "explain_call") else repr(node)
            raise EquationError(f"step returns {shown} as '{name}'; {explain()}")
        if is_comparison(node):
            raise EquationError(
                f"step returns a comparison as '{name}'; return numbers, as in "
                f"{name}=where(a > b, 1.0, 0.0)"
            )
        if name in widths and node.width != widths[name]:
            raise EquationError(
                f"state '{name}' has width {widths[name]} but step returns one of {node.width}; "
                "declare State(width=...) or bring it to that width with a Map()"
            )
        if name in gates and _is_preactivation(node):
            raise EquationError(
                f"'{name}' is a gate, but step returns its pre-activation under that name; "
                f"return the gate's value, as in {name}=sigmoid(self.{name}(x, h))"
            )
        checked[name] = node
    return checked


def _is_preactivation(node: Node) -> bool:
    return all(
        isinstance(term, Affine | RowNorm) or (isinstance(term, Leaf) and term.kind == "vector")
        for term in list_terms(node, ("add", "subtract"))
    )


def _build_graph(name: str, declarations: Declarations, outputs: dict[str, Node]) -> Graph:
    """Keep, of all that is declared, what the outputs use."""
    named = tuple(outputs.items())
    first = Graph(name, declarations.states, (), (), (), (), named, output=declarations.output)
    affines = [node for node in first.nodes if isinstance(node, Affine)]
    norms = [node for node in first.nodes if isinstance(node, RowNorm)]
    leaves = {(n.kind, n.name) for n in first.nodes if isinstance(n, Leaf)}
    graph = replace(
        first,
        stacks=tuple(filter(None, (_prune_stack(stack, affines) for stack in declarations.stacks))),
        vectors=tuple(v for v in declarations.vectors if ("vector", v.name) in leaves),
        norms=tuple(filter(None, (_prune_norm(norm, norms) for norm in declarations.norms))),
        masks=tuple(mask for mask in declarations.masks if ("mask", mask.name) in leaves),
        inputs=declarations.inputs,  # a caller gives them, used or not
    )
    validate_graph(graph)
    return graph


def _prune_stack(stack: StackSpec, affines: list[Affine]) -> StackSpec | None:
    mine = [affine for affine in affines if affine.stack == stack.name]
    used = {affine.gate for affine in mine}
    widths = {affine.operand.width for affine in mine}
    if len(widths) > 1:
        listed = " and ".join(dict.fromkeys(f"{a.gate} ({a.operand.width})" for a in mine))
        side = {"ih": "first", "hh": "second"}.get(stack.name, "one")
        raise EquationError(
            f"what gates take as their {side} operand must have one width, got {listed}; declare "
            "a Map() for the one that differs"
        )
    gates = tuple((gate, width) for gate, width in stack.gates if gate in used)
    if not gates:
        return None
    operand = widths.pop()
    if not stack.learned and operand != stack.operand:
        raise EquationError(
            f"constant '{stack.name}' maps values of width {stack.operand}, got one of {operand}; "
            "say of= in its declaration"
        )
    unbiased = tuple(gate for gate in stack.unbiased if gate in used)
    bias = stack.bias and len(unbiased) < len(gates)
    return replace(
        stack, gates=gates, operand=operand, bias=bias, unbiased=unbiased if bias else ()
    )


def _prune_norm(norm: NormSpec, norms: list[RowNorm]) -> NormSpec | None:
    widths = {tuple(n.width for n in node.group) for node in norms if node.norm == norm.name}
    if len(widths) > 1:
        raise EquationError(
            f"the values of norm '{norm.name}' must have one width; declare two norms"
        )
    return replace(norm, widths=widths.pop()) if widths else None
