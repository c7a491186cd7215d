"""Selective units: those that follow a property of the data, and those active over a span."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from sluice.insight.measures.matching import Match, active_units, find_matches
from sluice.insight.measures.probes import Probe, find_correlated_units, probe
from sluice.insight.measures.regression import flatten_steps
from sluice.report.page.forward import StateDataset
from sluice.report.page.inputs import ReportInputs

HELD_OUT = 0.25
UNITS, RARE = 5, 20
"""Units named for a property, and how often a class must occur to be probed."""
ON = 1.0
"""A unit is active from this many standard deviations above its mean."""
SPAN, SPANS, MATCHES = 8, 60, 4


@dataclass(frozen=True)
class Selectivity:
    """How well a layer follows a property of the data.

    Attributes:
        layer: The layer and direction.
        name: The property.
        probe: Of the layer's output, all units together.
        is_class: Whether the probe's scores are accuracies (of classes) or R² (of numbers).
        majority_share: The share of the most frequent class in the held-out rows; None for
            numbers.
        units: The units whose memory follows it best, chosen on the rows probes are fitted to.
        r: Their correlations on the rows held out, with the number of the class for classes.
    """

    layer: str
    name: str
    probe: Probe
    is_class: bool
    majority_share: float | None
    units: list[int]
    r: list[float]


def find_selective_units(inputs: ReportInputs, dataset: StateDataset) -> Iterator[Selectivity]:
    """How well each layer follows each property that varies enough; tokens are the control task."""
    types = _token_types(inputs, dataset)
    for name, values in inputs.properties.items():
        labels = _flatten_property(values, dataset)
        cut = len(labels) - int(HELD_OUT * len(labels))
        if not _varies(labels[:cut]) or not _varies(labels[cut:]):
            continue
        for place, states in dataset.values.items():
            rows = flatten_steps(states, dataset.lengths)
            order, _ = find_correlated_units(rows[:cut], labels[:cut])
            chosen = order[:UNITS]
            places, r = find_correlated_units(rows[cut:, chosen], labels[cut:])
            read = flatten_steps(dataset.outputs[place], dataset.lengths)
            found = probe(read, labels, types, held_out=HELD_OUT)
            is_class = not labels.is_floating_point()
            common = (
                float(labels[cut:].bincount().max()) / (len(labels) - cut) if is_class else None
            )
            units = chosen[places].tolist()
            yield Selectivity(place, name, found, is_class, common, units, r.tolist())


def _flatten_property(values: Sequence[Tensor], dataset: StateDataset) -> Tensor:
    """A property at every step of the survey, one sequence after another."""
    pairs = zip(dataset.sequence_ids, dataset.lengths.tolist(), strict=True)
    return torch.cat([values[number][:steps] for number, steps in pairs])


def _token_types(inputs: ReportInputs, dataset: StateDataset) -> Tensor | None:
    if inputs.tokens is None:
        return None
    pairs = zip(dataset.sequence_ids, dataset.lengths.tolist(), strict=True)
    tokens = [token for number, steps in pairs for token in inputs.tokens[number][:steps]]
    known = {token: place for place, token in enumerate(dict.fromkeys(tokens))}
    return torch.tensor([known[token] for token in tokens])


def _varies(labels: Tensor) -> bool:
    if labels.is_floating_point():
        return len(labels) > RARE and float(labels.std()) > 0
    counts = labels.bincount()
    return int((counts >= RARE).sum()) > 1


@dataclass(frozen=True)
class Span:
    """Steps ``start`` to ``stop`` − 1 of the shown sequence, and the units on over all of them."""

    layer: str
    start: int
    stop: int
    units: list[int]
    matches: list[Match]


def standardise(states: Tensor, reference: Tensor, lengths: Tensor) -> Tensor:
    """Each unit minus its mean over ``reference``, divided by its standard deviation there."""
    rows = flatten_steps(reference, lengths)
    return (states - rows.mean(0)) / rows.std(0, correction=0).clamp_min(1e-12)


def find_spans(
    dataset: StateDataset,
    shown: Mapping[str, Tensor],
    edges: Sequence[int],
    sequence: int,
    first: int,
) -> Iterator[Span]:
    """The units on over each span of the shown sequence, and where else most of them are on.

    ``shown`` holds each place's states, ``(time, 1, units)``; ``edges`` are the spans' first steps
    and the end of the last, counted from step ``first`` of ``sequence``.
    """
    for place, states in shown.items():
        here = standardise(states, dataset.values[place], dataset.lengths)
        there = standardise(dataset.values[place], dataset.values[place], dataset.lengths)
        for start, stop in pairwise(edges):
            units = active_units(here, 0, start, stop, ON)
            matches: list[Match] = []
            if len(units) and stop - start <= len(there):
                matches = find_matches(there, units, stop - start, ON, MATCHES + 1, dataset.lengths)
            kept = [
                m
                for m in matches
                if not _is_same_span(dataset, m, sequence, first + start, first + stop)
            ]
            yield Span(place, start, stop, units.tolist(), kept[:MATCHES])


def _is_same_span(
    dataset: StateDataset, match: Match, sequence: int, start: int, stop: int
) -> bool:
    """Whether a match is the span itself, or overlaps it."""
    inside = match.start < stop and start < match.stop
    return dataset.sequence_ids[match.sequence] == sequence and inside


def span_edges(marks: Sequence[int] | None, start: int, stop: int) -> list[int]:
    """The first steps of the spans within the shown steps, and their end; 0 is ``start``."""
    inner = range(start, stop, SPAN) if marks is None else [m for m in marks if start < m < stop]
    return sorted({0, stop - start, *(mark - start for mark in inner)})[: SPANS + 1]
