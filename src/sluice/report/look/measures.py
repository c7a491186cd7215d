"""What a report measures of a sequence that was read: gradients, influence, memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sluice.equations.graph import Elementwise, Graph
from sluice.insight.gradients import connectivity, gradient_flow, kept, straight_path
from sluice.insight.memory import Saturation, reach, saturation, timescales
from sluice.insight.recording import Recorded
from sluice.report.look.reading import Read, places

ROWS = 160
"""Predictions whose influences are computed, one way back each."""
SHARES = (0.01, 0.1)
"""Of the largest influence: from there on an input matters."""


@dataclass(frozen=True)
class Flow:
    """Norms of derivatives at the shown steps, ``(time,)`` each, by the name of the state."""

    every: dict[str, Tensor]
    """Of the sum of all shown losses."""
    last: dict[str, Tensor]
    """Of the last shown loss alone."""
    path: Tensor | None
    """The mean over units of the product of all later forget values; None without such a gate."""


def flows(seen: Read) -> dict[str, Flow]:
    """How gradients flow, for each place; none without losses."""
    if seen.losses is None:
        return {}
    shown = seen.losses[seen.shown[0] :] if seen.losses.dim() else seen.losses
    last = _back(seen, shown[-1] if shown.dim() else shown)
    every = _back(seen, shown.sum())
    found = {}
    for place, (layer, recorded) in places(seen.tape).items():
        gate = keeper(layer.cell.graph)
        path = straight_path(_shown(seen, recorded[gate])).mean(-1)[:, 0] if gate else None
        backwards = place.endswith("_reverse")  # its last step is the first in time
        found[place] = Flow(every[place], last[place], None if backwards else path)
    return found


def _back(seen: Read, loss: Tensor) -> dict[str, dict[str, Tensor]]:
    loss.backward(retain_graph=True)
    found = {}
    for place, (layer, recorded) in places(seen.tape).items():
        states = [state.name for state in layer.cell.graph.states]
        found[place] = {
            name: _shown(seen, gradient_flow(recorded, name))[:, 0].clone() for name in states
        }
    return found


def _shown(seen: Read, values: Tensor) -> Tensor:
    return values[seen.shown[0] : seen.shown[1]]


@dataclass(frozen=True)
class Influence:
    """Which inputs a prediction rests on.

    Attributes:
        steps: The predictions, ``(rows,)``, counted from the first shown step.
        values: ``(rows, time)`` over the shown steps, ‖∂ logit / ∂x_t‖.
        reach: How many steps back an input matters to each, ``(rows,)``, by the share of the
            largest influence that counts.
    """

    steps: Tensor
    values: Tensor
    reach: dict[float, Tensor]


def influence(seen: Read, labels: Tensor | None) -> Influence | None:
    """Influences on the logit of ``labels`` ``(time,)``, else of the likeliest class.

    Of every k-th step, k as small as `ROWS` allows. None where the model's outputs are no logits
    of every step, or what it reads is no tensor.
    """
    start, stop = seen.shown
    if seen.x is None or seen.outputs.dim() != 2 or seen.outputs.shape[0] != stop:
        return None
    x, one = seen.x, seen.outputs.unsqueeze(1)
    targets = (seen.outputs.argmax(-1) if labels is None else labels[:stop]).unsqueeze(1)
    rows = torch.arange(start, stop, -(-(stop - start) // ROWS))
    found = connectivity(one[rows], x, targets[rows])
    time = next(dim for dim, size in enumerate(found.shape[1:], 1) if size == stop)
    found = found.select(3 - time, 0)  # x is a batch of one, in either layout
    whole = found.new_zeros(stop, stop, 1)
    whole[rows, :, 0] = found
    back = {share: reach(whole, share)[rows, 0] for share in SHARES}
    return Influence(rows - start, found[:, start:], back)


@dataclass(frozen=True)
class Memory:
    """How long units remember, ``(units,)`` each, over the shown steps."""

    timescales: Tensor | None
    """In steps; None where no named value keeps the state."""
    gates: dict[str, Saturation]
    """Of every value that is a sigmoid."""


def memory(seen: Read, recorded: Recorded, graph: Graph) -> Memory:
    """Timescales and saturation of one place."""
    gate = keeper(graph)
    gates = [name for name, node in graph.named.items() if _is_sigmoid(node)]
    return Memory(
        timescales(_shown(seen, recorded[gate])) if gate in gates else None,
        {name: saturation(_shown(seen, recorded[name])) for name in gates},
    )


def _is_sigmoid(node: object) -> bool:
    return isinstance(node, Elementwise) and node.op == "sigmoid"


def keeper(graph: Graph) -> str | None:
    """The named value that multiplies a state in its own update, where there is one."""
    try:
        return kept(graph)[1]
    except ValueError:
        return None


def looked_at(graph: Graph) -> str:
    """The state in which a unit's memory lies: that which is kept, else the first one."""
    try:
        return kept(graph)[0]
    except ValueError:
        return graph.states[0].name
