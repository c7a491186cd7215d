"""Whether a cell's graph is one of ONNX's own recurrent operators: LSTM, GRU or RNN.

A graph is compared by what it computes, whatever its gates are called. An activation function is
recognised by making it again: nodes that say the same are the same object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import cast

from sluice.cells.activations import affine
from sluice.equations import ops
from sluice.equations.derived import keep_with_graph
from sluice.equations.graph import Affine, Elementwise, Graph, Leaf, Node, X, sort_topologically
from sluice.equations.specs import HIDDEN
from sluice.equations.symbol import EquationError, Value

_ACTIVATIONS: dict[str, tuple[Callable[..., Value], int]] = {
    "Sigmoid": (ops.sigmoid, 0),
    "Tanh": (ops.tanh, 0),
    "Relu": (ops.relu, 0),
    "Softsign": (ops.softsign, 0),
    "Softplus": (ops.softplus, 0),
    "LeakyRelu": (ops.leaky_relu, 1),
    "ThresholdedRelu": (ops.thresholded_relu, 1),
    "Elu": (ops.elu, 1),
    "ScaledTanh": (ops.scaled_tanh, 2),
    "HardSigmoid": (ops.hard_sigmoid, 2),
    "Affine": (affine, 2),
}
"""ONNX's activation functions, ours of the same meaning, and how many numbers each takes."""


@dataclass(frozen=True)
class NativeActivation:
    """An activation function of ONNX's, and its numbers: alpha, then beta."""

    name: str
    numbers: tuple[float, ...] = ()


@dataclass(frozen=True)
class NativeGate:
    """What one gate computes.

    Attributes:
        of_input: The map of the input.
        of_state: The map of the state, or of what a reset gate leaves of it.
        peephole: The vector by which it sees the cell state; None for none.
        activation: Its activation function.
        clip: The bound of what enters that; None for none.
    """

    of_input: Affine
    of_state: Affine
    peephole: Leaf | None
    activation: NativeActivation
    clip: float | None


@dataclass(frozen=True)
class NativeCell:
    """A cell as one of ONNX's operators.

    Attributes:
        op: ``LSTM``, ``GRU`` or ``RNN``.
        gates: In ONNX's order: i, o, f, c; z, r, h; or the only one.
        activations: In ONNX's order.
        resets_after: Whether a GRU's reset gate acts on the product.
    """

    op: str
    gates: tuple[NativeGate, ...]
    activations: tuple[NativeActivation, ...]
    resets_after: bool = False

    @property
    def clip(self) -> float | None:
        """The bound of what enters the gates' activation functions."""
        return self.gates[0].clip


@keep_with_graph
def find_native(graph: Graph) -> NativeCell | None:
    """ONNX's operator that computes ``graph``; None where there is none."""
    states = graph.states
    if graph.output != (states[0].name,) or any(state.width != HIDDEN for state in states):
        return None
    if any(stack.heads > 1 for stack in graph.stacks):
        return None
    finders = {1: (_find_gru, _find_rnn), 2: (_find_lstm,)}.get(len(states), ())
    return next((found for find in finders if (found := find(graph)) is not None), None)


def _find_rnn(graph: Graph) -> NativeCell | None:
    (h,) = graph.state_leaves
    gate = _read_gate(graph.outputs_by_name[h.name], h)
    return None if gate is None else NativeCell("RNN", (gate,), (gate.activation,))


def _find_gru(graph: Graph) -> NativeCell | None:
    (h,) = graph.state_leaves
    for one, other in _list_orders(graph.outputs_by_name[h.name], "add"):
        for update in _list_partners(one, h):
            z = _read_gate(update, h)
            for candidate in _list_partners(other, cast(Node, 1.0 - update)):
                for resets_after in (True, False):
                    gates = (z, *_read_candidate(candidate, h, resets_after))
                    if found := _join_gates("GRU", gates, None, resets_after):
                        return found
    return None


def _find_lstm(graph: Graph) -> NativeCell | None:
    h, c = graph.state_leaves
    new_h, new_c = (graph.outputs_by_name[leaf.name] for leaf in (h, c))
    shown = [
        (_read_gate(one, h, new_c), activation)
        for one, other in _list_orders(new_h, "multiply")
        for activation, inner in _list_activations(other)
        if inner is new_c
    ]
    for one, other in _list_orders(new_c, "add"):
        for forget in _list_partners(one, c):
            for write, candidate in _list_orders(other, "multiply"):
                i, f = _read_gate(write, h, c), _read_gate(forget, h, c)
                for o, activation in shown:
                    gates = (i, o, f, _read_gate(candidate, h))
                    if found := _join_gates("LSTM", gates, activation):
                        return found
    return None


