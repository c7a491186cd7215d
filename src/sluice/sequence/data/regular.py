"""Times made regular by a named rule: steps of one length, resampled and filled as asked."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from sluice.option_names import name_option, name_setting
from sluice.sequence.data.clocks import count_months, from_local, to_local
from sluice.sequence.data.ragged import Array, RaggedArray
from sluice.sequence.data.report import pluralize
from sluice.sequence.data.series import Series
from sluice.sequence.errors import DataError

_SECOND = 1_000_000
_LENGTHS = {"second": _SECOND, "minute": 60 * _SECOND, "hour": 3600 * _SECOND}
_DAYS = {"day": 1, "week": 7, "weekday": 1}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_WAYS = ("mean", "sum", "min", "max", "first", "last")
_FILLS = ("missing", "previous", "interpolate")
_RULE = re.compile(
    r"\s*(?:(\d+(?:\.\d+)?)\s*)?([a-z]+?)?s?\s*(?::\s*([a-z]+))?\s*(?:,\s*fill=([a-z]+))?\s*"
)
_MOST_STEPS = 100
"""Steps that a rule may make of one row, to bound the memory that it takes."""
_FIRST_MONDAY = 4
"""Days from January 1, 1970 to the first Monday."""


@dataclass(frozen=True)
class RegularRule:
    """A rule such as `hour:mean` or `15 minutes:sum,fill=previous`.

    Attributes:
        number: how many units a step has.
        unit: second, minute, hour, day, weekday, week, month, quarter or year; empty for times that
            are numbers, in their own unit.
        way: what several rows in a step become; empty to refuse them.
        fill: what a step without a row holds.
    """

    number: float
    unit: str
    way: str
    fill: str

    @classmethod
    def parse(cls, rule: str) -> RegularRule:
        """Read a rule `[NUMBER] UNIT[:WAY][,fill=FILL]`.

        Raises:
            DataError: not such a rule.

        >>> RegularRule.parse("15 minutes:mean,fill=previous")
        RegularRule(number=15.0, unit='minute', way='mean', fill='previous')
        """
        found = _RULE.fullmatch(rule.lower())
        number, unit, way, fill = found.groups() if found else (None, None, None, None)
        units = (*_LENGTHS, *_DAYS, *_MONTHS)
        size = float(number or 1)
        whole = unit is None or (size == int(size) and not (unit == "weekday" and size != 1))
        known = unit in units or (unit is None and number is not None)
        if not (known and whole and size > 0 and way in (None, *_WAYS) and fill in (None, *_FILLS)):
            raise DataError(
                f"{name_setting('regular', rule)} is no rule; expected a step (hour, 15 minutes, "
                "day, weekday, week, month, quarter, year, or a number), then "
                f":{' or :'.join(_WAYS)} for several rows in a step, then "
                f",fill={' or ,fill='.join(_FILLS)} for steps without a row, such as "
                "'hour:mean,fill=interpolate'."
            )
        return cls(size, unit or "", way or "", fill or "missing")


class _Bins(NamedTuple):
    """The step of each row, and the time of every step from the first to the last."""

    places: Array
    times: Array


def make_regular(series: Series, rule: str) -> tuple[Series, tuple[str, ...]]:
    """Sequences with one step after the other, without gaps and repeats.

    A step starts at a full unit by the clock of the zone (a week on Monday) and holds the rows
    until the next one starts. Steps without a row are filled as the rule says; a cell that is
    missing in a row stays missing unless others of its step are known.

    Args:
        series: with times.
        rule: `[NUMBER] UNIT[:WAY][,fill=FILL]`. Units are second, minute, hour, day, weekday, week,
            month, quarter and year; only a number for times that are numbers. WAY is what several
            rows in a step become: mean, sum, min, max, first or last (of the known values). FILL is
            what a step without a row holds: missing (the default), previous or interpolate (in
            equal steps between its neighbours).

    Returns:
        The sequences, and what was done, as sentences.

    Raises:
        DataError: no rule or no times, a unit of dates for numbers, labels of steps, several rows
            in a step without WAY, or more than a hundred steps a row.

    >>> times = RaggedArray.of([np.array(["2024-01-01", "2024-01-03"], "datetime64[us]")], "M8[us]")
    >>> series = Series(("level",), RaggedArray.of([[[1.0], [3.0]]], float), times=times)
    >>> make_regular(series, "day,fill=interpolate")[0].values[0].tolist()
    [[1.0], [2.0], [3.0]]
    """
    asked = RegularRule.parse(rule)
    name = name_option("regular")
    if series.times is None:
        raise DataError(f"{name} needs a column of times; name it with {name_option('time')}.")
    if isinstance(series.labels, RaggedArray):
        raise DataError(f"{name} cannot join steps that have a label each; leave it out.")
    if (series.times.flat.dtype.kind == "M") != bool(asked.unit):
        expected = "a number" if asked.unit else "a unit such as hour"
        raise DataError(f"{name} {rule!r}: the times need {expected}, in this table.")
    values, times = list[Array](), list[Array]()
    joined = filled = 0
    for index, rows in enumerate(series.values):
        bins = _find_bins(series.times[index], asked, series.time_zone)
        if len(bins.times) > _MOST_STEPS * len(rows) + 1000:
            raise DataError(
                f"{name_setting('regular', rule)} would make {len(bins.times):,} steps of "
                f"{len(rows):,} rows; name a longer step."
            )
        _, starts = np.unique(bins.places, return_index=True)
        if not asked.way and len(starts) < len(rows):
            raise DataError(
                f"{pluralize(len(rows) - len(starts), 'row')} would share a step with the row "
                f"before; say how to join them, such as {name_setting('regular', f'{rule}:mean')}."
            )
        joined += len(rows) - len(starts)
        filled += len(bins.times) - len(starts)
        one = np.full((len(bins.times), rows.shape[1]), np.nan)
        one[bins.places[starts]] = _join(rows, starts, asked.way or "first")
        values.append(_fill(one, bins.places[starts], asked.fill))
        times.append(bins.times)
    made = replace(
        series,
        values=_concatenate(values),
        times=_concatenate(times),
    )
    note = (
        f"Made regular by {rule!r}: {pluralize(joined, 'row')} joined with others, "
        f"{pluralize(filled, 'step')} without a row "
        f"{'left missing' if asked.fill == 'missing' else f'filled ({asked.fill})'}."
    )
    return made, (note,)


def _concatenate(parts: list[Array]) -> RaggedArray:
    ends = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    return RaggedArray(np.concatenate(parts), ends[:-1], ends[1:])


def _find_bins(times: Array, rule: RegularRule, zone: str) -> _Bins:
    if not rule.unit:
        numbers = times.astype(np.float64) / rule.number
        steps = np.floor(numbers + 1e-9 * np.maximum(np.abs(numbers), 1)).astype(np.int64)
        return _Bins(steps - steps[0], np.arange(steps[0], steps[-1] + 1) * rule.number)
    times, size = times.astype("datetime64[us]"), int(rule.number)
    local = to_local(times, zone)
    if rule.unit in _LENGTHS:
        # Hours of a day with a change of clocks are told apart by UTC; the zone gives the minute.
        shift = (local[0] - times[0]).astype(np.int64)
        length = _LENGTHS[rule.unit] * size
        steps = (times.astype(np.int64) + shift) // length
        starts = np.arange(steps[0], steps[-1] + 1) * length - shift
        return _Bins(steps - steps[0], starts.astype("datetime64[us]"))
    if rule.unit in _MONTHS:
        size *= _MONTHS[rule.unit]
        steps = count_months(local) // size
        starts = (np.arange(steps[0], steps[-1] + 1) * size).astype("datetime64[M]")
    elif rule.unit == "weekday":
        days = np.busday_offset(local.astype("datetime64[D]"), 0, roll="backward")
        steps = np.busday_count(days[0], days)
        starts = np.busday_offset(days[0], np.arange(steps[-1] + 1))
    else:
        size *= _DAYS[rule.unit]
        first = _FIRST_MONDAY if rule.unit == "week" else 0
        steps = (local.astype("datetime64[D]").astype(np.int64) - first) // size
        starts = (np.arange(steps[0], steps[-1] + 1) * size + first).astype("datetime64[D]")
    return _Bins(steps - steps[0], from_local(starts.astype("datetime64[us]"), zone))


def _join(rows: Array, starts: Array, way: str) -> Array:
    """One row for each step, of the known values of its rows; NaN if there is none."""
    missing = np.isnan(rows)
    known = np.add.reduceat((~missing).astype(np.float64), starts, axis=0)
    if way in ("mean", "sum"):
        total = np.add.reduceat(np.where(missing, 0.0, rows), starts, axis=0)
        total = total / np.maximum(known, 1) if way == "mean" else total
        return np.where(known > 0, total, np.nan)
    if way in ("min", "max"):
        extreme: Array = (np.fmin if way == "min" else np.fmax).reduceat(rows, starts, axis=0)
        return extreme
    places = np.broadcast_to(np.arange(len(rows))[:, None], rows.shape)
    if way == "first":
        chosen = np.minimum.reduceat(np.where(missing, len(rows) - 1, places), starts, axis=0)
    else:
        chosen = np.maximum.reduceat(np.where(missing, 0, places), starts, axis=0)
    return np.where(known > 0, np.take_along_axis(rows, chosen, axis=0), np.nan)


def _fill(values: Array, with_row: Array, fill: str) -> Array:
    """Values for the steps without a row; in others, what is missing stays so."""
    if fill == "missing" or len(with_row) == len(values):
        return values
    steps = np.arange(len(values))
    empty = np.ones(len(values), bool)
    empty[with_row] = False
    for column in values.T:
        known = np.flatnonzero(~np.isnan(column))
        if not len(known):
            continue
        wanted = steps[empty & (steps > known[0])]
        if fill == "interpolate":
            wanted = wanted[wanted < known[-1]]
            column[wanted] = np.interp(wanted, known, column[known])
        else:
            column[wanted] = column[known[np.searchsorted(known, wanted) - 1]]
    return values
