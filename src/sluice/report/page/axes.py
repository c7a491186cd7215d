"""The axes of steps of a page, and what is said of each step."""

from __future__ import annotations

import numpy as np

from sluice.report.page.forward import ForwardRecord
from sluice.report.page.inputs import ReportInputs
from sluice.report.page.load_views import name_keys
from sluice.report.page.view_inputs import LabelsView, PairsView, RollView, SeriesView, StepAxis

_START = "⟨start⟩"


def pack_axes(
    inputs: ReportInputs, forward: ForwardRecord, sequence: int
) -> list[dict[str, object]]:
    """For each axis its name, how many steps are shown of it, the first of them, and their tokens;
    steps without tokens may have ``times``."""
    found = list[dict[str, object]]()
    for axis, (start, stop) in forward.windows.items():
        steps = list_steps(inputs, sequence, axis)[start:stop]
        packed = {"name": axis, "length": stop - start, "first": start}
        if not steps:
            found.append(packed)
            continue
        steps += [""] * (stop - start - len(steps))
        is_text = axis in ("source", "target") or (axis == "steps" and inputs.tokens is not None)
        is_text = is_text and not isinstance(inputs.view, RollView)
        found.append({**packed, "tokens" if is_text else "times": steps})
    return found


def list_steps(inputs: ReportInputs, sequence: int, axis: StepAxis = "steps") -> list[str]:
    """What is said of each step of a sequence: what is read there, the time, or of a roll what
    sounds; nothing of a series without times."""
    view = inputs.view
    if isinstance(view, PairsView):
        if axis == "source":
            return list(view.sources[sequence])
        return [_START, *view.targets[sequence][:-1]] if axis == "target" else []
    if axis != "steps":
        return []
    if isinstance(view, RollView):
        keys = name_keys(view.pitches)
        return [
            " ".join(keys[key] for key in np.flatnonzero(step)) or "silence"
            for step in view.rolls[sequence]
        ]
    if inputs.tokens is not None:
        return list(inputs.tokens[sequence])
    series = view.read if isinstance(view, LabelsView) else view
    if isinstance(series, SeriesView):
        return [_format_time(time) for time in series.times[sequence]] if series.times else []
    values = inputs.inputs[sequence]
    values = values.unsqueeze(-1) if values.dim() == 1 else values
    return [",".join(f"{v:.3g}" for v in row[:3].tolist()) for row in values]


def _format_time(time: object) -> str:
    if isinstance(time, np.datetime64):
        text = str(time.astype("datetime64[s]")).replace("T", " ")
        return text.removesuffix(":00").removesuffix(" 00:00")
    return f"{time:.6g}"
