"""Selective units: those that follow a property of the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, isnan

import torch
from torch import Tensor

from sluice.insight.measures.probes import Probe, ProbedValues, find_correlated_units
from sluice.insight.measures.regression import flatten_steps
from sluice.report.page.forward import StateDataset
from sluice.report.page.inputs import ReportInputs
from sluice.report.page.view_inputs import StepAxis

HELD_OUT = 0.25
UNITS, RARE = 5, 20
"""Units named for a property, and how often a class must occur to be probed."""


@dataclass(frozen=True)
class Selectivity:
    """How well a layer's state follows a property of the data.

    Attributes:
        layer: The layer and direction.
        name: The property.
        probe: Of the layer's memory state, all units together; None where the property is
            constant in one part.
        is_class: Whether the probe's scores are accuracies (of classes) or R² (of numbers).
        majority_share: The share of the most frequent class in the held-out rows; None for
            numbers.
        units: The units of that state that follow it best, chosen on the rows probes are fitted to.
        r: Their correlations on the rows held out, with the number of the class for classes.
        constant_part: The part of the rows over which the property does not vary.
    """

    layer: str
    name: str
    probe: Probe | None
    is_class: bool
    majority_share: float | None
    units: list[int]
    r: list[float]
    constant_part: str = ""

    @property
    def bar(self) -> float:
        """What the score must beat: the control, and what naming one answer always would score."""
        control = float("nan") if self.probe is None else self.probe.control
        return control if isnan(control) else max(control, self.majority_share or 0.0)

    @property
    def verdict(self) -> str:
        """``"found"``, ``"not found"`` or ``"not measurable"``, as two decimals show it."""
        if self.probe is None or not isfinite(self.probe.score) or not isfinite(self.bar):
            return "not measurable"
        return "found" if round(self.probe.score, 2) > round(self.bar, 2) else "not found"

    def describe(self) -> str:
        """What the probe shows, in a sentence."""
        if self.probe is None or self.verdict == "not measurable":
            part = self.constant_part or "held-out part of its control"
            return f"not measurable: constant in the {part}"
        score = f"{'accuracy' if self.is_class else 'R²'} {self.probe.score:.2f}"
        control = f"its control {self.probe.control:.2f}"
        if self.verdict == "found":
            return f"read off the state: {score}, {control}"
        if self.majority_share is not None and self.majority_share >= self.probe.control:
            control = f"always naming the commonest class, {self.majority_share:.2f}"
        elif self.probe.control < 0:
            control = "the mean of all, 0.00"
        return f"not shown: {score} does not beat {control}"


def find_selective_units(inputs: ReportInputs, dataset: StateDataset) -> Iterator[Selectivity]:
    """How well each layer follows each property that varies; tokens are the control task.

    Properties that never vary are left out, and classes that occur less than `RARE` times.
    """
    for axis in dataset.axis_lengths:
        yield from _find_on_axis(inputs, dataset, axis)


def _find_on_axis(
    inputs: ReportInputs, dataset: StateDataset, axis: StepAxis
) -> Iterator[Selectivity]:
    lengths = dataset.axis_lengths[axis]
    states_by_place = {
        place: states for place, states in dataset.values.items() if dataset.axes[place] == axis
    }
    types = _token_types(inputs.list_tokens(axis), dataset.sequence_ids, lengths)
    prepared = dict[str, ProbedValues]()
    for name, values in inputs.list_properties(axis).items():
        labels = _flatten_property(values, dataset.sequence_ids, lengths)
        cut = len(labels) - int(HELD_OUT * len(labels))
        if not _varies(labels):
            continue
        is_class = not labels.is_floating_point()
        parts = {"part to fit": labels[:cut], "held-out part": labels[cut:]}
        constant = next((part for part, rows in parts.items() if not _is_varied(rows)), "")
        common = float(labels[cut:].bincount().max()) / (len(labels) - cut) if is_class else None
        for place, states in states_by_place.items():
            if constant:
                yield Selectivity(place, name, None, is_class, common, [], [], constant)
                continue
            rows = flatten_steps(states, lengths)
            order, _ = find_correlated_units(rows[:cut], labels[:cut])
            chosen = order[:UNITS]
            places, r = find_correlated_units(rows[cut:, chosen], labels[cut:])
            if place not in prepared:
                prepared[place] = ProbedValues(rows, held_out=HELD_OUT)
            found = prepared[place].probe(labels, types)
            units = chosen[places].tolist()
            yield Selectivity(place, name, found, is_class, common, units, r.tolist())


def _flatten_property(values: Sequence[Tensor], numbers: Sequence[int], lengths: Tensor) -> Tensor:
    """A property at every step of the survey, one sequence after another."""
    pairs = zip(numbers, lengths.tolist(), strict=True)
    return torch.cat([values[number][:steps] for number, steps in pairs])


def _token_types(
    tokens_read: Sequence[Sequence[str]] | None, numbers: Sequence[int], lengths: Tensor
) -> Tensor | None:
    if tokens_read is None:
        return None
    pairs = zip(numbers, lengths.tolist(), strict=True)
    tokens = [token for number, steps in pairs for token in tokens_read[number][:steps]]
    known = {token: place for place, token in enumerate(dict.fromkeys(tokens))}
    return torch.tensor([known[token] for token in tokens])


def _varies(labels: Tensor) -> bool:
    """Whether there is anything to look for: of classes, two that occur often enough."""
    if labels.is_floating_point():
        return len(labels) > RARE and _is_varied(labels)
    return int((labels.bincount() >= RARE).sum()) > 1


def _is_varied(labels: Tensor) -> bool:
    return len(labels) > 0 and bool((labels != labels[0]).any())
