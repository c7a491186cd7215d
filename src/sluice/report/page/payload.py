"""All that the page shows, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import isfinite

import torch
from torch import Tensor

from sluice.equations.graph import Graph
from sluice.insight.measures.regression import find_scale
from sluice.insight.plots.data import find_most_variable, to_array
from sluice.insight.recording.recorder import RecordedLayer
from sluice.report.page.axes import pack_axes
from sluice.report.page.cell_figure import name_figure, value_symbols
from sluice.report.page.forward import ForwardRecord, StateDataset, collect_layers
from sluice.report.page.gradient_rows import Influence, LossShares
from sluice.report.page.inputs import ReportInputs
from sluice.report.page.measures import (
    GradientFlow,
    UnitMemory,
    find_forget_gate,
    find_memory_state,
)
from sluice.report.page.pack import (
    BITS,
    FEW_BITS,
    pack_magnitudes,
    pack_tensor,
    round_values,
)
from sluice.report.page.selectivity import Selectivity
from sluice.report.page.step_losses import name_loss
from sluice.report.page.survey import pack_reached, pack_survey
from sluice.report.page.views import pack_view

_EXACT = 50_000
"""Of a layer with no more numbers than that, all are kept in 16 bits; of others in 12."""
LIKELIEST = 8
"""Classes whose probability is shown at every step."""


@dataclass(frozen=True)
class Measurements:
    """What was found of each place and property."""

    flows: dict[str, GradientFlow]
    influence: Influence | None
    memories: dict[str, UnitMemory]
    selectivities: list[Selectivity]
    shares: dict[str, LossShares]


def build_payload(
    inputs: ReportInputs,
    forward: ForwardRecord,
    dataset: StateDataset,
    measurements: Measurements,
    sequence: int,
    units: int | None,
) -> dict[str, object]:
    """Everything but the sketches and the head; ``units`` are kept of each place, None for all."""
    start = forward.window[0]
    losses = None if forward.losses is None else forward.losses.detach()
    if losses is not None and losses.dim():
        losses = losses[start:]
    return {
        "axes": pack_axes(inputs, forward, sequence),
        "outputAxis": 0,
        "view": pack_view(inputs, forward, sequence),
        "losses": None if losses is None or not losses.dim() else round_values(losses),
        "loss": forward.mean_loss,
        "lossUnit": name_loss(inputs),
        "predictions": _pack_predictions(inputs, forward, sequence),
        "places": [
            _pack_layer(name, layer.cell.graph, recorded, forward, dataset, measurements, units)
            for name, (layer, recorded) in collect_layers(forward.tape).items()
        ],
        "influence": _pack_influence(measurements.influence),
        "followed": [_pack_selectivity(one) for one in measurements.selectivities],
        "survey": pack_survey(inputs, forward, dataset, sequence),
    }


def _pack_predictions(
    inputs: ReportInputs, forward: ForwardRecord, sequence: int
) -> dict[str, object]:
    """For labels the likeliest classes and the true one's probability; for values both of them,
    for keys their probabilities."""
    start, stop = forward.window
    target, outputs = inputs.target(sequence), forward.outputs.detach()
    by_step = outputs.dim() == 2 and len(outputs) == stop
    outputs = outputs[start:] if by_step else outputs.reshape(1, -1)
    if forward.output_kind != "classes":
        if target is not None:
            target = (target[start:stop] if by_step else target).reshape(outputs.shape)
        return {
            "kind": "values",
            "names": list(inputs.output_names or map(str, range(outputs.shape[-1]))),
            "given": round_values(outputs.sigmoid() if forward.output_kind == "keys" else outputs),
            "true": None if target is None else round_values(target),
        }
    chances = outputs.double().softmax(-1)
    best = chances.topk(min(LIKELIEST, chances.shape[-1]))
    true = forward.true_classes
    if true is not None:
        true = true[start:stop] if by_step else true.reshape(-1)
    return {
        "kind": "classes",
        "names": list(inputs.classes or map(str, range(chances.shape[-1]))),
        "best": best.indices.tolist(),
        "chances": round_values(best.values),
        "true": None if true is None else [k if k >= 0 else None for k in true.tolist()],
        "trueChance": None if true is None else _find_true_chances(chances, true),
    }


def _find_true_chances(chances: Tensor, true: Tensor) -> list[float | None]:
    """The probability of each step's true class; None where there is none."""
    found = round_values(chances.gather(-1, true.clamp_min(0).unsqueeze(-1)).squeeze(-1))
    return [chance if k >= 0 else None for chance, k in zip(found, true.tolist(), strict=True)]


