"""A graph's canonical text, and the graph of a text: what a saved program carries of a cell.

The text begins with what the cell declares, a line each; the nodes follow, numbered,
operands first, and the outputs. Equal graphs have equal texts.

Each kind of line is a row of a table here: how it is written, and how its words are read. What the
words mean together is the validator's to check, as for a graph that was traced. Nothing in a text
is ever run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

from sluice.equations.graph import (
    Affine,
    Elementwise,
    Graph,
    Leaf,
    Node,
    RowMap,
    RowNorm,
)
from sluice.equations.limits import MAX_NAME_LENGTH, MAX_TEXT_BYTES
from sluice.equations.specs import (
    InputSpec,
    MaskSpec,
    NoiseSpec,
    NormSpec,
    RandomSpec,
    StackSpec,
    StateSpec,
    VectorSpec,
)
from sluice.equations.symbol import EquationError
from sluice.equations.validation import GraphValidator

_NORMAL = "normal"
_HEADER = "sluice graph 2"
_READ_HEADERS = ("sluice graph 1", _HEADER)
_FIXED = "fixed"
"""In place of an initial value or a flag of biases: what the cell's definition gives."""


@dataclass(frozen=True)
class _DeclarationLine:
    """A kind of declaration: the words of its line after ``keyword``, written and read."""

    keyword: str
    field: str
    write: Callable[[Any], list[str]]
    read: Callable[[list[str]], Any]


@dataclass(frozen=True)
class _NodeLine:
    """A kind of node: the words after its number and ``keyword``, but for its operands' numbers.

    ``read`` is given those words, of which there are ``count``, and the operands.
    """

    keyword: str
    kind: type[Node]
    count: int
    write: Callable[[Any], list[str]]
    read: Callable[[Sequence[str], tuple[Node, ...]], Node]


def to_text(graph: Graph) -> str:
    """The canonical text of ``graph``."""
    lines = [_HEADER, f"cell {graph.name}"]
    for line in _DECLARATIONS.values():
        lines += [
            " ".join([line.keyword, *line.write(spec)]) for spec in getattr(graph, line.field)
        ]
    numbers: dict[Node, int] = {}
    for number, node in enumerate(graph.nodes):
        lines.append(f"{number} {' '.join(_write_node(node, numbers))}")
        numbers[node] = number
    lines += [f"output {name} {numbers[node]}" for name, node in graph.outputs]
    if graph.output != (graph.states[0].name,):
        lines.append(" ".join(["gives", *graph.output]))
    return "\n".join(lines) + "\n"


