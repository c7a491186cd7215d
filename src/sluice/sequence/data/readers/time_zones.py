"""Times of a table in the zone that its reader names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sluice.option_names import name_option
from sluice.sequence.data.clocks import find_zone, format_time, from_local, to_local
from sluice.sequence.data.ragged import Array
from sluice.sequence.data.readers.parsed_times import ParsedTimes
from sluice.sequence.data.report import pluralize
from sluice.sequence.errors import DataError


def require_times(columns: Sequence[str], zone: str | None) -> None:
    """Refuse a zone that does not exist, or for rows without times."""
    if zone is None:
        return
    find_zone(zone)
    if not columns:
        raise DataError(
            f"{name_option('time_zone')} is for dates, but there is no column of times; "
            f"{name_option('time')} names one."
        )


def place_in_zone(times: ParsedTimes, zone: str, *, in_order: bool) -> ParsedTimes:
    """Dates without a zone as what the clocks of `zone` show; others, as moments, given back in it.

    Of two moments at which clocks show the same, it is the second where the row before is not
    earlier than the first.

    Args:
        times: of the rows.
        zone: as in `find_zone`.
        in_order: whether all rows are of one series.

    Raises:
        DataError: times that are numbers.

    >>> night = np.array(["2024-10-27T02:00", "2024-10-27T02:00"], "datetime64[us]")
    >>> found = place_in_zone(ParsedTimes(night), "Europe/Berlin", in_order=True)
    >>> found.values.astype("datetime64[h]").tolist()[1]
    datetime.datetime(2024, 10, 27, 1, 0)
    """
    if times.values.dtype.kind != "M":
        raise DataError(
            f"{name_option('time_zone')} is for dates, but the times are numbers; "
            f"{name_option('time_format')} reads numbers as dates."
        )
    if times.zone:
        pattern = times.pattern
        if pattern.endswith("Z") and zone not in ("UTC", "Z"):
            pattern = pattern[:-1] + "%:z"
        back = f"given back in {times.zone}"
        notes = [one.replace(back, f"given back in {zone}") for one in times.notes]
        if notes == [*times.notes]:
            notes.append(f"Dates have a zone of their own; given back in {zone}.")
        return replace(times, zone=zone, pattern=pattern, notes=tuple(notes))
    local = times.values.astype("datetime64[us]")
    rest = times.values - local
    first, second = from_local(local, zone), from_local(local, zone, second=True)
    good = np.ones(len(local), bool)
    good[[*times.bad]] = False
    skipped = good & (to_local(first, zone) != local)
    twice = good & (first != second) & ~skipped
    moments = _choose_moments(first, second, twice) if in_order else first
    notes = [f"Dates without an offset are taken as those of {zone}."]
    if skipped.any():
        shown = format_time(local[np.argmax(skipped)], "", times.pattern)
        notes.append(
            f"{pluralize(int(skipped.sum()), 'time')} that the clocks of {zone} skip, the first "
            f"{shown}: taken as so much later."
        )
    if twice.any():
        shown = format_time(local[np.argmax(twice)], "", times.pattern)
        how = (
            "by the order of the rows the first or the second"
            if in_order
            else "taken as the first of the two"
        )
        notes.append(
            f"{pluralize(int(twice.sum()), 'time')} that the clocks of {zone} show twice, the "
            f"first {shown}: {how}."
        )
    return replace(times, values=moments + rest, zone=zone, notes=(*times.notes, *notes))


def _choose_moments(first: Array, second: Array, twice: Array) -> Array:
    """Of each pair the first that is after the row before; else the second."""
    moments = first.copy()
    for row in np.flatnonzero(twice).tolist():
        if row and first[row] <= moments[row - 1]:
            moments[row] = second[row]
    return moments
