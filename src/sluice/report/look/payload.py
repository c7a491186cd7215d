"""All that the page shows, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sluice.insight.plots.data import array, liveliest
from sluice.insight.recording import Recorded
from sluice.report.look.given import Given
from sluice.report.look.measures import Flow, Influence, Memory, keeper, looked_at
from sluice.report.look.pack import packed, rounded
from sluice.report.look.reading import Read, Survey, places
from sluice.report.look.telling import Followed, Span
from sluice.report.look.unit import symbols

LIKELIEST = 8
"""Classes whose probability is shown at every step."""
_AROUND = 6


@dataclass(frozen=True)
class Found:
    """What was found of each place and property."""

    flows: dict[str, Flow]
    influence: Influence | None
    memories: dict[str, Memory]
    followed: list[Followed]
    spans: list[Span]


def payload(
    given: Given, seen: Read, more: Survey, found: Found, sequence: int, units: int | None
) -> dict[str, Any]:
    """Everything but the sketches and the head; ``units`` are kept of each place, None for all."""
    start, stop = seen.shown
    losses = None if seen.losses is None else seen.losses.detach()
    if losses is not None and losses.dim():
        losses = losses[start:]
    return {
        "first": start,
        "tokens": _tokens(given, sequence, start, stop),
        "isText": given.tokens is not None,
        "losses": None if losses is None or not losses.dim() else rounded(losses),
        "loss": None if losses is None else float(losses.mean()),
        "predictions": _predictions(given, seen, sequence),
        "places": [
            _place(name, layer.cell.graph, recorded, seen, found, units)
            for name, (layer, recorded) in places(seen.tape).items()
        ],
        "influence": _influence(found.influence),
        "followed": [_followed(one) for one in found.followed],
        "spans": [_span(one, given, more) for one in found.spans],
    }


def _tokens(given: Given, sequence: int, start: int, stop: int) -> list[str]:
    if given.tokens is not None:
        return list(given.tokens[sequence][start:stop])
    values = given.inputs[sequence][start:stop]
    values = values.unsqueeze(-1) if values.dim() == 1 else values
    return [",".join(f"{v:.3g}" for v in row[:3].tolist()) for row in values]


def _predictions(given: Given, seen: Read, sequence: int) -> dict[str, Any]:
    """For labels the likeliest classes and the true one's probability; for values both of them."""
    start, stop = seen.shown
    target, outputs = given.target(sequence), seen.outputs.detach()
    by_step = outputs.dim() == 2 and len(outputs) == stop
    outputs = outputs[start:] if by_step else outputs.reshape(1, -1)
    if target is not None:
        target = target[start:stop] if by_step else target.reshape(1, -1)[:, :]
    if target is not None and target.is_floating_point():
        return {
            "kind": "values",
            "given": rounded(outputs),
            "true": rounded(target.reshape(outputs.shape)),
        }
    chances = outputs.double().softmax(-1)
    best = chances.topk(min(LIKELIEST, chances.shape[-1]))
    true = None if target is None else target.reshape(-1)
    return {
        "kind": "classes",
        "names": list(given.classes or map(str, range(chances.shape[-1]))),
        "best": best.indices.tolist(),
        "chances": rounded(best.values),
        "true": None if true is None else true.tolist(),
        "trueChance": None if true is None
        else rounded(chances.gather(-1, true.unsqueeze(-1)).squeeze(-1)),
    }  # fmt: skip


def _place(
    name: str, graph: Any, recorded: Recorded, seen: Read, found: Found, count: int | None
) -> dict[str, Any]:
    start, stop = seen.shown
    state = looked_at(graph)
    shown = {key: recorded[key][start:stop, 0] for key in recorded}
    chosen = _units(name, shown[state], found, count)
    marks = symbols(graph)
    return {
        "name": name,
        "cell": graph.name,
        "state": state,
        "keeps": keeper(graph),
        "width": shown[state].shape[-1],
        "units": chosen,
        "values": {
            key: {
                "symbol": marks[key],
                **packed(_of(value, chosen)),
                "mean": rounded(value.mean(-1)),
            }
            for key, value in shown.items()
        },
        "flow": _flow(found.flows.get(name)),
        "memory": _memory(found.memories[name]),
    }


def _units(place: str, state: Tensor, found: Found, count: int | None) -> list[int]:
    """Those that vary most, and those that follow something."""
    if count is None or count >= state.shape[-1]:
        return list(range(state.shape[-1]))
    named = {unit for one in found.followed if one.place == place for unit in one.units}
    return sorted(named | set(liveliest(array(state), count)))


def _of(values: Tensor, units: Sequence[int]) -> Tensor:
    """Some units of a value; a projected state has its own, fewer, units."""
    return values[:, [unit for unit in units if unit < values.shape[-1]]]


def _flow(flow: Flow | None) -> dict[str, Any] | None:
    if flow is None:
        return None
    return {
        "every": {name: rounded(values) for name, values in flow.every.items()},
        "last": {name: rounded(values) for name, values in flow.last.items()},
        "path": None if flow.path is None else rounded(flow.path),
    }


def _memory(memory: Memory) -> dict[str, Any]:
    scales = memory.timescales
    return {
        "timescales": None if scales is None else rounded(scales),
        "gates": {
            name: {"low": rounded(gate.low), "high": rounded(gate.high)}
            for name, gate in memory.gates.items()
        },
    }


def _influence(influence: Influence | None) -> dict[str, Any] | None:
    if influence is None:
        return None
    return {
        "steps": influence.steps.tolist(),
        "reach": {f"{share:.0%}": lags.tolist() for share, lags in influence.reach.items()},
        **packed(influence.values / influence.values.amax(1, keepdim=True).clamp_min(1e-30)),
    }


def _followed(one: Followed) -> dict[str, Any]:
    numbers = {"score": one.probe.score, "control": one.probe.control, "commonest": one.commonest}
    return {
        "place": one.place,
        "name": one.name,
        "kind": "accuracy" if one.is_class else "R²",
        "units": one.units,
        "r": rounded(torch.tensor(one.r), 3),
        **{key: None if v is None else round(v, 3) for key, v in numbers.items()},
    }


def _span(span: Span, given: Given, more: Survey) -> dict[str, Any]:
    matches = []
    for match in span.matches:
        number = more.numbers[match.sequence]
        tokens = _tokens(given, number, 0, len(given.inputs[number]))
        matches.append(
            {
                "name": given.names[number] if given.names else f"sequence {number}",
                "step": match.start,
                "units": match.units,
                "before": tokens[max(0, match.start - _AROUND) : match.start],
                "tokens": tokens[match.start : match.stop],
                "after": tokens[match.stop : match.stop + _AROUND],
            }
        )
    return {
        "place": span.place,
        "start": span.start,
        "stop": span.stop,
        "units": span.units,
        "matches": matches,
    }
