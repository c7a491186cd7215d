"""Observations as a display for the terminal: a line for each value, and sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sluice.insight.monitor.diagnosis import Diagnosis
from sluice.insight.monitor.observation import LayerObservation, Observation, ValueStatistics
from sluice.insight.monitor.thresholds import find_faults

_BARS = "▁▂▃▄▅▆▇"
_LEAST = 1e-6
"""Where the bars of a flow end: that share of the last step's and less is the lowest."""
_HISTORY = 16
_WIDTH = 12
_MOST_IN_FULL = 3
"""More layers than that have a line each."""


def render_observations(
    observations: Sequence[Observation], diagnoses: Sequence[Diagnosis] | None = None
) -> RenderableType:
    """The latest of some observations, with the course of what changes.

    Args:
        observations: of one training, by step.
        diagnoses: what to say below; None for that of the latest observation.
    """
    if not observations:
        return Text("Nothing observed yet.", style="dim")
    latest = observations[-1]
    title = Text.assemble(
        ("Step ", "dim"),
        (f"{latest.step:,}", "bold"),
        (_describe_cost(latest), "dim"),
    )
    said = latest.diagnoses if diagnoses is None else diagnoses
    return Group(title, *_render_layers(observations), *map(_render_diagnosis, said))


def _describe_cost(latest: Observation) -> str:
    """What observing takes, once that is more than what was spent in advance."""
    if math.isnan(latest.share) or latest.seconds < 60:
        return ""
    return f", observing takes {latest.share:.1%} of the time"


def _render_layers(observations: Sequence[Observation]) -> Iterator[RenderableType]:
    layers = observations[-1].layers
    if len(layers) > _MOST_IN_FULL:
        yield _render_briefly(layers)
        return
    for layer, seen in layers.items():
        history = [one.layers[layer] for one in observations if layer in one.layers]
        yield _render_heading(layer, seen)
        yield _render_values(seen, history, has_header=seen is next(iter(layers.values())))


def _render_heading(layer: str, seen: LayerObservation) -> Text:
    found = Text.assemble((layer, "bold"), (f"  {seen.cell}, {seen.units} units", "dim"))
    if seen.timescales:
        low, middle, high = map(_format_steps, seen.timescales)
        found.append(f", remembers {middle} steps ({low} to {high})", "dim")
    return found


def _render_values(
    seen: LayerObservation, history: Sequence[LayerObservation], has_header: bool
) -> Table:
    """A row for each value: its mean, how it is spread, its course, the loss's derivative."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    for width in (11, 5, _WIDTH, 19, 5):
        table.add_column(no_wrap=True, min_width=width, justify="right" if width == 5 else "left")
    table.add_column(no_wrap=True)
    if has_header:
        table.add_row("", "mean", "shut ── open", "of the time", "‖∂L‖", "mean so far", style="dim")
    states = list(seen.state_gradients)
    for name in _order(seen):
        value = seen.values[name]
        if name in states and value.kind == "other":
            continue
        means = [one.values[name].mean for one in history if name in one.values]
        table.add_row(
            Text(f"  {name}", _choose_style(value)),
            f"{value.mean:.2f}",
            _draw_shares(value),
            Text(_describe_shares(value), "dim"),
            Text("" if value.gradient is None else f"{value.gradient:.0e}", "magenta"),
            Text(draw_course(means[-_HISTORY:], value.kind), "cyan"),
        )
    for state in states:
        norms, value = seen.state_gradients[state], seen.values[state]
        table.add_row(
            Text(f"  ∂L/∂{state}", "dim"),
            "",
            _draw_gradients(norms),
            Text("first step to last", "dim"),
            Text(f"{value.gradient:.0e}", "magenta"),
            Text(f"{norms[0]:.0e} to {norms[-1]:.0e}", "dim"),
        )
    table.add_row(*_summarise_flow(seen))
    return table


def _render_briefly(layers: Mapping[str, LayerObservation]) -> Table:
    """A line for each layer: its gates' means and spread, its flow, its memory."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in ("layer", "gates", "flow", "a step", "remembers"):
        table.add_column(name, no_wrap=True)
    for layer, seen in layers.items():
        gates = Text()
        for name in _order(seen):
            value = seen.values[name]
            if value.kind == "gate":
                gates.append(f"{name} ", _choose_style(value) or "dim")
                gates.append(f"{value.mean:.2f} ")
                gates.append_text(_draw_shares(value, 4))
                gates.append(" ")
        table.add_row(
            Text(layer, "bold"),
            gates,
            Text(draw_flow(_thin(seen.flow, 12)), _choose_flow_style(seen)),
            f"×{seen.flow_factor:.2f}" if seen.flow_steps else "",
            f"{_format_steps(seen.timescales[1])} steps" if seen.timescales else "",
        )
    return table


