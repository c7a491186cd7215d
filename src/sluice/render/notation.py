"""The symbols of a cell's values: the field's short ones, else names in upright type.

Every symbol comes as a `Words` pair, LaTeX and plain Unicode, and both are always built together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from sluice.equations.graph import Affine, Graph, Leaf, Node
from sluice.equations.ops import CALL, NEGATED, PRODUCT
from sluice.equations.specs import StackSpec

SHORT = {"input": "i", "forget": "f", "output": "o", "reset": "r", "update": "z", "hidden": "h"}
_PEEPHOLES = ("peep", "peephole")
_GREEK = dict(
    zip(
        "alpha beta gamma delta epsilon eta theta lambda mu rho tau phi psi".split(),
        "αβγδεηθλμρτφψ",
        strict=True,
    )
)


@dataclass(frozen=True)
class MathText:
    """A piece of an equation in both forms; ``precedence`` says how tightly it binds."""

    latex: str
    plain: str
    precedence: int = CALL

    def parenthesize(self, precedence: int) -> MathText:
        """This piece, in parentheses unless it binds as tightly as ``precedence``."""
        if self.precedence >= precedence:
            return self
        return MathText(f"({self.latex})", f"({self.plain})")

    def with_accent(self, latex: str, mark: str) -> MathText:
        """With an accent over it: a LaTeX command and a combining character."""
        return MathText(rf"{latex}{{{self.latex}}}", self.plain + mark)

    def with_subscripts(self, *subscripts: MathText) -> MathText:
        """With these subscripts, one after the other."""
        plain = "".join(s.plain for s in subscripts)
        short = plain.isalnum() and len(self.plain) == 1
        return MathText(
            f"{self.latex}_{{{''.join(s.latex for s in subscripts)}}}",
            f"{self.plain}_{plain}" if short or plain == "t" else f"{self.plain}_{{{plain}}}",
        )

    def juxtapose(self, other: MathText, precedence: int) -> MathText:
        """Side by side with ``other``, as in W x."""
        return MathText(rf"{self.latex}\,{other.latex}", f"{self.plain} {other.plain}", precedence)


NOW, BEFORE, COMMA = MathText("t", "t"), MathText("t-1", "t-1"), MathText(",", ",")


def format_name(name: str) -> MathText:
    """A name as a symbol: one letter in italics, Greek as Greek, others upright."""
    if len(name) == 1:
        return MathText(name, name)
    if name in _GREEK:
        return MathText(f"\\{name}", _GREEK[name])
    return MathText(rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}", name)


def format_number(value: str) -> MathText:
    """A constant, given as the repr of a float."""
    shown = f"{float(value):.6g}"
    binds = NEGATED if shown.startswith("-") else CALL
    digits, _, power = shown.partition("e")
    if not power:
        return MathText(shown, shown.replace("-", "−"), binds)
    factor = "" if digits == "1" else rf"{digits} \cdot "
    return MathText(f"{factor}10^{{{int(power)}}}", shown, binds if binds == NEGATED else PRODUCT)


@dataclass
class Notation:
    """The symbols of one cell.

    ``base`` holds, without a time, those of its states and of the names that its step returns;
    ``extra`` the nodes that equations share without a name of their own, and their symbols.
    """

    graph: Graph
    symbols: dict[str, MathText] = field(default_factory=dict)
    shared_symbols: dict[Node, MathText] = field(default_factory=dict)

    @classmethod
    def from_graph(cls, graph: Graph) -> Self:
        found = cls(graph)
        for state in graph.states:
            found.symbols[state.name] = format_name(state.name)
        for name in graph.outputs_by_name:
            if name not in found.symbols:
                found.symbols[name] = found._pick_unused(
                    found._pick_symbol(name), format_name(name)
                )
        return found

    def _pick_symbol(self, name: str) -> MathText:
        if name != "candidate":
            return format_name(SHORT.get(name, name))
        names = [state.name for state in self.graph.states]
        target = "c" if "c" in names else names[0]
        return format_name(target).with_accent(r"\tilde", "\u0303")

    def _pick_unused(self, *candidates: MathText) -> MathText:
        """The first of ``candidates`` that is not yet used; the last as a fallback."""
        taken = {words.latex for words in (*self.symbols.values(), MathText("x", "x"))}
        return next(
            (words for words in candidates[:-1] if words.latex not in taken), candidates[-1]
        )

    def value(self, name: str) -> MathText:
        """A named value at this step."""
        return self.symbols[name].with_subscripts(NOW)

    def assign_symbols(self, nodes: Iterable[Node]) -> None:
        """Give ``nodes`` symbols of their own: pre-activations their gate's with a hat."""
        letters = iter("uvwabdegkpqs")
        for node in nodes:
            gates = find_gates(node)
            hat = (
                self._pick_symbol(gates[0]).with_accent(r"\hat", "\u0302")
                if len(gates) == 1
                else None
            )
            used = {words.latex for words in self.shared_symbols.values()}
            free = (format_name(f) for f in letters if format_name(f) not in self.symbols.values())
            plain_hat = hat is not None and r"\tilde" not in hat.latex and hat.latex not in used
            self.shared_symbols[node] = hat if hat is not None and plain_hat else next(free)

    def leaf(self, leaf: Leaf) -> MathText:
        """The symbol of what comes in."""
        if leaf.kind == "constant":
            return format_number(leaf.name)
        if leaf.kind == "size":
            return MathText(rf"n_{{\mathrm{{{leaf.name}}}}}", f"n_{leaf.name}")
        if leaf.kind == "input":
            return MathText("x", "x").with_subscripts(NOW)
        if leaf.kind == "state":
            return self.symbols[leaf.name].with_subscripts(BEFORE)
        head, tail = self._split_name(leaf.name)
        shared = {mask.name for mask in self.graph.masks if mask.shared}
        timed = leaf.kind == "mask" and leaf.name not in shared
        marks = [tail] * (tail is not None) + [COMMA] * (tail is not None and timed) + [NOW] * timed
        return (
            head.with_subscripts(*(mark for mark in marks if mark is not None)) if marks else head
        )

    def _split_name(self, name: str) -> tuple[MathText, MathText | None]:
        """`peep_input` as p with the subscript i: where the tail is a gate or a state."""
        head, _, tail = name.rpartition("_")
        if head and (tail in self.symbols or tail in SHORT):
            return format_name("p" if head in _PEEPHOLES else head), self.symbols.get(
                tail, format_name(SHORT.get(tail, tail))
            )
        return format_name("p" if name in _PEEPHOLES else name), None

    def subscripts(self, stack: StackSpec, gate: str) -> tuple[MathText, ...]:
        """The subscripts of a map's weight: as torch's, first what it reads, then the gate."""
        if stack.name not in ("ih", "hh"):
            name = SHORT.get(stack.name, stack.name)
            return (MathText(name, name) if len(name) == 2 else format_name(name),)
        reads = format_name("i" if stack.name == "ih" else "h")
        target = (
            self._pick_symbol(gate) if gate == "candidate" else format_name(SHORT.get(gate, gate))
        )
        bare = target.latex.removeprefix(r"\tilde{").removesuffix("}")
        target = MathText(bare, bare) if gate == "candidate" else target
        return (reads, COMMA, target) if len(target.plain) > 1 else (reads, target)

    def weight(self, affine: Affine) -> MathText:
        """The weight of a map."""
        return MathText("W", "W").with_subscripts(
            *self.subscripts(self.graph.get_stack(affine.stack), affine.gate)
        )

    def bias(self, affine: Affine) -> MathText:
        """The bias of a map."""
        return MathText("b", "b").with_subscripts(
            *self.subscripts(self.graph.get_stack(affine.stack), affine.gate)
        )

    def norm(self, name: str) -> MathText:
        """A layer norm: LN, and as its subscript what tells it from the others."""
        words = MathText(r"\mathrm{LN}", "LN")
        stack, *gates = name.removeprefix("norm").removeprefix("_").split("_")
        if not stack:
            return words
        marks = [MathText(stack, stack)]
        for gate in gates:
            marks += [COMMA, self.symbols.get(gate, format_name(SHORT.get(gate, gate)))]
        return words.with_subscripts(*marks)


def find_gates(node: Node) -> list[str]:
    """The gates whose maps a sum adds up, each once; none where it adds anything else."""
    if isinstance(node, Affine):
        return [node.gate]
    if getattr(node, "op", "") != "add":
        return []
    parts = [find_gates(operand) for operand in node.operands]
    return list(dict.fromkeys(g for part in parts for g in part)) if all(parts) else []
