"""The reverse pass: a graph in, its adjoint out, as another graph of the same nodes.

One step of backpropagation through time. Given the gradient of the loss with respect to the
states that a step leaves behind (a leaf of kind ``gradient`` for each), the adjoint holds the
gradients with respect to the states that it found, its input, its vectors, and each result of
an affine map (``deltas``) and of a norm. Gradients of weights are sums of outer products of
deltas and operands over many steps, so they are not part of the graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sluice.equations.graph import (
    Affine,
    Elementwise,
    Graph,
    Leaf,
    Node,
    RowMap,
    RowNorm,
    X,
    constant,
    elementwise,
    is_number,
    sort_topologically,
)
from sluice.equations.op_table import OPS
from sluice.equations.row_maps import (
    CUMULATIVE_SUM,
    MAXIMUM,
    MAXIMUM_SHARE,
    REPEAT,
    REVERSE_CUMULATIVE_SUM,
    SUM,
    SUM_TILES,
    TILE,
    split_groups,
    with_groups,
)
from sluice.equations.row_nodes import row_map
from sluice.equations.specs import CONSTANT


@dataclass(frozen=True)
class NormDelta:
    """The gradients that reach a norm's results: what its weight and bias learn from."""

    norm: str
    group: tuple[Node, ...]
    upstream: tuple[Node, ...]


@dataclass(frozen=True)
class Adjoint:
    """The gradients of one step; a name is missing where nothing reaches it.

    ``gradients_by_name`` holds those of the values that the step returns: total derivatives, as the
    gradients of the states come from all later steps. They are not among the `outputs`, since only
    recordings need them.
    """

    states: dict[str, Node]
    input: Node | None
    inputs: dict[str, Node]
    vectors: dict[str, Node]
    deltas: dict[Affine, Node]
    norms: tuple[NormDelta, ...]
    gradients_by_name: dict[str, Node]

    @property
    def outputs(self) -> tuple[Node, ...]:
        """Every gradient node."""
        found = [*self.states.values(), *self.inputs.values()]
        found += [*self.vectors.values(), *self.deltas.values()]
        found += [node for norm in self.norms for node in norm.upstream]
        return tuple(found if self.input is None else [*found, self.input])

    def find_forward_nodes(self, graph: Graph) -> tuple[Node, ...]:
        """The nodes of the forward graph that the gradients read, operands first.

        Leaves are left out: any step has them.
        """
        forward = {node for node in graph.nodes if not isinstance(node, Leaf)}
        wanted = [node for delta in self.deltas for node in (delta.operand,)]
        wanted += [part for norm in self.norms for part in norm.group]
        below = sort_topologically([*self.outputs, *wanted], known=forward)
        read = {operand for node in below for operand in node.operands} | set(self.outputs)
        read |= set(wanted)
        return tuple(node for node in graph.nodes if node in forward and node in read)


def differentiate(graph: Graph) -> Adjoint:
    """Differentiate ``graph`` in reverse."""
    gradients: dict[Node, Node] = {}
    norms: list[NormDelta] = []
    for value in graph.kept_values:
        leaf = Leaf("gradient", value.name, value.width)
        _add(gradients, graph.outputs_by_name[value.name], leaf)
    first_parts = _find_first_parts(graph)
    for node in reversed(graph.nodes):
        if isinstance(node, RowNorm):
            if first_parts[node.norm, node.group] is node:  # by now all parts are complete
                norms.extend(_differentiate_norm(node, gradients))
        elif node in gradients:
            for operand, gradient in _operand_gradients(node, gradients[node]):
                _add(gradients, operand, gradient)
    reached = [node for node in graph.nodes if node in gradients]
    learned = {vector.name for vector in graph.vectors if vector.learned}
    leaves = {(n.kind, n.name): gradients[n] for n in reached if isinstance(n, Leaf)}
    return Adjoint(
        states={name: g for (kind, name), g in leaves.items() if kind == "state"},
        input=gradients.get(X),
        inputs={leaf.name: gradients[leaf] for leaf in graph.input_leaves if leaf in gradients},
        vectors={
            name: g for (kind, name), g in leaves.items() if kind == "vector" and name in learned
        },
        deltas={
            node: gradients[node]
            for node in reached
            if isinstance(node, Affine) and graph.get_stack(node.stack).learned
        },
        norms=tuple(norms),
        gradients_by_name={
            name: gradients[node] for name, node in graph.outputs if node in gradients
        },
    )


def _add(gradients: dict[Node, Node], node: Node, gradient: Node) -> None:
    """Add to the gradient of ``node``, brought to its width.

    What one number a row was used for at every unit comes back as a sum over the units.
    """
    if gradient.width != node.width and not is_number(gradient):
        gradient = row_map(SUM if node.width == CONSTANT else REPEAT, gradient, node.width)
    known = gradients.get(node)
    gradients[node] = gradient if known is None else elementwise("add", known, gradient)


def _find_first_parts(graph: Graph) -> dict[tuple[str, tuple[Node, ...]], RowNorm]:
    found: dict[tuple[str, tuple[Node, ...]], RowNorm] = {}
    for node in graph.nodes:
        if isinstance(node, RowNorm):
            found.setdefault((node.norm, node.group), node)
    return found


def _operand_gradients(node: Node, gradient: Node) -> Iterator[tuple[Node, Node]]:
    if isinstance(node, Affine):
        operand = node.operand
        yield operand, Affine(node.stack, node.gate, gradient, operand.width, True)
    elif isinstance(node, Elementwise):
        parts = OPS[node.op].derivative(gradient, node, *node.arguments)
        for operand, part in zip(node.arguments, parts, strict=True):
            is_constant = isinstance(operand, Leaf) and operand.kind == "constant"
            if isinstance(part, Node) and not is_constant:
                yield operand, part
    elif isinstance(node, RowMap):
        yield node.operand, _differentiate_row_map(node, gradient)


_ADJOINTS = {
    SUM: REPEAT,
    REPEAT: SUM,
    TILE: SUM_TILES,
    SUM_TILES: TILE,
    CUMULATIVE_SUM: REVERSE_CUMULATIVE_SUM,
    REVERSE_CUMULATIVE_SUM: CUMULATIVE_SUM,
}


def _differentiate_row_map(node: RowMap, gradient: Node) -> Node:
    """The gradient of a row map's operand; of a maximum, all that reach it share it."""
    (name, groups), width = split_groups(node.op), node.operand.width
    if name != MAXIMUM:
        return row_map(with_groups(_ADJOINTS[name], groups), gradient, width)
    share = row_map(with_groups(MAXIMUM_SHARE, groups), node.operand, width)
    return elementwise("multiply", row_map(REPEAT, gradient, width), share)


def _differentiate_norm(first: RowNorm, gradients: dict[Node, Node]) -> Iterator[NormDelta]:
    """Pass the gradients of all parts of a norm back to its group, together."""
    parts = [
        RowNorm(first.norm, first.group, index, (), part.width)
        for index, part in enumerate(first.group)
    ]
    if not any(part in gradients for part in parts):
        return
    upstream = tuple(gradients.get(part, constant(0.0)) for part in parts)
    for index, operand in enumerate(first.group):
        back = RowNorm(first.norm, first.group, index, upstream, operand.width)
        _add(gradients, operand, back)
    yield NormDelta(first.norm, first.group, upstream)