def _order(seen: LayerObservation) -> list[str]:
    """Gates first, the gate of the memory before the others, then all else."""
    kinds = {"gate": 1, "squashed": 2, "other": 3}
    return sorted(
        seen.values,
        key=lambda name: 0 if name == seen.memory_gate else kinds[seen.values[name].kind],
    )


def _choose_style(value: ValueStatistics) -> str:
    is_stuck = 4 * value.shut >= value.units or 2 * value.open >= value.units
    return "red" if is_stuck else ""


def _draw_shares(value: ValueStatistics, width: int = _WIDTH) -> Text:
    """A bar of how much of the time a gate is shut, between and open."""
    if value.kind == "other":
        return Text("")
    low = round(width * value.low)
    high = min(width - low, round(width * value.high))
    return Text.assemble(
        ("━" * low, "blue"), ("─" * (width - low - high), "dim"), ("━" * high, "yellow")
    )


def _describe_shares(value: ValueStatistics) -> str:
    if value.kind == "gate":
        return f"{value.low:.0%} shut, {value.high:.0%} open"
    return f"{value.extreme:.0%} saturated" if value.kind == "squashed" else ""


def _draw_gradients(norms: Sequence[float]) -> Text:
    """Norms at the steps, first step first, on a logarithmic scale down to 1e-6 of the largest."""
    largest = max((one for one in norms if math.isfinite(one)), default=0.0) or 1.0
    return Text(draw_flow([one / largest for one in _thin(norms, _WIDTH)]), "magenta")


def _summarise_flow(seen: LayerObservation) -> list[RenderableType]:
    if not seen.flow_steps:
        return [Text("  flow", "dim"), "", Text("not measured", "dim")]
    share = seen.flow_ratio
    arrives = f"{share:.0%}" if 0.01 <= share < 10 else f"{share:.0e}" if share else "0"
    return [
        Text("  flow", _choose_flow_style(seen)),
        "",
        Text(draw_flow(_thin(seen.flow, _WIDTH)), _choose_flow_style(seen)),
        Text(f"×{seen.flow_factor:.2f} a step", "dim"),
        Text(arrives, _choose_flow_style(seen)),
        Text(f"{seen.flow_steps - 1} steps back", "dim"),
    ]


def _choose_flow_style(seen: LayerObservation) -> str:
    is_bad = any(one.value == seen.memory for one in find_faults("", seen))
    return "red" if is_bad else "green"


def _thin(values: Sequence[float], most: int) -> list[float]:
    """At most so many of the values, evenly, the first and the last among them."""
    count = min(most, len(values))
    return [values[round(k * (len(values) - 1) / max(1, count - 1))] for k in range(count)]


def draw_flow(shares: Sequence[float]) -> str:
    """What arrives at each step, first step first, as bars on a logarithmic scale down to 1e-6."""
    heights = []
    for share in shares:
        if math.isnan(share):
            heights.append(math.nan)
        elif share <= _LEAST:
            heights.append(0.0)
        else:
            heights.append(1 - math.log10(min(share, 1.0)) / math.log10(_LEAST))
    return "".join(map(_draw_bar, heights))


def draw_course(values: Sequence[float], kind: str) -> str:
    """Means over the observations as bars: of a gate from 0 to 1, of all else from -1 to 1."""
    low, high = (0.0, 1.0) if kind == "gate" else (-1.0, 1.0)
    return "".join(_draw_bar((value - low) / (high - low)) for value in values)


def _draw_bar(height: float) -> str:
    if not math.isfinite(height):
        return "?"
    return _BARS[max(0, min(len(_BARS) - 1, int(height * len(_BARS))))]


def _format_steps(steps: float) -> str:
    return "∞" if math.isinf(steps) else f"{steps:.1f}" if steps < 10 else f"{steps:,.0f}"


def _render_diagnosis(one: Diagnosis) -> Text:
    return Text.assemble(("▲ ", "red"), (one.sentence, ""), (f" {one.remedy}", "dim"))
