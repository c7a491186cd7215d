"""A cell from the text of its equations, without its class."""

from __future__ import annotations

from sluice.cached import cached_property
from sluice.cells.cell import Cell
from sluice.cells.transforms import evaluate_node
from sluice.equations.graph import Graph, Node
from sluice.equations.ops import Value
from sluice.equations.specs import NormSpec
from sluice.equations.symbol import EquationError
from sluice.equations.text import from_text
from sluice.equations.trace import Declarations


class TracedCell(Cell):
    """The cell whose canonical text (`Cell.text`) this is: the same equations and parameters.

    ``forget_gate_name`` and ``input_gate_name``, which the text does not hold, are None: they only
    matter when new weights are drawn. Raises `EquationError` for a text that is no graph.

    Example:
        >>> from sluice.cells import MGU
        >>> TracedCell(MGU().text).graph == MGU().graph
        True
    """

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise EquationError(f"a graph's text must be a str, got {type(text).__name__}")
        self.equations = text
        self.graph  # noqa: B018 - a bad text is refused here

    @cached_property
    def graph(self) -> Graph:
        """The equations."""
        return from_text(self.equations)

    @property
    def name(self) -> str:
        return self.graph.name

    @cached_property
    def declarations(self) -> Declarations:
        graph = self.graph
        norms = tuple(NormSpec(norm.name, (), norm.epsilon) for norm in graph.norms)
        kept = (graph.states, graph.stacks, graph.vectors, norms, graph.masks, graph.inputs)
        return Declarations(*kept, output=graph.output)

    def step(self, x: Value, /, **given: Value) -> dict[str, Value]:  # type: ignore[override]
        values: dict[Node, Value] = {}
        for node in self.graph.nodes:
            values[node] = evaluate_node(node, values, self.interpreter, x, given)
        return {name: values[node] for name, node in self.graph.outputs}
