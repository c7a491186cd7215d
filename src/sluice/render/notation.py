"""The symbols of one cell: no two of its values, parameters and masks have the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from sluice.cached import cached_property
from sluice.equations.graph import Affine, Graph, Leaf, Node
from sluice.equations.specs import StackSpec
from sluice.render.math_text import AFTER, BEFORE, COMMA, NOW, MathText, format_number
from sluice.render.names import SHORT, format_mark, format_name, format_upright, is_letter

_PEEPHOLES = ("peep", "peephole")
_LETTERS = "uvwabdegkpqs"
"""What values without a name are called, in this order."""


@dataclass
class Notation:
    """The symbols of one cell.

    ``symbols`` holds, without a time, those of its states and of the names that its step returns;
    ``shared_symbols`` the nodes that equations share without a name of their own, and their
    symbols. With ``reverse`` the layer reads from the end: a step finds the states of t + 1.
    """

    graph: Graph
    symbols: dict[str, MathText] = field(default_factory=dict)
    shared_symbols: dict[Node, MathText] = field(default_factory=dict)
    leaf_symbols: dict[Leaf, MathText] = field(default_factory=dict)
    reverse: bool = False

    @classmethod
    def from_graph(cls, graph: Graph, reverse: bool = False) -> Self:
        found = cls(graph, reverse=reverse)
        for state in graph.states:
            found.symbols[state.name] = found._pick_unused(
                format_name(state.name), format_upright(state.name)
            )
        for name in graph.outputs_by_name:
            if name not in found.symbols:
                found.symbols[name] = found._pick_unused(
                    found._pick_symbol(name), format_name(name), format_upright(name)
                )
        found._assign_leaf_symbols()
        return found

    def _assign_leaf_symbols(self) -> None:
        """Symbols of vectors, masks and further inputs: unlike those of weights and biases."""
        affine = [node for node in self.graph.nodes if isinstance(node, Affine)]
        taken = {words.latex for node in affine for words in (self.weight(node), self.bias(node))}
        taken |= {self.value(name).latex for name in self.symbols}
        for leaf in self.graph.nodes:
            if not isinstance(leaf, Leaf) or leaf.kind in ("constant", "state"):
                continue
            upright = format_upright(leaf.name)
            words = self._format_leaf(leaf)
            if words.latex in taken:
                words = upright.with_subscripts(NOW) if self._is_timed(leaf) else upright
            taken.add(words.latex)
            self.leaf_symbols[leaf] = words

    def _pick_symbol(self, name: str) -> MathText:
        if name != "candidate":
            return format_name(_shorten(name, self._names))
        names = [state.name for state in self.graph.states]
        target = "c" if "c" in names else names[0]
        return self.symbols[target].with_accent(r"\tilde", "\u0303")

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
        """Give ``nodes`` symbols of their own: pre-activations their gate's with a hat.

        The others get letters, or one letter with numbers where there are not enough.
        """
        gates, unnamed = find_gates(self.graph), list[Node]()
        used = {words.latex for words in self.symbols.values()}
        for node in nodes:
            letter = self._pick_symbol(gates[node][0]) if len(gates[node]) == 1 else None
            hat = letter and letter.with_accent(r"\hat", "\u0302")
            if letter is None or hat is None or not is_letter(letter) or hat.latex in used:
                unnamed.append(node)
                hat = MathText("", "")  # its place, so that the order stays
            used.add(hat.latex)
            self.shared_symbols[node] = hat
        self.shared_symbols |= zip(unnamed, self._pick_letters(len(unnamed)), strict=True)

    def _pick_letters(self, count: int) -> list[MathText]:
        """As many symbols that nothing else has."""
        words = [*self.symbols.values(), *self.leaf_symbols.values()]
        taken = {(word.stem or word).latex for word in words}
        taken |= self._gate_names | self._stack_names
        free = [letter for letter in _LETTERS if letter not in taken]
        if count <= len(free):
            return [MathText(letter, letter) for letter in free[:count]]
        stem = MathText(free[0], free[0]) if free else MathText(r"\mathrm{tmp}", "tmp")
        return [stem.with_subscripts(MathText(str(k), str(k))) for k in range(1, count + 1)]

    def leaf(self, leaf: Leaf) -> MathText:
        """The symbol of what comes in."""
        if leaf.kind == "constant":
            return format_number(leaf.name)
        if leaf.kind == "size":
            return MathText(rf"n_{{\mathrm{{{leaf.name}}}}}", f"n_{leaf.name}")
        if leaf.kind == "state":
            return self.symbols[leaf.name].with_subscripts(AFTER if self.reverse else BEFORE)
        return self.leaf_symbols.get(leaf) or self._format_leaf(leaf)

    def _format_leaf(self, leaf: Leaf) -> MathText:
        head, tail = self._split_name(leaf.name)
        words = head if tail is None else head.with_subscripts(tail)
        return words.with_subscripts(NOW) if self._is_timed(leaf) else words

    def _is_timed(self, leaf: Leaf) -> bool:
        """Whether a leaf has a value of its own at every step."""
        shared = {mask.name for mask in self.graph.masks if mask.shared}
        return leaf.kind == "input" or (leaf.kind == "mask" and leaf.name not in shared)

    def find_fixed_nodes(self) -> set[Node]:
        """The nodes that are the same at every step."""
        found: set[Node] = set()
        for node in self.graph.nodes:
            if isinstance(node, Leaf):
                fixed = node.kind != "state" and not self._is_timed(node)
            else:
                fixed = all(operand in found for operand in node.operands)
            if fixed:
                found.add(node)
        return found

    def _split_name(self, name: str) -> tuple[MathText, MathText | None]:
        """`peep_input` as p with the subscript i: where the tail is a gate or a state."""
        head, _, tail = name.rpartition("_")
        known = tail in SHORT or tail in self._names or tail in self._stack_names
        if head and "_" not in head and known:
            return format_name("p" if head in _PEEPHOLES else head), self.symbols.get(
                tail, format_name(SHORT.get(tail, tail))
            )
        return format_name("p" if name in _PEEPHOLES else name), None

    def subscripts(self, stack: StackSpec, gate: str) -> tuple[MathText, ...]:
        """The subscripts of a map's weight: as torch's, first what it reads, then the gate."""
        if stack.name not in ("ih", "hh"):
            name = _shorten(stack.name, (other.name for other in self.graph.stacks))
            return (MathText(name, name) if len(name) == 2 else format_name(name),)
        reads = format_name("i" if stack.name == "ih" else "h")
        target = self._format_gate(gate)
        return (reads, COMMA, target) if len(target.plain) > 1 else (reads, target)

    def _format_gate(self, gate: str) -> MathText:
        """A gate as a subscript: by its short letter, if no other has that, or its name."""
        if gate == "candidate":
            target = "c" if "c" in self._state_names else self._state_names[0]
            return format_mark(target)
        return format_name(_shorten(gate, self._gate_names))

    @cached_property
    def _names(self) -> set[str]:
        """The names of all states, outputs and gates."""
        return self._gate_names | set(self._state_names) | set(self.graph.outputs_by_name)

    @property
    def _stack_names(self) -> set[str]:
        return {stack.name for stack in self.graph.stacks}

    @cached_property
    def _gate_names(self) -> set[str]:
        return {gate for stack in self.graph.stacks for gate, _ in stack.gates}

    @property
    def _state_names(self) -> list[str]:
        return [state.name for state in self.graph.states]

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


def _shorten(name: str, names: Iterable[str]) -> str:
    """The field's letter for a name, unless another of ``names`` is that letter."""
    short = SHORT.get(name, name)
    return name if short != name and short in set(names) else short


def find_gates(graph: Graph) -> dict[Node, tuple[str, ...]]:
    """For each node the gates whose maps it adds up, none where it adds anything else.

    Of more than two gates only two are told.
    """
    found: dict[Node, tuple[str, ...]] = {}
    for node in graph.nodes:
        if isinstance(node, Affine):
            found[node] = (node.gate,)
        elif getattr(node, "op", "") == "add" and all(found[o] for o in node.operands):
            gates = dict.fromkeys(gate for operand in node.operands for gate in found[operand])
            found[node] = tuple(gates)[:2]
        else:
            found[node] = ()
    return found