@lru_cache(maxsize=64)
def from_text(text: str) -> Graph:
    """The graph that `to_text` wrote as ``text``.

    Raises `EquationError`, which names the line, where the text is no graph: of another version,
    damaged, with declarations, nodes or widths that do not fit together, or too large.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise EquationError(
            f"the text of a graph may have {MAX_TEXT_BYTES:,} characters, got {len(text):,}"
        )
    first, *lines = text.split("\n")
    if first not in _READ_HEADERS:
        raise EquationError(f"the first line of a graph must be '{_HEADER}', got {first!r:.80}")
    if lines and not lines[-1]:
        lines.pop()
    reader = _Reader()
    for number, line in enumerate(lines, 2):
        try:
            reader.read(line)
        except EquationError as error:
            raise EquationError(f"line {number} of a graph, {line!r:.80}: {error}") from None
    try:
        return reader.finish()
    except EquationError as error:
        raise EquationError(f"the text of a graph: {error}") from None


class _Reader:
    """Reads a text line by line; each part is checked before the next is read."""

    def __init__(self) -> None:
        self._validator = GraphValidator()
        self._name = ""
        self._declared: dict[str, list[Any]] = {d.field: [] for d in _DECLARATIONS.values()}
        self._nodes: list[Node] = []
        self._outputs: list[tuple[str, Node]] = []
        self._given: tuple[str, ...] = ()

    def read(self, line: str) -> None:
        head, *words = line.split(" ")
        if head.isdecimal():
            self._read_node(head, words)
        elif head == "output":
            name, number = _take(words, 2)
            node = self._find_node(number)
            self._validator.add_output(name, node)
            self._outputs.append((name, node))
        elif head == "gives" and words and not self._given:
            self._validator.add_choice(words)
            self._given = tuple(words)
        elif head == "cell" and not self._name:
            (self._name,) = _take(words, 1)
            self._validator.add_name(self._name)
        elif head in _DECLARATIONS and not self._nodes:
            spec = _DECLARATIONS[head].read(words)
            self._validator.add(spec)
            self._declared[_DECLARATIONS[head].field].append(spec)
        else:
            raise EquationError("it is not a line of a graph, or not at its place")

    def _read_node(self, head: str, words: list[str]) -> None:
        if head != str(len(self._nodes)) or self._outputs or not words:
            raise EquationError(f"expected value number {len(self._nodes)}, before the outputs")
        keyword, *words = words
        line = _NODES.get(keyword)
        if line is None:
            node: Node = Leaf(keyword, *_take(words, 2))
        else:
            own, numbers = words[: line.count], words[line.count :]
            operands = tuple(map(self._find_node, numbers))
            node = line.read(_take(own, line.count), operands)
        self._validator.add(node)
        self._nodes.append(node)

    def _find_node(self, word: str) -> Node:
        number = _read_integer(word)
        if number >= len(self._nodes):
            raise EquationError(f"value {number} is used before it is computed")
        return self._nodes[number]

    def finish(self) -> Graph:
        self._validator.add_name(self._name)
        self._validator.finish()
        declared = {field: tuple(specs) for field, specs in self._declared.items()}
        outputs = tuple(self._outputs)
        return Graph(self._name, outputs=outputs, output=self._given, **declared)


def _write_node(node: Node, numbers: dict[Node, int]) -> list[str]:
    if isinstance(node, Leaf):
        return [node.kind, node.name, node.width]
    line = next(line for line in _NODES.values() if isinstance(node, line.kind))
    operands = [str(numbers[operand]) for operand in node.operands]
    return [line.keyword, *line.write(node), *operands]


def _write_stack(stack: StackSpec) -> list[str]:
    marks = dict.fromkeys(stack.unbiased, ":unbiased")
    gates = [f"{gate}:{width}{marks.get(gate, '')}" for gate, width in stack.gates]
    bias = str(int(stack.bias)) if stack.learned else _FIXED
    return [stack.name, stack.operand, str(stack.heads), bias, *gates]


def _read_stack(words: list[str]) -> StackSpec:
    name, operand, heads, bias = _take(words[:4], 4)
    gates = [word.split(":") for word in words[4:]]
    if not all(len(gate) == 2 or gate[2:] == ["unbiased"] for gate in gates):
        _refuse_words("a gate must be written as name:width or name:width:unbiased")
    pairs = tuple((gate[0], gate[1]) for gate in gates)
    unbiased = tuple(gate[0] for gate in gates if len(gate) > 2)
    is_fixed = bias == _FIXED
    has_bias = not is_fixed and _read_flag(bias)
    return StackSpec(
        name, pairs, operand, _read_integer(heads), has_bias, unbiased, learned=not is_fixed
    )


def _write_mask(mask: RandomSpec) -> list[str]:
    if isinstance(mask, NoiseSpec):
        normal = map(_write_number, (mask.mean, mask.std, mask.eval_value))
        return [mask.name, _NORMAL, *normal, str(int(mask.shared)), mask.width]
    numbers = (mask.rate, mask.keep_value, mask.drop_value, mask.eval_value)
    return [mask.name, *map(_write_number, numbers), str(int(mask.shared)), mask.width]


def _read_mask(words: list[str]) -> RandomSpec:
    name, *numbers, shared, width = _take(words, 7)
    if numbers[0] == _NORMAL:
        mean, std, evaluated = map(_read_number, numbers[1:])
        return NoiseSpec(name, mean, std, evaluated, _read_flag(shared), width)
    rate, kept, dropped, evaluated = map(_read_number, numbers)
    return MaskSpec(name, rate, kept, dropped, evaluated, _read_flag(shared), width)


def _read_state(words: list[str]) -> StateSpec:
    name, width, initial = _take(words, 3)
    return StateSpec(name, width, _read_number(initial))


def _read_vector(words: list[str]) -> VectorSpec:
    name, width, initial = _take(words, 3)
    if initial == _FIXED:
        return VectorSpec(name, width, learned=False)
    return VectorSpec(name, width, None if initial == "None" else _read_number(initial))


def _write_vector(vector: VectorSpec) -> list[str]:
    initial = _write_number(vector.initial) if vector.learned else _FIXED
    return [vector.name, vector.width, initial]


def _read_norm(words: list[str]) -> NormSpec:
    name, epsilon = _take(words[:2], 2)
    return NormSpec(name, tuple(words[2:]), _read_number(epsilon))


def _read_affine(words: Sequence[str], operands: tuple[Node, ...]) -> Node:
    stack, gate, width = words
    (operand,) = _take(operands, 1)
    return Affine(stack, gate, operand, width, False)


def _read_row_map(words: Sequence[str], operands: tuple[Node, ...]) -> Node:
    (operand,) = _take(operands, 1)
    return RowMap(words[0], operand, words[1])


_DECLARATIONS = {
    line.keyword: line
    for line in (
        _DeclarationLine(
            "state", "states", lambda s: [s.name, s.width, _write_number(s.initial)], _read_state
        ),
        _DeclarationLine("stack", "stacks", _write_stack, _read_stack),
        _DeclarationLine("vector", "vectors", _write_vector, _read_vector),
        _DeclarationLine(
            "norm", "norms", lambda n: [n.name, _write_number(n.epsilon), *n.widths], _read_norm
        ),
        _DeclarationLine("mask", "masks", _write_mask, _read_mask),
        _DeclarationLine(
            "input",
            "inputs",
            lambda i: [i.name, i.width],
            lambda words: InputSpec(*_take(words, 2)),
        ),
    )
}

_NODES = {
    line.keyword: line
    for line in (
        _NodeLine("affine", Affine, 3, lambda n: [n.stack, n.gate, n.width], _read_affine),
        _NodeLine(
            "rownorm",
            RowNorm,
            3,
            lambda n: [n.norm, str(n.index), n.width],
            lambda words, group: RowNorm(words[0], group, _read_integer(words[1]), (), words[2]),
        ),
        _NodeLine("rowmap", RowMap, 2, lambda n: [n.op, n.width], _read_row_map),
        _NodeLine(
            "apply",
            Elementwise,
            2,
            lambda n: [n.op, n.width],
            lambda words, operands: Elementwise(words[0], operands, words[1]),
        ),
    )
}


def _take(words: Sequence[Any], count: int) -> Sequence[Any]:
    """The words, of which there must be so many."""
    if len(words) != count:
        _refuse_words(f"expected {count} words here, got {len(words)}")
    return words


def _read_integer(word: str) -> int:
    if not (word.isascii() and word.isdecimal() and len(word) < 11):
        _refuse_words(f"{word!r:.80} is no whole number")
    return int(word)


def _read_flag(word: str) -> bool:
    if word not in ("0", "1"):
        _refuse_words(f"{word!r:.80} must be 0 or 1")
    return word == "1"


def _write_number(number: float | None) -> str:
    return "None" if number is None else repr(float(number))


def _read_number(word: str) -> float:
    try:
        number = float(word) if len(word) <= MAX_NAME_LENGTH else None
    except ValueError:
        number = None
    if number is None or not math.isfinite(number) or word not in (repr(number), str(int(number))):
        _refuse_words(f"{word!r:.80} is no finite number as Python writes it")
    return number


def _refuse_words(why: str) -> NoReturn:
    raise EquationError(why)
