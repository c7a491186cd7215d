"""An observation as TensorBoard's scalars and histograms."""

from __future__ import annotations

import math
from typing import Any, Protocol

from sluice.insight.monitor.observation import LayerObservation, Observation


class CurveWriter(Protocol):
    """What is used of `torch.utils.tensorboard.SummaryWriter`."""

    def add_scalar(self, tag: str, scalar_value: Any, global_step: int, /) -> Any: ...
    def add_histogram(self, tag: str, values: Any, global_step: int, /) -> Any: ...
    def add_text(self, tag: str, text_string: str, global_step: int, /) -> Any: ...


def write_curves(writer: CurveWriter, observation: Observation) -> None:
    """Write an observation's numbers, histograms of gates over units, and its sentences.

    Args:
        writer: a `torch.utils.tensorboard.SummaryWriter`.
        observation: as a `sluice.insight.Monitor` gives it.
    """
    step = observation.step
    for layer, seen in observation.layers.items():
        for tag, value in _list_scalars(seen).items():
            if math.isfinite(value):
                writer.add_scalar(f"{layer}/{tag}", value, step)
        for name, means in seen.unit_means.items():
            writer.add_histogram(f"{layer}/{name}/units", means, step)
    for one in observation.raised:
        writer.add_text("warnings", str(one), step)
    for one in observation.withdrawn:
        writer.add_text("warnings", one.describe_end(), step)


def _list_scalars(seen: LayerObservation) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in seen.values.items():
        found[f"{name}/mean"] = value.mean
        if value.kind != "other":
            found |= {f"{name}/low": value.low, f"{name}/high": value.high}
        if value.gradient is not None:
            found[f"{name}/gradient"] = value.gradient
    if seen.flow_steps:
        found["gradient flow/first to last"] = seen.flow_ratio
        found["gradient flow/factor per step"] = seen.flow_factor
    if seen.timescales:
        found["timescale/median"] = seen.timescales[1]
    found["units/constant"] = float(seen.constant_units)
    found["units/unread"] = float(seen.unread_units)
    return found
