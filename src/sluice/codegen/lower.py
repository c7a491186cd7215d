"""From a cell's graph to a program: its forward and backward phases, and their buffers."""

from __future__ import annotations

from sluice.codegen.lower_backward import BackwardLowering
from sluice.codegen.lower_forward import ForwardLowering
from sluice.codegen.phase_schedule import schedule
from sluice.codegen.program import Program
from sluice.equations.derived import keep_with_graph
from sluice.equations.graph import Graph


@keep_with_graph
def lower_graph(graph: Graph, has_bias: bool, gradient_names: tuple[str, ...] = ()) -> Program:
    """The program of ``graph``; ``has_bias`` says whether the layer has biases.

    The backward phases also store the derivatives with respect to the values ``gradient_names``.
    """
    forward = ForwardLowering(graph, has_bias)
    back = BackwardLowering(forward)
    back.record_gradients(gradient_names)
    backward = back.build_phases()
    step = schedule(forward.step)
    hoisted = schedule(forward.hoisted)
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
        back.input_gradient_locations,
    )