def _pack_layer(
    name: str,
    graph: Graph,
    recorded: RecordedLayer,
    forward: ForwardRecord,
    dataset: StateDataset,
    measurements: Measurements,
    count: int | None,
) -> dict[str, object]:
    start, stop = forward.find_window(name)
    state = find_memory_state(graph)
    shown = {key: recorded[key][start:stop, 0] for key in recorded}
    chosen = _select_units(name, shown[state], measurements, count)
    marks = value_symbols(graph)
    bits = BITS if len(chosen) * (stop - start) * len(shown) <= _EXACT else FEW_BITS
    return {
        "name": name,
        "cell": graph.name,
        "figure": name_figure(graph, recorded.is_reverse),
        "reverse": recorded.is_reverse,
        "axis": list(forward.windows).index(forward.axes[name]),
        "state": state,
        "keeps": find_forget_gate(graph),
        "width": shown[state].shape[-1],
        "units": chosen,
        "values": {
            key: {
                "symbol": marks[key],
                **pack_tensor(_take_units(value, chosen), bits),
                "mean": round_values(value.mean(-1)),
            }
            for key, value in shown.items()
        },
        "flow": _pack_flow(measurements.flows.get(name)),
        "shares": _pack_shares(measurements.shares.get(name)),
        "levels": pack_reached(
            shown[state][:, chosen], dataset.values[name][..., chosen], dataset.find_lengths(name)
        ),
        "memory": _pack_memory(measurements.memories[name]),
    }


def _select_units(
    layer: str, state: Tensor, measurements: Measurements, count: int | None
) -> list[int]:
    """So many: those that follow something, the best of each property first, at most half; then
    those that vary most."""
    width = state.shape[-1]
    if count is None or count >= width:
        return list(range(width))
    ranked = [one.units for one in measurements.selectivities if one.layer == layer]
    best = [unit for rank in zip_longest(*ranked) for unit in rank if unit is not None]
    named = list(dict.fromkeys(best))[: count // 2]
    variable = find_most_variable(to_array(state), width)
    return sorted(list(dict.fromkeys([*named, *variable]))[:count])


def _take_units(values: Tensor, units: Sequence[int]) -> Tensor:
    """Some units of a value; a projected state has its own, fewer, units."""
    return values[:, [unit for unit in units if unit < values.shape[-1]]]


def _pack_flow(flow: GradientFlow | None) -> dict[str, object] | None:
    if flow is None:
        return None
    return {
        "every": {name: round_values(values) for name, values in flow.from_all_losses.items()},
        "last": {name: round_values(values) for name, values in flow.from_last_loss.items()},
        "path": None if flow.forget_product is None else round_values(flow.forget_product),
    }


def _pack_shares(shares: LossShares | None) -> dict[str, object] | None:
    if shares is None:
        return None
    return {"steps": shares.steps.tolist(), **pack_magnitudes(shares.values)}


def _pack_memory(memory: UnitMemory) -> dict[str, object]:
    scales = memory.timescales
    return {
        "timescales": None if scales is None else round_values(scales),
        "gates": {
            name: {"low": round_values(gate.low, 3), "high": round_values(gate.high, 3)}
            for name, gate in memory.gates.items()
        },
    }


def _pack_influence(influence: Influence | None) -> dict[str, object] | None:
    if influence is None:
        return None
    return {
        "axis": 0,
        "steps": influence.steps.tolist(),
        "reach": {f"{share:.0%}": lags.tolist() for share, lags in influence.memory_length.items()},
        **pack_magnitudes(influence.values / find_scale(influence.values.mT).unsqueeze(1)),
    }


def _pack_selectivity(one: Selectivity) -> dict[str, object]:
    numbers = {
        "score": None if one.probe is None else one.probe.score,
        "control": None if one.probe is None else one.probe.control,
        "commonest": one.majority_share,
    }
    return {
        "place": one.layer,
        "name": one.name,
        "kind": "accuracy" if one.is_class else "R²",
        "units": one.units,
        "r": round_values(torch.tensor(one.r), 3),
        **{
            key: None if v is None or not isfinite(v) else round(v, 3) for key, v in numbers.items()
        },
        "verdict": one.verdict,
        "words": one.describe(),
    }