def _read_candidate(
    node: Node, h: Leaf, resets_after: bool
) -> tuple[NativeGate | None, NativeGate | None]:
    """A GRU's reset gate and its candidate; None for each that is none."""
    for activation, clip, inner in _list_bounded_activations(node):
        for one, other in _list_orders(inner, "add"):
            if not _is_map(one, X):
                continue
            found = list[tuple[Node, Node]]()
            if not resets_after and isinstance(other, Affine):
                found = [(other, reset) for reset in _list_partners(other.operand, h)]
            if resets_after:
                found = [
                    (of_h, reset)
                    for of_h, reset in _list_orders(other, "multiply")
                    if _is_map(of_h, h)
                ]
            for of_h, reset in found:
                gate = NativeGate(cast(Affine, one), cast(Affine, of_h), None, activation, clip)
                return _read_gate(reset, h), gate
    return None, None


def _join_gates(
    op: str,
    gates: tuple[NativeGate | None, ...],
    shown: NativeActivation | None,
    resets_after: bool = False,
) -> NativeCell | None:
    """The cell of these gates, the candidate last; None where ONNX has none of this kind."""
    found = tuple(gate for gate in gates if gate is not None)
    if len(found) < len(gates) or len({gate.clip for gate in found}) > 1:
        return None
    if len({gate.activation for gate in found[:-1]}) > 1:
        return None
    peeping = [gate.peephole is not None for gate in found[:-1]]
    if any(peeping) and not all(peeping):
        return None
    activations = (found[0].activation, found[-1].activation, *([shown] if shown else []))
    return NativeCell(op, found, activations, resets_after)


def _read_gate(node: Node, h: Leaf, peeped: Node | None = None) -> NativeGate | None:
    """An activation function of a map of the input, one of ``h``, and a peephole if there is one.

    ``peeped`` is the cell state that the gate may see.
    """
    for activation, clip, inner in _list_bounded_activations(node):
        terms = _list_operands(inner, "add")
        of_x = [term for term in terms if _is_map(term, X)]
        of_h = [term for term in terms if _is_map(term, h)]
        rest = [term for term in terms if term not in of_x and term not in of_h]
        peepholes = [
            vector
            for term in rest
            if peeped is not None
            for vector in _list_partners(term, peeped)
            if isinstance(vector, Leaf) and vector.kind == "vector"
        ]
        if len(of_x) == len(of_h) == 1 and len(rest) == len(peepholes) < 2:
            maps = cast(tuple[Affine, Affine], (of_x[0], of_h[0]))
            return NativeGate(*maps, peepholes[0] if rest else None, activation, clip)
    return None


def _is_map(node: Node, operand: Node) -> bool:
    return isinstance(node, Affine) and node.operand is operand and not node.is_transposed


def _list_operands(node: Node, op: str) -> list[Node]:
    """The terms of a sum, or the factors of a product; the node alone where it is none."""
    if not (isinstance(node, Elementwise) and node.op == op):
        return [node]
    return [part for operand in node.arguments for part in _list_operands(operand, op)]


def _list_orders(node: Node, op: str) -> list[tuple[Node, Node]]:
    """The two operands of a sum or product, in both orders; nothing for other nodes."""
    if not (isinstance(node, Elementwise) and node.op == op):
        return []
    one, other = node.arguments
    return [(one, other), (other, one)]


def _list_partners(node: Node, factor: Node) -> list[Node]:
    """What stands beside ``factor`` in a product of two."""
    return [other for one, other in _list_orders(node, "multiply") if one is factor]


def _list_bounded_activations(node: Node) -> Iterator[tuple[NativeActivation, float | None, Node]]:
    """The activation functions that ``node`` may be, the bound of what enters, and what enters."""
    for activation, inner in _list_activations(node):
        yield activation, None, inner
        if isinstance(inner, Elementwise) and inner.op == "clamp":
            bounds = inner.arguments[1:]
            if all(isinstance(b, Leaf) and b.kind == "constant" for b in bounds):
                low, high = (float(cast(Leaf, bound).name) for bound in bounds)
                if -low == high > 0:
                    yield activation, high, inner.arguments[0]


def _list_activations(node: Node) -> Iterator[tuple[NativeActivation, Node]]:
    """The activation functions that ``node`` may be, and of what."""
    region = sort_topologically([node], get_operands=_get_elementwise_operands)
    numbers = {0.0, 1.0} | {
        float(leaf.name) for leaf in region if isinstance(leaf, Leaf) and leaf.kind == "constant"
    }
    inner = [one for one in region if not (isinstance(one, Leaf) and one.kind == "constant")]
    for name, (function, count) in _ACTIVATIONS.items():
        example = cast(Elementwise, function(X, *[1.0] * count))
        if not (isinstance(node, Elementwise) and node.op == example.op):
            continue
        for operand, given in product(inner, product(sorted(numbers), repeat=count)):
            try:
                is_same = function(operand, *given) is node
            except EquationError:  # no function for these numbers, or a comparison
                continue
            if is_same:
                yield NativeActivation(name, given), operand


def _get_elementwise_operands(node: Node) -> tuple[Node, ...]:
    return node.operands if isinstance(node, Elementwise) else ()
