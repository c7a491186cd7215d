"""A graph's canonical text, and the graph of a text: what a saved program carries of a cell.

The text begins with what the cell declares, a line each; the nodes follow, numbered,
operands first, and the outputs. Equal graphs have equal texts.
"""

from __future__ import annotations

from functools import lru_cache

from sluice.equations.graph import (
    Affine,
    Elementwise,
    Graph,
    Leaf,
    Node,
    RowMap,
    RowNorm,
)
from sluice.equations.specs import MaskSpec, NormSpec, StackSpec, StateSpec, VectorSpec

_HEADER = "sluice graph 1"


def to_text(graph: Graph) -> str:
    """The canonical text of ``graph``."""
    lines = [_HEADER, f"cell {graph.name}"]
    lines += [f"state {s.name} {s.width} {s.initial!r}" for s in graph.states]
    lines += [_format_stack(stack) for stack in graph.stacks]
    lines += [f"vector {v.name} {v.width} {v.initial!r}" for v in graph.vectors]
    lines += [f"norm {n.name} {n.epsilon!r} {' '.join(n.widths)}" for n in graph.norms]
    lines += [_format_mask(mask) for mask in graph.masks]
    numbers: dict[Node, int] = {}
    for number, node in enumerate(graph.nodes):
        lines.append(f"{number} {_format_node(node, numbers)}")
        numbers[node] = number
    lines += [f"output {name} {numbers[node]}" for name, node in graph.outputs]
    return "\n".join(lines) + "\n"


@lru_cache(maxsize=64)
def from_text(text: str) -> Graph:
    """The graph that `to_text` wrote as ``text``.

    Raises ValueError where the text is no graph, or one of another version.
    """
    lines = text.splitlines()
    if not lines or lines[0] != _HEADER:
        raise ValueError(f"the first line of a graph must be '{_HEADER}', got {lines[:1]}")
    name, found, nodes = "", _DeclarationReader(), list[Node]()
    for line in lines[1:]:
        head, *rest = line.split(" ")
        if head.isdecimal():
            nodes.append(_parse_node(rest, nodes))
        elif head == "cell":
            name = rest[0]
        elif head == "output":
            found.outputs.append((rest[0], nodes[int(rest[1])]))
        else:
            found.parse(head, rest)
    return Graph(
        name,
        tuple(found.states),
        tuple(found.stacks),
        tuple(found.vectors),
        tuple(found.norms),
        tuple(found.masks),
        tuple(found.outputs),
    )


def _format_stack(stack: StackSpec) -> str:
    gates = " ".join(f"{gate}:{width}" for gate, width in stack.gates)
    return f"stack {stack.name} {stack.operand} {stack.heads} {int(stack.bias)} {gates}"


def _format_mask(mask: MaskSpec) -> str:
    numbers = " ".join(
        repr(n) for n in (mask.rate, mask.keep_value, mask.drop_value, mask.eval_value)
    )
    return f"mask {mask.name} {numbers} {int(mask.shared)} {mask.width}"


def _format_node(node: Node, numbers: dict[Node, int]) -> str:
    if isinstance(node, Leaf):
        return f"{node.kind} {node.name} {node.width}"
    operands = " ".join(str(numbers[operand]) for operand in node.operands)
    if isinstance(node, Affine):
        return f"affine {node.stack} {node.gate} {node.width} {operands}"
    if isinstance(node, RowNorm):
        return f"rownorm {node.norm} {node.index} {node.width} {operands}"
    if isinstance(node, RowMap):
        return f"rowmap {node.op} {node.width} {operands}"
    assert isinstance(node, Elementwise)
    return f"apply {node.op} {node.width} {operands}"


def _parse_node(words: list[str], nodes: list[Node]) -> Node:
    kind, *rest = words
    if kind == "affine":
        stack, gate, width, operand = rest
        return Affine(stack, gate, nodes[int(operand)], width, False)
    if kind == "rownorm":
        norm, index, width, *group = rest
        return RowNorm(norm, tuple(nodes[int(n)] for n in group), int(index), (), width)
    if kind == "rowmap":
        op, width, operand = rest
        return RowMap(op, nodes[int(operand)], width)
    if kind == "apply":
        op, width, *operands = rest
        return Elementwise(op, tuple(nodes[int(n)] for n in operands), width)
    name, width = rest
    return Leaf(kind, name, width)


class _DeclarationReader:
    """The declarations read so far."""

    def __init__(self) -> None:
        self.states: list[StateSpec] = []
        self.stacks: list[StackSpec] = []
        self.vectors: list[VectorSpec] = []
        self.norms: list[NormSpec] = []
        self.masks: list[MaskSpec] = []
        self.outputs: list[tuple[str, Node]] = []

    def parse(self, head: str, words: list[str]) -> None:
        if head == "state":
            self.states.append(StateSpec(words[0], words[1], float(words[2])))
        elif head == "stack":
            name, operand, heads, bias, *gates = words
            pairs = tuple((g, w) for g, _, w in (pair.partition(":") for pair in gates))
            self.stacks.append(StackSpec(name, pairs, operand, int(heads), bool(int(bias))))
        elif head == "vector":
            initial = None if words[2] == "None" else float(words[2])
            self.vectors.append(VectorSpec(words[0], words[1], initial))
        elif head == "norm":
            self.norms.append(NormSpec(words[0], tuple(words[2:]), float(words[1])))
        elif head == "mask":
            name, *numbers, shared, width = words
            rate, kept, dropped, evaluated = map(float, numbers)
            self.masks.append(
                MaskSpec(name, rate, kept, dropped, evaluated, bool(int(shared)), width)
            )
        else:
            raise ValueError(f"{head} {' '.join(words)} is not a line of a graph")
