"""From a cell's graph to a program: its way there and its way back, in phases, with places."""

from __future__ import annotations

from functools import lru_cache

from sluice.equations.graph import Graph
from sluice.render.lower_back import Back
from sluice.render.lower_forward import Forward
from sluice.render.program import Program


@lru_cache(maxsize=128)
def lower(graph: Graph, biased: bool, recorded: tuple[str, ...] = ()) -> Program:
    """The program of ``graph``; ``biased`` says whether the layer has its biases.

    The way back also keeps the derivatives with respect to the named values ``recorded``.
    """
    forward = Forward(graph, biased)
    back = Back(forward)
    back.record(recorded)
    backward = back.phases()
    step = forward.step.phases()
    hoisted = forward.hoisted.phases()
    return Program(
        forward.places.all,
        forward.named_parameters,
        hoisted,
        step,
        backward,
        back.deferred,
        back.weights,
        back.rows,
        forward.names,
        back.recorded,
    )
