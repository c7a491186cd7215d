"""Layer norm on the maps of any cell."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sluice.cached import cached_property
from sluice.cells.cell import Cell
from sluice.cells.recurrent_maps import PAIRED, find_input_maps, find_state_maps
from sluice.cells.transform import InnerInterpreter, Transform
from sluice.equations.graph import Affine, Node
from sluice.equations.ops import Value
from sluice.equations.specs import NormSpec
from sluice.equations.symbol import EquationError
from sluice.equations.trace import Declarations

Part = tuple[str, str]
"""One map: its stack and its name."""


class LayerNormed(Transform):
    """What `layer_norm` makes."""

    def __init__(self, inner: Cell | type[Cell], span: str, epsilon: float) -> None:
        super().__init__(inner)
        if span not in ("all", "gate"):
            raise ValueError(f"span must be 'all' or 'gate', got {span!r}")
        self.span, self.epsilon = span, epsilon

    @cached_property
    def groups(self) -> dict[Part, tuple[Part, ...]]:
        """For each map that is normed, the maps that share its mean and variance."""
        graph = self.inner.graph
        read: dict[tuple[str, Node], list[Part]] = {}
        for node in self._list_normed():
            side = node.stack if node.stack in PAIRED else ""
            read.setdefault((side, node.operand), []).append((node.stack, node.gate))
        if not read:
            raise EquationError(f"{self.inner.name} has no map of the input or a state to norm")
        declared = [(stack.name, gate) for stack in graph.stacks for gate, _ in stack.gates]
        found: dict[Part, tuple[Part, ...]] = {}
        for used in read.values():
            order = tuple(part for part in declared if part in used)
            for part in order:
                found[part] = order if self.span == "all" else (part,)
        return found

    def _list_normed(self) -> list[Affine]:
        """The gates' maps; on a side that has none, the maps of a state or of the input."""
        graph = self.inner.graph
        sides = {stack.name for stack in graph.stacks}
        maps = {*([] if "ih" in sides else find_input_maps(graph))}
        maps |= {*([] if "hh" in sides else find_state_maps(graph))}
        return [
            node
            for node in graph.nodes
            if isinstance(node, Affine) and (node.stack in PAIRED or node in maps)
        ]

    def norm_name(self, group: tuple[Part, ...]) -> str:
        """The name of the norm over ``group``, as its parameters carry it."""
        stack, gates = group[0][0], "_".join(gate for _, gate in group)
        if stack not in PAIRED:
            return f"norm_{gates}"
        whole = len(group) == len(self.inner.graph.get_stack(stack).gates) > 1
        return f"norm_{stack}" if whole else f"norm_{stack}_{gates}"

    @cached_property
    def declarations(self) -> Declarations:
        inner = self.inner.declarations
        names = {self.norm_name(group) for group in self.groups.values()}
        norms = tuple(NormSpec(name, (), self.epsilon) for name in sorted(names))
        normed = {*PAIRED, *(stack for stack, _ in self.groups)}
        stacks = tuple(
            replace(s, bias=False, unbiased=()) if s.name in normed else s for s in inner.stacks
        )
        return replace(inner, stacks=stacks, norms=inner.norms + norms)

    def step(self, x: Value, **values: Value) -> dict[str, Value]:
        normed = _LayerNormInterpreter(self.interpreter, self)
        return self.inner.bind_interpreter(normed).call_step(x, values)


@dataclass
class _LayerNormInterpreter(InnerInterpreter):
    """An interpreter whose maps are normed."""

    cell: LayerNormed

    def affine(self, stack: str, gate: str, operand: Value) -> Value:
        group = self.cell.groups.get((stack, gate))
        if group is None:
            return self.interpreter.affine(stack, gate, operand)
        parts = tuple(self.interpreter.affine(*other, operand) for other in group)
        return self.interpreter.norm(self.cell.norm_name(group), parts)[group.index((stack, gate))]


def layer_norm(cell: Cell | type[Cell], span: str = "all", epsilon: float = 1e-5) -> Cell:
    """``cell`` with layer norm on its gates' maps (Ba, Kiros & Hinton 2016, equations 4 and 20).

    W x and R h are normed apart, each with a weight and a bias of its own, which take the place of
    the gates' biases. With ``span="all"`` mean and variance are taken over all gates that read the
    same value, as in the paper; with ``span="gate"`` over each gate alone.

    In a cell where no gate reads a state, those maps (`Map`) are normed that read a state of the
    step before, or an elementwise function of it, as in ``map(r * h)``; where no gate reads the
    input, the maps of the input. Raises `EquationError` for a cell with none of these.

    Example:
        >>> from sluice.cells import GRU, layer_norm
        >>> layer_norm(GRU).name
        'LayerNormed(GRU)'
    """
    return LayerNormed(cell, span, epsilon)
