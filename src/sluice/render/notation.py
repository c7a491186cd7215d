"""The symbols of a cell's values: short ones where the field has them, else names in upright type.

Every symbol comes as a `Words` pair, LaTeX and plain Unicode, and both are always built together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from sluice.equations.graph import Affine, Graph, Leaf, Node
from sluice.equations.ops import CALL, NEGATED, PRODUCT
from sluice.equations.specs import Stack

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
class Words:
    """A piece of an equation in both forms; ``binds`` says how tightly it holds together."""

    latex: str
    plain: str
    binds: int = CALL

    def within(self, needed: int) -> Words:
        """This piece, in parentheses unless it binds as tightly as ``needed``."""
        if self.binds >= needed:
            return self
        return Words(f"({self.latex})", f"({self.plain})")

    def accented(self, latex: str, mark: str) -> Words:
        """With an accent over it: a LaTeX command and a combining character."""
        return Words(rf"{latex}{{{self.latex}}}", self.plain + mark)

    def at(self, *subscripts: Words) -> Words:
        """With these subscripts, one after the other."""
        plain = "".join(s.plain for s in subscripts)
        short = plain.isalnum() and len(self.plain) == 1
        return Words(
            f"{self.latex}_{{{''.join(s.latex for s in subscripts)}}}",
            f"{self.plain}_{plain}" if short or plain == "t" else f"{self.plain}_{{{plain}}}",
        )

    def joined(self, other: Words, binds: int) -> Words:
        """Side by side with ``other``, as in W x."""
        return Words(rf"{self.latex}\,{other.latex}", f"{self.plain} {other.plain}", binds)


NOW, BEFORE, COMMA = Words("t", "t"), Words("t-1", "t-1"), Words(",", ",")


def spelled(name: str) -> Words:
    """A name as a symbol: one letter in italics, Greek as Greek, others upright."""
    if len(name) == 1:
        return Words(name, name)
    if name in _GREEK:
        return Words(f"\\{name}", _GREEK[name])
    return Words(rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}", name)


def number(value: str) -> Words:
    """A constant, given as the repr of a float."""
    shown = f"{float(value):.6g}"
    binds = NEGATED if shown.startswith("-") else CALL
    digits, _, power = shown.partition("e")
    if not power:
        return Words(shown, shown.replace("-", "−"), binds)
    factor = "" if digits == "1" else rf"{digits} \cdot "
    return Words(f"{factor}10^{{{int(power)}}}", shown, binds if binds == NEGATED else PRODUCT)


@dataclass
class Notation:
    """The symbols of one cell.

    ``base`` holds, without a time, those of its states and of the names that its step returns;
    ``extra`` the nodes that equations share without a name of their own, and their symbols.
    """

    graph: Graph
    base: dict[str, Words] = field(default_factory=dict)
    extra: dict[Node, Words] = field(default_factory=dict)

    @classmethod
    def of(cls, graph: Graph) -> Self:
        found = cls(graph)
        for state in graph.states:
            found.base[state.name] = spelled(state.name)
        for name in graph.named:
            if name not in found.base:
                found.base[name] = found._free(found._short(name), spelled(name))
        return found

    def _short(self, name: str) -> Words:
        if name != "candidate":
            return spelled(SHORT.get(name, name))
        names = [state.name for state in self.graph.states]
        target = "c" if "c" in names else names[0]
        return spelled(target).accented(r"\tilde", "\u0303")

    def _free(self, *wanted: Words) -> Words:
        """The first of ``wanted`` that nothing goes by yet; the last is the fall-back."""
        taken = {words.latex for words in (*self.base.values(), Words("x", "x"))}
        return next((words for words in wanted[:-1] if words.latex not in taken), wanted[-1])

    def value(self, name: str) -> Words:
        """A named value at this step."""
        return self.base[name].at(NOW)

    def share(self, nodes: Iterable[Node]) -> None:
        """Give ``nodes`` symbols of their own: pre-activations their gate's with a hat."""
        letters = iter("uvwabdegkpqs")
        for node in nodes:
            gates = gates_of(node)
            hat = self._short(gates[0]).accented(r"\hat", "\u0302") if len(gates) == 1 else None
            used = {words.latex for words in self.extra.values()}
            free = (spelled(f) for f in letters if spelled(f) not in self.base.values())
            plain_hat = hat is not None and r"\tilde" not in hat.latex and hat.latex not in used
            self.extra[node] = hat if hat is not None and plain_hat else next(free)

    def leaf(self, leaf: Leaf) -> Words:
        """The symbol of what comes in."""
        if leaf.kind == "constant":
            return number(leaf.name)
        if leaf.kind == "input":
            return Words("x", "x").at(NOW)
        if leaf.kind == "state":
            return self.base[leaf.name].at(BEFORE)
        head, tail = self._parted(leaf.name)
        shared = {mask.name for mask in self.graph.masks if mask.shared}
        timed = leaf.kind == "mask" and leaf.name not in shared
        marks = [tail] * (tail is not None) + [COMMA] * (tail is not None and timed) + [NOW] * timed
        return head.at(*(mark for mark in marks if mark is not None)) if marks else head

    def _parted(self, name: str) -> tuple[Words, Words | None]:
        """`peep_input` as p with the subscript i: where the tail is a gate or a state."""
        head, _, tail = name.rpartition("_")
        if head and (tail in self.base or tail in SHORT):
            return spelled("p" if head in _PEEPHOLES else head), self.base.get(
                tail, spelled(SHORT.get(tail, tail))
            )
        return spelled("p" if name in _PEEPHOLES else name), None

    def index(self, stack: Stack, gate: str) -> tuple[Words, ...]:
        """The subscripts of a map's weight: as torch's, first what it reads, then the gate."""
        if stack.name not in ("ih", "hh"):
            name = SHORT.get(stack.name, stack.name)
            return (Words(name, name) if len(name) == 2 else spelled(name),)
        reads = spelled("i" if stack.name == "ih" else "h")
        target = self._short(gate) if gate == "candidate" else spelled(SHORT.get(gate, gate))
        bare = target.latex.removeprefix(r"\tilde{").removesuffix("}")
        target = Words(bare, bare) if gate == "candidate" else target
        return (reads, COMMA, target) if len(target.plain) > 1 else (reads, target)

    def weight(self, affine: Affine) -> Words:
        """The weight of a map."""
        return Words("W", "W").at(*self.index(self.graph.stack(affine.stack), affine.gate))

    def bias(self, affine: Affine) -> Words:
        """The bias of a map."""
        return Words("b", "b").at(*self.index(self.graph.stack(affine.stack), affine.gate))

    def norm(self, name: str) -> Words:
        """A layer norm: LN, and as its subscript what tells it from the others."""
        words = Words(r"\mathrm{LN}", "LN")
        stack, *gates = name.removeprefix("norm").removeprefix("_").split("_")
        if not stack:
            return words
        marks = [Words(stack, stack)]
        for gate in gates:
            marks += [COMMA, self.base.get(gate, spelled(SHORT.get(gate, gate)))]
        return words.at(*marks)


def gates_of(node: Node) -> list[str]:
    """The gates whose maps a sum adds up, each once; none where it adds anything else."""
    if isinstance(node, Affine):
        return [node.gate]
    if getattr(node, "op", "") != "add":
        return []
    parts = [gates_of(operand) for operand in node.operands]
    return list(dict.fromkeys(g for part in parts for g in part)) if all(parts) else []
