"""What to record of a pass: which named values, of which steps."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.equations.graph import Graph
from sluice.equations.instrument import PREACTIVATION_PREFIX, instrument_graph


@dataclass(frozen=True)
class RecordSpec:
    """What to record of a pass.

    Attributes:
        names: Which values; None for all that the cell names.
        pre: Whether to record the gates' pre-activations too, as ``pre.forget``.
        maps: Whether to record the result and the operand of every learned map too.
        every: Record every ``every``-th step, beginning with the first.
    """

    names: frozenset[str] | None = None
    pre: bool = False
    maps: bool = False
    every: int = 1

    def instrument(self, graph: Graph) -> Graph:
        """``graph`` with names for everything to be recorded."""
        pre = self.pre or any(name.startswith(PREACTIVATION_PREFIX) for name in self.names or ())
        return instrument_graph(graph, pre, self.maps) if pre or self.maps else graph

    def select_names(self, graph: Graph) -> tuple[str, ...]:
        """The names to be recorded, in the graph's order."""
        named = self.instrument(graph).outputs_by_name
        return tuple(name for name in named if self.names is None or name in self.names)

    @property
    def is_complete(self) -> bool:
        """Whether every value of every step is recorded."""
        return self.names is None and self.every == 1


RECORD_ALL = RecordSpec()
