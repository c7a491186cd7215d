"""From a cell's graph to a program: its way there and its way back, in phases, with places."""

from __future__ import annotations

from functools import lru_cache

from sluice.codegen.lower_backward import BackwardLowering
from sluice.codegen.lower_forward import ForwardLowering
from sluice.codegen.program import Program
from sluice.equations.graph import Graph


@lru_cache(maxsize=128)
def lower_graph(graph: Graph, has_bias: bool, gradient_names: tuple[str, ...] = ()) -> Program:
    """The program of ``graph``; ``biased`` says whether the layer has its biases.

    The way back also keeps the derivatives with respect to the named values ``recorded``.
    """
    forward = ForwardLowering(graph, has_bias)
    back = BackwardLowering(forward)
    back.record_gradients(gradient_names)
    backward = back.build_phases()
    step = forward.step_scheduler.build_phases()
    hoisted = forward.hoisted_scheduler.build_phases()
    return Program(
        forward.buffers.buffers,
        forward.parameter_entries,
        hoisted,
        step,
        backward,
        back.deferred_products,
        back.weight_gradients,
        back.row_gradients,
        forward.value_locations,
        back.gradient_locations,
    )
