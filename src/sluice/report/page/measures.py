"""What a report measures of a sequence that was read: gradients, influence, memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sluice.equations.graph import Elementwise, Graph
from sluice.insight.measures.gradients import (
    connectivity,
    find_gated_state,
    forget_product,
    gradient_flow,
)
from sluice.insight.measures.memory import Saturation, memory_length, saturation, timescales
from sluice.insight.recording.recorder import RecordedLayer
from sluice.report.page.forward import ForwardRecord, collect_layers

ROWS = 160
"""Predictions whose influences are computed, one backward pass each."""
SHARES = (0.01, 0.1)
"""Of the largest influence: from there on an input matters."""


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
        backwards = place.endswith("_reverse")  # its last step is the first in time
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
class Influence:
    """Which inputs a prediction rests on.

    Attributes:
        steps: The predictions, ``(rows,)``, counted from the first shown step.
        values: ``(rows, time)`` over the shown steps, ‖∂ logit / ∂x_t‖.
        memory_length: How many steps back an input matters to each, ``(rows,)``, by the share
            of the largest influence that counts.
    """

    steps: Tensor
    values: Tensor
    memory_length: dict[float, Tensor]


def measure_influence(forward: ForwardRecord) -> Influence | None:
    """Influences on the logit of the true class, else of the likeliest one; on the first output
    where outputs are values.

    Of every k-th step, k as small as `ROWS` allows. None where the model has no outputs of every
    step, what it reads is no tensor, or inputs and outputs have steps of their own.
    """
    start, stop = forward.window
    if forward.x is None or forward.outputs.dim() != 2 or forward.outputs.shape[0] != stop:
        return None
    if forward.x.shape[:2].numel() != forward.length:
        return None
    x, one = forward.x, forward.outputs.unsqueeze(1)
    chosen = forward.outputs.argmax(-1)
    if forward.output_kind == "values":
        chosen = torch.zeros_like(chosen)
    elif forward.true_classes is not None:
        chosen = torch.where(forward.true_classes < 0, chosen, forward.true_classes)
    rows = torch.arange(start, stop, -(-(stop - start) // ROWS))
    # x is a batch of one, in either layout.
    found = connectivity(one[rows], x, chosen[rows, None]).flatten(1)[:, :stop]
    whole = found.new_zeros(stop, stop, 1)
    whole[rows, :, 0] = found
    back = {share: memory_length(whole, share)[rows, 0] for share in SHARES}
    return Influence(rows - start, found[:, start:], back)


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
