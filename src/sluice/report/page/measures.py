"""What a report measures of a sequence that was read: gradients, influence, memory."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from sluice.equations.graph import Elementwise, Graph
from sluice.insight.measures.gradients import (
    find_gated_state,
    forget_product,
    gradient_flow,
)
from sluice.insight.measures.memory import Saturation, saturation, timescales
from sluice.insight.recording.recorder import RecordedLayer
from sluice.report.page.forward import ForwardRecord, collect_layers


@dataclass(frozen=True)
class GradientFlow:
    """Norms of derivatives at the shown steps, ``(time,)`` each, by the name of the state."""

    from_all_losses: dict[str, Tensor]
    """Of the sum of all shown losses."""
    from_last_loss: dict[str, Tensor]
    """Of the last shown loss alone."""
    forget_product: Tensor | None
    """The mean over units of the product of all later forget values; None without such a gate."""


def measure_gradient_flows(forward: ForwardRecord) -> dict[str, GradientFlow]:
    """How gradients flow, for each place; none without losses."""
    if forward.losses is None:
        return {}
    shown = forward.losses[forward.window[0] :] if forward.losses.dim() else forward.losses
    last = _run_backward(forward, shown[-1] if shown.dim() else shown)
    every = _run_backward(forward, shown.sum())
    found = {}
    for place, (layer, recorded) in collect_layers(forward.tape).items():
        gate = find_forget_gate(layer.cell.graph)
        path = (
            forget_product(_slice_window(forward, place, recorded[gate])).mean(-1)[:, 0]
            if gate
            else None
        )
        backwards = recorded.is_reverse  # its last step is the first in time
        found[place] = GradientFlow(every[place], last[place], None if backwards else path)
    return found


def _run_backward(forward: ForwardRecord, loss: Tensor) -> dict[str, dict[str, Tensor]]:
    loss.backward(retain_graph=True)
    found = {}
    for place, (layer, recorded) in collect_layers(forward.tape).items():
        states = [state.name for state in layer.cell.graph.states]
        found[place] = {
            name: _slice_window(forward, place, gradient_flow(recorded, name))[:, 0].clone()
            for name in states
        }
    return found


def _slice_window(forward: ForwardRecord, place: str, values: Tensor) -> Tensor:
    start, stop = forward.find_window(place)
    return values[start:stop]


@dataclass(frozen=True)
class UnitMemory:
    """How long units remember, ``(units,)`` each, over the shown steps."""

    timescales: Tensor | None
    """In steps; None where no named value keeps the state."""
    gates: dict[str, Saturation]
    """Of every value that is a sigmoid."""


def measure_memory(
    forward: ForwardRecord, place: str, recorded: RecordedLayer, graph: Graph
) -> UnitMemory:
    """Timescales and saturation of one place."""
    gate = find_forget_gate(graph)
    gates = [name for name, node in graph.outputs_by_name.items() if _is_sigmoid(node)]
    return UnitMemory(
        timescales(_slice_window(forward, place, recorded[gate])) if gate in gates else None,
        {name: saturation(_slice_window(forward, place, recorded[name])) for name in gates},
    )


def _is_sigmoid(node: object) -> bool:
    return isinstance(node, Elementwise) and node.op == "sigmoid"


def find_forget_gate(graph: Graph) -> str | None:
    """The named value that multiplies a state in its own update; None without one."""
    try:
        return find_gated_state(graph)[1]
    except ValueError:
        return None


def find_memory_state(graph: Graph) -> str:
    """A cell's memory state: the one that a gate carries over, else the first one."""
    try:
        return find_gated_state(graph)[0]
    except ValueError:
        return graph.states[0].name
