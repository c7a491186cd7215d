"""Units active over a span, and the other spans of a corpus where they are active."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from sluice.insight.checks import read_step_counts, require_numbers


class Match(NamedTuple):
    """A span where units of interest are active: steps ``start`` to ``stop`` − 1 of a sequence."""

    sequence: int
    start: int
    stop: int
    units: int
    """How many of the units are active over the whole span."""


def active_units(
    values: Tensor, sequence: int, start: int, stop: int, threshold: float, exclusive: bool = False
) -> Tensor:
    """The units that are active, at least ``threshold``, at every step of a span.

    Source: Strobelt, Gehrmann, Pfister & Rush 2018, "LSTMVis: A tool for visual analysis of hidden
    state dynamics in recurrent neural networks", the selection of a hypothesis.

    Args:
        values: Recorded, ``(time, batch, units)``.
        sequence: Which of the batch.
        start: The first step of the span.
        stop: The step after its last.
        threshold: The value from which a unit is active.
        exclusive: Whether to leave out units that are also active just before or just after.

    Returns:
        The units, ``(found,)``, int64, ascending.

    Raises:
        ValueError: the span is empty or not within the values.

    Example:
        >>> import torch
        >>> values = torch.tensor([[[0.1, 0.9]], [[0.8, 0.9]], [[0.7, 0.2]], [[0.0, 0.1]]])
        >>> active_units(values, 0, 1, 3, 0.5)
        tensor([0])
    """
    require_numbers(values, "values")
    _check_span(values, sequence, start, stop)
    on = values[:, sequence] >= threshold
    found = on[start:stop].all(0)
    if exclusive:
        around = [t for t in (start - 1, stop) if 0 <= t < len(on)]
        found = found & ~on[around].any(0)
    return found.nonzero().squeeze(-1)


def _check_span(values: Tensor, sequence: int, start: int, stop: int) -> None:
    shape = values.shape
    if len(shape) != 3 or not (0 <= sequence < shape[1] and 0 <= start < stop <= shape[0]):
        raise ValueError(
            "a span must have 0 <= start < stop within values (time, batch, units), got "
            f"{start} to {stop} of sequence {sequence} in {tuple(shape)}"
        )


def find_matches(
    values: Tensor,
    units: Tensor,
    length: int | None,
    threshold: float,
    count: int = 10,
    lengths: Tensor | None = None,
) -> list[Match]:
    """Other spans of a corpus where the same units are active.

    A span's score is the number of ``units`` that are active, at least ``threshold``, at every one
    of its steps; of equal scores the span with fewer other active units comes first. Spans do not
    overlap. With ``length`` None spans are as long as possible (one more step would lose a unit),
    and of equal scores the longer one comes first.

    Source: the matching of LSTMVis, Strobelt et al. 2018.

    Args:
        values: Recorded on the corpus, ``(time, batch, units)``.
        units: What `active_units` gives.
        length: How many steps a span has; None for any number.
        threshold: As for `active_units`.
        count: How many spans, at most.
        lengths: How many steps of each sequence count, ``(batch,)``; None for all.

    Returns:
        Matches, the best first; none without an active unit. The span that ``units`` come from is
        among them if ``values`` contain it.

    Raises:
        ValueError: there are no units, or no span of that length.

    Example:
        >>> import torch
        >>> values = torch.zeros(9, 2, 3)
        >>> values[2:4, 0, 1] = values[5:7, 1, 1] = 1.0
        >>> [tuple(match) for match in find_matches(values, torch.tensor([1]), 2, 0.5)]
        [(0, 2, 4, 1), (1, 5, 7, 1)]
        >>> values[7, 1, 1] = 1.0
        >>> [tuple(match) for match in find_matches(values, torch.tensor([1]), None, 0.5)]
        [(1, 5, 8, 1), (0, 2, 4, 1)]
    """
    require_numbers(values, "values")
    units = torch.as_tensor(units)
    if units.is_floating_point() or bool(((units < 0) | (units >= values.shape[-1])).any()):
        raise ValueError(
            f"units must be integers from 0 to {values.shape[-1] - 1}, got {units.tolist()}"
        )
    if len(units) == 0:
        raise ValueError("there are no units to match; lower the threshold of active_units")
    steps = 1 if length is None else length
    if values.dim() != 3 or not 1 <= steps <= values.shape[0]:
        raise ValueError(
            f"values must be (time, batch, units) with at least the {steps} steps of a span "
            f"(one or more), got {tuple(values.shape)}"
        )
    on = values >= threshold
    if lengths is not None:
        times = torch.arange(len(on), device=on.device)[:, None, None]
        counts = read_step_counts(lengths, *on.shape[:2]).to(on.device)
        on = on & (times < counts[:, None])
    if length is None:
        return _select_best(_find_longest(on[..., units]), count)
    whole = on.unfold(0, length, 1).all(-1)  # places, batch, units
    wanted = whole[..., units].sum(-1)
    rank = wanted * (on.shape[-1] + 1) - (whole.sum(-1) - wanted)
    return _select_best(_rank_matches(wanted, rank, length), count)


def _rank_matches(wanted: Tensor, rank: Tensor, length: int) -> Iterator[Match]:
    """Spans of one length, the highest rank first."""
    batch = wanted.shape[1]
    for place in rank.flatten().argsort(descending=True, stable=True).tolist():
        start, sequence = divmod(place, batch)
        if wanted[start, sequence] > 0:
            yield Match(sequence, start, start + length, int(wanted[start, sequence]))


def _find_longest(on: Tensor) -> Iterator[Match]:
    """Spans that one more step at either end would cost a unit: most units first, then longest."""
    total = len(on)
    ends = torch.full(on.shape[1:], total, device=on.device)
    until = torch.empty(
        on.shape, dtype=torch.int64, device=on.device
    )  # where each unit ceases to be active
    for t in reversed(range(total)):
        ends = torch.where(on[t], ends, t)
        until[t] = ends
    stops = until.sort(-1, descending=True).values  # at k − 1: where k units cease to be active
    starts = torch.arange(total, device=on.device)[:, None, None]
    nothing = torch.full_like(stops[:1], -1)
    before = torch.cat([nothing, stops[:-1]])  # from one step earlier
    more = torch.cat([stops[..., 1:], nothing[:1].expand(total, -1, -1)[..., :1]], dim=-1)
    found = (stops > starts) & (before < stops) & (more < stops)
    places = [
        Match(sequence, start, int(stops[start, sequence, k]), k + 1)
        for start, sequence, k in found.nonzero().tolist()
    ]
    yield from sorted(places, key=lambda m: (-m.units, m.start - m.stop, m.start, m.sequence))


def _select_best(matches: Iterable[Match], count: int) -> list[Match]:
    """The first spans, without those that overlap an earlier one."""
    found = list[Match]()
    for place in matches:
        if len(found) == count:
            break
        if not any(_overlaps(place, other) for other in found):
            found.append(place)
    return found


def _overlaps(one: Match, other: Match) -> bool:
    return one.sequence == other.sequence and one.start < other.stop and other.start < one.stop
