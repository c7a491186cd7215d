"""What is seen of a model in one step of its training, as numbers that a line of JSON holds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from torch import Tensor

from sluice.insight.monitor.diagnosis import Diagnosis


@dataclass(frozen=True, kw_only=True)
class ValueStatistics:
    """One named value of a layer, over the steps and sequences that were looked at.

    Attributes:
        kind: `"gate"` (between 0 and 1), `"squashed"` (a tanh), or `"other"`.
        units: the width.
        mean: the mean.
        low: of a gate the share below 0.1; of a squashed value below -0.99; else 0.
        high: of a gate the share above 0.9; of a squashed value above 0.99; else 0.
        extreme: the share within 0.01 of a bound, where the derivative is nearly 0; else 0.
        shut, open: of a gate, how many units were below 0.01 (above 0.99) at every step of all
            observations of the window.
        gradient: the root mean square over steps and sequences of the loss's derivative, a norm
            over the units; None without a backward pass.
    """

    kind: str
    units: int
    mean: float
    low: float = 0.0
    high: float = 0.0
    extreme: float = 0.0
    shut: int = 0
    open: int = 0
    gradient: float | None = None


@dataclass(frozen=True, kw_only=True)
class LayerObservation:
    """One layer in one direction.

    Attributes:
        cell: the cell's name.
        units: the width of its output.
        memory: the state that it keeps its memory in.
        memory_gate: the gate that keeps the memory; None without one.
        values: every named value.
        flow: how much of a gradient at the last state arrives at each step, first step first, 1 at
            the last; thinned to at most 32 steps, evenly.
        flow_steps: how many steps the flow covers; 0 where there is none.
        flow_ratio: what arrives at the first step.
        flow_factor: the factor per step, on average: the derivative of the logarithm.
        flow_peak: the largest value of the flow.
        flow_twenty: what arrives 20 steps back, or at the first step if there are fewer.
        state_gradients: for each state the norm of the loss's derivative at each step, a root
            mean square over the sequences, thinned as the flow.
        timescales: quartiles over the units of -1 / log f, in steps; empty without a gate.
        constant_units: how many units of the output never changed in the window.
        unread_units: how many had a derivative of exactly 0 throughout the window.
        unit_means: for each gate and unit the mean, ``(units,)``; not in the file.
    """

    cell: str
    units: int
    memory: str
    memory_gate: str | None
    values: Mapping[str, ValueStatistics]
    flow: tuple[float, ...] = ()
    flow_steps: int = 0
    flow_ratio: float = math.nan
    flow_factor: float = math.nan
    flow_peak: float = math.nan
    flow_twenty: float = math.nan
    state_gradients: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    timescales: tuple[float, ...] = ()
    constant_units: int = 0
    unread_units: int = 0
    unit_means: Mapping[str, Tensor] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One step of training, looked at.

    Attributes:
        step: the number of the step, counted from 1.
        seconds: since the monitor was made.
        share: the share of the training's time that the monitor has taken so far.
        layers: by their names in the model, ``"encoder.l0_reverse"``.
        diagnoses: what is wrong now.
        raised: what of it is new.
        withdrawn: what was wrong before and is not any more.
    """

    step: int
    seconds: float
    share: float
    layers: Mapping[str, LayerObservation]
    diagnoses: tuple[Diagnosis, ...] = ()
    raised: tuple[Diagnosis, ...] = ()
    withdrawn: tuple[Diagnosis, ...] = ()

    def to_json(self) -> str:
        """One line of JSON; numbers that are not finite are strings."""
        values = asdict(self, dict_factory=_drop_tensors)
        return json.dumps(_replace_nonfinite(values), separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, line: str | Mapping[str, Any]) -> Observation:
        """What `to_json` wrote.

        Raises:
            ValueError, KeyError, TypeError: it is something else.
        """
        values = dict(json.loads(line) if isinstance(line, str) else line)
        layers = {name: _read_layer(one) for name, one in values["layers"].items()}
        lists = {
            name: tuple(_read(Diagnosis, one) for one in values[name])
            for name in ("diagnoses", "raised", "withdrawn")
        }
        return cls(
            step=int(values["step"]),
            seconds=float(values["seconds"]),
            share=float(values["share"]),
            layers=layers,
            **lists,
        )


def _drop_tensors(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if name != "unit_means"}


def _replace_nonfinite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _replace_nonfinite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_nonfinite(one) for one in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else str(value)
    return value


def _read_layer(values: Mapping[str, Any]) -> LayerObservation:
    given = dict(values)
    given["values"] = {n: _read(ValueStatistics, one) for n, one in given["values"].items()}
    given["state_gradients"] = {
        n: tuple(map(float, one)) for n, one in given["state_gradients"].items()
    }
    found: LayerObservation = _read(LayerObservation, given)
    return found


def _read(kind: type[Any], values: Mapping[str, Any]) -> Any:
    """A dataclass from JSON's values; what a later version adds is left out."""
    known = {one.name: one.type for one in fields(kind)}
    found = {}
    for name, value in values.items():
        if name in known:
            of_floats = str(known[name]).startswith("tuple[float")
            of_float = str(known[name]).startswith("float") and value is not None
            found[name] = (
                tuple(map(float, value)) if of_floats else float(value) if of_float else value
            )
    return kind(**found)
