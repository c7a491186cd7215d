"""Numbers on a sketch: the value of each wire, its colour, and what the colours mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sluice.equations.graph import Elementwise, Graph, Node
from sluice.render.sketch.elements import Net
from sluice.render.theme import Theme

BEFORE = " before"
"""What follows a state's name where its value before the step is meant."""


@dataclass(frozen=True)
class WireValues:
    """What the wires of a sketch carry; ``limit`` is the value of the strongest colour."""

    numbers: Mapping[Net, float]
    limit: float
    theme: Theme

    @classmethod
    def from_values(
        cls, graph: Graph, values: Mapping[str | Node, float], theme: Theme
    ) -> WireValues:
        """From values by name (``"forget"``, ``"c"``, ``"c before"``) or by node.

        Raises KeyError for a name that the graph has not, ValueError for NaN and infinity.
        """
        known: dict[str, Node] = dict(graph.outputs_by_name)
        known |= {f"{leaf.name}{BEFORE}": leaf for leaf in graph.state_leaves}
        found: dict[Net, float] = {}
        for name, value in values.items():
            if isinstance(name, str) and name not in known:
                raise KeyError(
                    f"{graph.name} has no value '{name}'; its values are {', '.join(known)}"
                )
            if not math.isfinite(value):
                raise ValueError(f"the values of a sketch must be finite, got {value} for '{name}'")
            found[known[name] if isinstance(name, str) else name] = float(value)
        largest = max((abs(value) for value in found.values()), default=0.0)
        return cls(found, max(1.0, math.ceil(largest * 10) / 10), theme)

    def format_value(self, net: Net) -> str:
        """A value as the number beside its symbol; empty where it is not known."""
        if net not in self.numbers:
            return ""
        value = self.numbers[net]
        return f"{value:.2f}".replace("-0.00", "0.00") if abs(value) < 100 else f"{value:.3g}"

    def format_all(self) -> dict[Net, str]:
        """All numbers, as they are written."""
        return {net: self.format_value(net) for net in self.numbers}

    def wire_colour(self, net: Net) -> str | None:
        """A wire's colour; None where its value is not known."""
        return self.map_colour(self.numbers[net]) if net in self.numbers else None

    def map_colour(self, value: float) -> str:
        """The colour of a value."""
        from matplotlib import colormaps
        from matplotlib.colors import to_hex

        return str(to_hex(colormaps[self.theme.diverging](0.5 + 0.5 * value / self.limit)))

    def gate_openness(self, net: Net) -> float | None:
        """How far a gate is open: the value of a sigmoid, from 0 to 1; None for anything else."""
        is_gate = isinstance(net, Elementwise) and net.op == "sigmoid"
        return self.numbers.get(net) if is_gate else None
