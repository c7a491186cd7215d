"""What is measured of one layer in an observed step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sluice.equations.graph import Elementwise, Graph, Leaf, Node
from sluice.insight.measures.gradients import find_gated_state
from sluice.insight.measures.memory import timescales
from sluice.insight.monitor.flow import Flow
from sluice.insight.monitor.observation import LayerObservation, ValueStatistics
from sluice.insight.monitor.passes import SequenceMarks
from sluice.insight.recording.recorded import RecordedLayer

SHUT = 0.1
"""Below it a gate counts as shut in the shares, as in `sluice.insight.saturation`."""
NEAR = 0.01
"""A gate below it is shut, one above 1 less it is open; a tanh is saturated that near to ±1."""
POINTS = 32
"""How many steps of a flow are kept."""


@dataclass(frozen=True)
class UnitRange:
    """What each unit did over all that was looked at, ``(units,)`` each."""

    low: Tensor
    high: Tensor

    def join(self, other: UnitRange) -> UnitRange:
        return UnitRange(torch.minimum(self.low, other.low), torch.maximum(self.high, other.high))


@dataclass(frozen=True)
class LayerMeasurement:
    """An observation of a layer, and what it needs of each unit to be judged over several.

    Attributes:
        seen: the observation, its counts of units still 0.
        ranges: of every value the least and the greatest number of each unit.
        derivatives: of each of the layer's outputs the greatest |derivative| of each unit.
        memory_means: the memory gate's mean in each unit; None without one.
    """

    seen: LayerObservation
    outputs: tuple[str, ...]
    ranges: dict[str, UnitRange]
    derivatives: dict[str, Tensor]
    memory_means: Tensor | None


def find_memory(graph: Graph) -> tuple[str, str | None]:
    """The state that a cell keeps its memory in, and the gate that keeps it, if there is one.

    >>> from sluice.cells import GRU, LSTM, Elman
    >>> find_memory(LSTM().graph), find_memory(GRU().graph), find_memory(Elman().graph)
    (('c', 'forget'), ('h', 'update'), ('h', None))
    """
    try:
        state, gate = find_gated_state(graph)
    except ValueError:
        return graph.states[0].name, None
    is_gate = gate is not None and classify_value(graph.outputs_by_name[gate]) == "gate"
    return state, gate if is_gate else None


def classify_value(node: Node) -> str:
    """`"gate"` for a sigmoid (hard too) or 1 less one, `"squashed"` for a tanh, else `"other"`."""
    if not isinstance(node, Elementwise):
        return "other"
    if node.op == "subtract":
        first, second = node.arguments
        return "gate" if _is_constant(first, 1) and classify_value(second) == "gate" else "other"
    if node.op == "hard_tanh":
        _, low, high = node.arguments
        return "gate" if _is_constant(low, 0) and _is_constant(high, 1) else "other"
    return {"sigmoid": "gate", "tanh": "squashed"}.get(node.op, "other")


def _is_constant(node: Node, number: float) -> bool:
    return isinstance(node, Leaf) and node.kind == "constant" and float(node.name) == number


def measure_layer(
    recorded: RecordedLayer, graph: Graph, marks: SequenceMarks, flow: Flow | None, scale: float
) -> LayerMeasurement | None:
    """Measure one layer; None where no step counts.

    Args:
        recorded: its recording.
        graph: its cell's equations.
        marks: which sequences and steps to look at.
        flow: how a gradient flows along its states.
        scale: what the loss was multiplied by before the backward pass.
    """
    memory, gate = find_memory(graph)
    statistics, ranges, derivatives = {}, {}, {}
    state_gradients: dict[str, tuple[float, ...]] = {}
    means: dict[str, Tensor] = {}
    times: tuple[float, ...] = ()
    states = [state.name for state in graph.states]
    for name in recorded:
        rows = marks.select(recorded[name]).float()
        if not len(rows):
            return None
        kind = classify_value(graph.outputs_by_name[name])
        if kind == "gate" and name in (*states, *graph.output):
            kind = "other"  # a sigmoid that is no gate, but the state itself
        ranges[name] = UnitRange(rows.amin(0).cpu(), rows.amax(0).cpu())
        norm = None
        if recorded.has_gradient:
            slopes = recorded.gradient[name]
            norm = _compute_rms_norm(marks.select(slopes)) / scale
            if name in graph.output:
                derivatives[name] = marks.select(slopes).abs().amax(0).cpu()
            if name in states:
                state_gradients[name] = _thin(_compute_step_norms(slopes, marks) / scale)
        statistics[name] = _summarise(rows, kind, norm)
        if kind == "gate":
            means[name] = rows.mean(0).cpu()
        if name == gate:
            times = _compute_quartiles(timescales(rows[:, None]))
    shares = None if flow is None else flow.shares.flip(0)
    seen = LayerObservation(
        cell=graph.name,
        units=sum(len(ranges[name].low) for name in graph.output),
        memory=memory,
        memory_gate=gate,
        values=statistics,
        flow=() if shares is None else _thin(shares),
        flow_steps=0 if flow is None else flow.steps,
        flow_ratio=math.nan if flow is None else flow.at(flow.steps),
        flow_factor=math.nan if flow is None else flow.factor,
        flow_peak=math.nan if flow is None else float(flow.shares.max()),
        flow_twenty=math.nan if flow is None else flow.at(20),
        state_gradients=state_gradients,
        timescales=times,
        unit_means=means,
    )
    return LayerMeasurement(seen, graph.output, ranges, derivatives, means.get(gate or ""))


def _summarise(rows: Tensor, kind: str, gradient: float | None) -> ValueStatistics:
    low = high = extreme = 0.0
    if kind == "gate":
        low, high = _share(rows < SHUT), _share(rows > 1 - SHUT)
        extreme = _share(rows < NEAR) + _share(rows > 1 - NEAR)
    elif kind == "squashed":
        low, high = _share(rows < NEAR - 1), _share(rows > 1 - NEAR)
        extreme = low + high
    return ValueStatistics(
        kind=kind,
        units=rows.shape[1],
        mean=float(rows.mean()),
        low=low,
        high=high,
        extreme=extreme,
        gradient=gradient,
    )


def _share(holds: Tensor) -> float:
    return int(torch.count_nonzero(holds)) / holds.numel()


def _compute_rms_norm(rows: Tensor) -> float:
    """The root mean square over rows of their norms, in float64."""
    return float(rows.double().square().sum(-1).mean().sqrt())


def _compute_step_norms(values: Tensor, marks: SequenceMarks) -> Tensor:
    """The root mean square of the norms of each step over its sequences, ``(time,)``.

    Steps at which all of them have ended are left out.
    """
    squares = values.index_select(1, marks.rows.to(values.device)).double().square().sum(-1)
    if marks.valid is None:
        return squares.mean(1).sqrt().cpu()
    valid = marks.valid.to(squares.device)
    counts = valid.sum(1)
    sums = torch.where(valid, squares, 0).sum(1)
    return (sums[counts > 0] / counts[counts > 0]).sqrt().cpu()


def _compute_quartiles(found: Tensor) -> tuple[float, ...]:
    ordered = found.sort().values
    return tuple(float(ordered[round(part * (len(ordered) - 1))]) for part in (0.25, 0.5, 0.75))


def _thin(values: Tensor) -> tuple[float, ...]:
    count = min(POINTS, len(values))
    places = [round(k * (len(values) - 1) / max(1, count - 1)) for k in range(count)]
    return tuple(float(values[place]) for place in places)
