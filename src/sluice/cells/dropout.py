"""Dropout on what the recurrent maps of any cell read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sluice.cached import cached_property
from sluice.cells.cell import Cell
from sluice.cells.recurrent_maps import find_state_maps
from sluice.cells.transform import InnerInterpreter, Transform, check_rate
from sluice.equations.graph import Affine
from sluice.equations.ops import Value
from sluice.equations.specs import MaskSpec
from sluice.equations.symbol import EquationError
from sluice.equations.trace import Declarations


class RecurrentDropout(Transform):
    """What `recurrent_dropout` makes."""

    def __init__(self, inner: Cell | type[Cell], rate: float) -> None:
        super().__init__(inner)
        check_rate(rate)
        self.rate = rate

    @cached_property
    def masks(self) -> dict[str, str]:
        """The mask of each recurrent stack: values of one width have one mask."""
        graph = self.inner.graph
        reading = set(find_state_maps(graph))
        stacks = {node.stack for node in reading}
        for node in graph.nodes:
            if isinstance(node, Affine) and node.stack in stacks and node not in reading:
                raise EquationError(
                    f"{self.inner.name}: map '{node.gate}' reads a state in one place and another "
                    "value elsewhere, so that it cannot be told whether it is recurrent; declare "
                    "two maps"
                )
        names: dict[str, str] = {}
        found: dict[str, str] = {}
        for stack in graph.stacks:
            if stack.name == "hh" or stack.name in stacks:
                number = len(names) + 1
                name = names.setdefault(
                    stack.operand, "dropout" if number == 1 else f"dropout_{number}"
                )
                found[stack.name] = name
        if not found:
            raise EquationError(f"{self.inner.name} has no recurrent map to drop inputs of")
        return found

    @cached_property
    def declarations(self) -> Declarations:
        inner = self.inner.declarations
        widths = {mask: self.inner.graph.get_stack(s).operand for s, mask in self.masks.items()}
        taken = {one.name for one in (*inner.masks, *inner.states, *inner.inputs)}
        for mask in widths:
            if mask in taken:
                raise EquationError(
                    f"recurrent_dropout calls its mask '{mask}', but {self.inner.name} has "
                    "something of that name; choose another there, and drop only once"
                )
        scale = 1.0 / (1.0 - self.rate)
        masks = (MaskSpec(m, self.rate, scale, 0.0, 1.0, True, w) for m, w in widths.items())
        return replace(inner, masks=(*inner.masks, *masks))

    def step(self, x: Value, **values: Value) -> dict[str, Value]:
        drawn = {mask: values.pop(mask) for mask in dict.fromkeys(self.masks.values())}
        masks = {stack: drawn[mask] for stack, mask in self.masks.items()}
        dropped = _DropoutInterpreter(self.interpreter, masks)
        return self.inner.bind_interpreter(dropped).call_step(x, values)


@dataclass
class _DropoutInterpreter(InnerInterpreter):
    """An interpreter whose recurrent maps read masked operands."""

    masks: dict[str, Value]

    def affine(self, stack: str, gate: str, operand: Value) -> Value:
        mask = self.masks.get(stack)
        return self.interpreter.affine(stack, gate, operand if mask is None else operand * mask)


def recurrent_dropout(cell: Cell | type[Cell], rate: float) -> Cell:
    """``cell`` with dropout on what its recurrent maps read (Gal & Ghahramani 2016, section 4).

    Recurrent are the gates' maps of a state, and those maps (`Map`) that read a state of the step
    before, or an elementwise function of it, as in ``map(r * h)``. One mask is drawn for a whole
    sequence, used at every step and by all maps that read values of one width; kept elements are
    scaled by 1 / (1 − rate). Raises ValueError for a rate outside [0, 1).

    Example:
        >>> from sluice.cells import LSTM, recurrent_dropout
        >>> recurrent_dropout(LSTM, 0.25).declarations.masks[0].shared
        True
    """
    return RecurrentDropout(cell, rate)
