"""The most telling units: those that follow something in the data, and those on over a span."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from sluice.insight.linear import rows_of
from sluice.insight.matching import Match, matching_places, units_on
from sluice.insight.probes import Probe, correlated_units, probe
from sluice.report.look.given import Given
from sluice.report.look.reading import Survey

HELD_OUT = 0.25
UNITS, RARE = 5, 20
"""Units named for a property, and how often a class must come for it to be asked for."""
ON = 1.0
"""From how many standard deviations above its mean a unit is on."""
SPAN, SPANS, MATCHES = 8, 60, 4


@dataclass(frozen=True)
class Followed:
    """How well a place follows a property of the data.

    Attributes:
        place: The layer and direction.
        name: The property.
        probe: Of what the layer gives to later ones, all units together.
        is_class: Whether the probe's scores are accuracies (of classes) or R² (of numbers).
        commonest: The share of the commonest class among the rows held out; None for numbers.
        units: The units whose memory follows it best, chosen on the rows probes are fitted to.
        r: Their correlations on the rows held out, with the number of the class for classes.
    """

    place: str
    name: str
    probe: Probe
    is_class: bool
    commonest: float | None
    units: list[int]
    r: list[float]


def followed(given: Given, seen: Survey) -> Iterator[Followed]:
    """What each place knows of each property that varies enough; the tokens serve as control."""
    types = _types(given, seen)
    for name, values in given.properties.items():
        labels = _of_survey(values, seen)
        cut = len(labels) - int(HELD_OUT * len(labels))
        if not _varies(labels[:cut]) or not _varies(labels[cut:]):
            continue
        for place, states in seen.values.items():
            rows = rows_of(states, seen.lengths)
            order, _ = correlated_units(rows[:cut], labels[:cut])
            chosen = order[:UNITS]
            places, r = correlated_units(rows[cut:, chosen], labels[cut:])
            read = rows_of(seen.outputs[place], seen.lengths)
            found = probe(read, labels, types, held_out=HELD_OUT)
            is_class = not labels.is_floating_point()
            common = (
                float(labels[cut:].bincount().max()) / (len(labels) - cut) if is_class else None
            )
            units = chosen[places].tolist()
            yield Followed(place, name, found, is_class, common, units, r.tolist())


def _of_survey(values: Sequence[Tensor], seen: Survey) -> Tensor:
    """A property at every step of the survey, one sequence after another."""
    pairs = zip(seen.numbers, seen.lengths.tolist(), strict=True)
    return torch.cat([values[number][:steps] for number, steps in pairs])


def _types(given: Given, seen: Survey) -> Tensor | None:
    if given.tokens is None:
        return None
    pairs = zip(seen.numbers, seen.lengths.tolist(), strict=True)
    tokens = [token for number, steps in pairs for token in given.tokens[number][:steps]]
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

    place: str
    start: int
    stop: int
    units: list[int]
    matches: list[Match]


def standardised(states: Tensor, seen: Tensor, lengths: Tensor) -> Tensor:
    """Each unit less its mean over ``seen``, in its standard deviations there."""
    rows = rows_of(seen, lengths)
    return (states - rows.mean(0)) / rows.std(0, correction=0).clamp_min(1e-12)


def spans(
    seen: Survey, shown: Mapping[str, Tensor], edges: Sequence[int], sequence: int, first: int
) -> Iterator[Span]:
    """The units on over each span of the shown sequence, and where else most of them are on.

    ``shown`` holds each place's states, ``(time, 1, units)``; ``edges`` are the spans' first steps
    and the end of the last, counted from step ``first`` of ``sequence``.
    """
    for place, states in shown.items():
        here = standardised(states, seen.values[place], seen.lengths)
        there = standardised(seen.values[place], seen.values[place], seen.lengths)
        for start, stop in pairwise(edges):
            units = units_on(here, 0, start, stop, ON)
            matches: list[Match] = []
            if len(units) and stop - start <= len(there):
                matches = matching_places(there, units, stop - start, ON, MATCHES + 1, seen.lengths)
            kept = [m for m in matches if not _same(seen, m, sequence, first + start, first + stop)]
            yield Span(place, start, stop, units.tolist(), kept[:MATCHES])


def _same(seen: Survey, match: Match, sequence: int, start: int, stop: int) -> bool:
    """Whether a match is the span itself, or overlaps it."""
    inside = match.start < stop and start < match.stop
    return seen.numbers[match.sequence] == sequence and inside


def edges_of(marks: Sequence[int] | None, start: int, stop: int) -> list[int]:
    """The first steps of the spans within the shown steps, and their end; 0 is ``start``."""
    inner = range(start, stop, SPAN) if marks is None else [m for m in marks if start < m < stop]
    return sorted({0, stop - start, *(mark - start for mark in inner)})[: SPANS + 1]
