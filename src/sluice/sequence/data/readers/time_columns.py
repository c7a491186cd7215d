"""Which columns of a table hold the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from sluice.option_names import name_option, name_setting
from sluice.sequence.data.distinct import find_distinct
from sluice.sequence.data.readers.parsed_times import ParsedTimes
from sluice.sequence.data.readers.time_parts import (
    CLOCK_NAMES,
    TimeOptions,
    combine_times,
    find_parts,
    join_cells,
    normalise_name,
)
from sluice.sequence.data.readers.time_refusals import suggest_no_time
from sluice.sequence.data.readers.time_suggestions import suggest_patterns
from sluice.sequence.data.readers.times import parse_times
from sluice.sequence.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_NAMES = ("time", "date", "datetime", "timestamp", "ds", "dateandtime", "dateutc", "timeutc")
_WEAK_NAMES = ("month", "period", "week", "quarter", "day", "year", "index", "column1")
Sample = Mapping[str, "pa.Array"]
CellsKind = Literal["moment", "day", "month", "clock", "number", "text", "empty"]


@dataclass(frozen=True)
class TimeChoice:
    """The columns of the time, and a sentence on them for the report."""

    columns: tuple[str, ...] = ()
    note: str = ""


def find_time_columns(sample: Sample, asked: TimeOptions) -> TimeChoice:
    """The columns of the time; none if there is none, or if rows are to keep their order.

    A date and a time of day, or a year, month and day, are one time in several columns.

    Args:
        sample: the first cells of all columns.
        asked: what the caller says.

    Raises:
        DataError: a column that does not exist, or several readings.
    """
    if asked.no_time:
        if asked.columns:
            raise DataError(
                f"{name_option('time')} and {name_setting('no_time', True)} exclude each other."
            )
        return TimeChoice((), "Rows keep their order, as asked.")
    if asked.columns:
        absent = next((name for name in asked.columns if name not in sample), None)
        if absent is not None:
            raise DataError(f"column must be one of {', '.join(sample)}, got {absent!r}.")
        return TimeChoice(asked.columns)
    found = _Finding(sample, asked)
    columns = found.find_named() or found.find_parts() or found.find_others()
    if columns:
        return TimeChoice(columns)
    hint = found.suggest_column()
    if found.empty:
        return TimeChoice((), f"Column {found.empty!r} is empty: rows keep their order{hint}.")
    return TimeChoice((), f"No column of times: rows keep their order{hint}.")


def split_time_names(time: str | Sequence[str] | None, columns: Sequence[str]) -> tuple[str, ...]:
    """The columns that `time` names: one, or several in a sequence or between commas.

    >>> split_time_names("date,hour", ["date", "hour", "level"])
    ('date', 'hour')
    """
    if time is None or time == "":
        return ()
    if isinstance(time, str):
        return (time,) if time in columns else tuple(one.strip() for one in time.split(","))
    return tuple(time)


class _Finding:
    """The search for the columns of the time in a table's first rows."""

    def __init__(self, sample: Sample, asked: TimeOptions) -> None:
        self.sample, self.asked = sample, asked
        self.parsed: dict[str, ParsedTimes] = {}
        self.empty = ""

    def find_kind(self, name: str) -> CellsKind:
        """What the cells of a column are."""
        from pyarrow import types

        kind = self.sample[name].type
        if types.is_time(kind):
            return "clock"
        try:
            times = parse_times(
                {name: self.sample[name]}, self.asked.time_format, self.asked.missing
            )
        except DataError as error:
            if "is empty" in str(error):
                return "empty"
            return "clock" if "times of day" in str(error) else "text"
        self.parsed[name] = times
        if times.values.dtype.kind != "M":
            return "number"
        days = times.values.astype("datetime64[D]")
        if times.zone or (times.values != days).any():
            return "moment"
        whole = "%d" in times.pattern or "%j" in times.pattern or "%u" in times.pattern
        return "day" if whole or not times.pattern else "month"

    def find_named(self) -> tuple[str, ...]:
        """By usual names of a time."""
        named = [name for name in self.sample if normalise_name(name) in _NAMES]
        kinds = {name: self.find_kind(name) for name in named}
        self.empty = next((name for name, kind in kinds.items() if kind == "empty"), "")
        kinds = {name: kind for name, kind in kinds.items() if kind != "empty"}
        if not kinds:
            return ()
        moments = [name for name, kind in kinds.items() if kind == "moment"]
        if moments:
            return self._require_agreement(moments[0], kinds)
        dates = [name for name, kind in kinds.items() if kind in ("day", "month")]
        if not dates:
            parts = self.find_parts(next(iter(kinds)))
            return parts or self._choose_undated(kinds)
        for name in self.sample:
            if normalise_name(name) in CLOCK_NAMES and name not in kinds:
                kinds[name] = self.find_kind(name)
        clocks = {
            name: kind
            for name, kind in kinds.items()
            if name not in dates and normalise_name(name) in CLOCK_NAMES and kind != "empty"
        }
        if len(dates) == 1 and clocks and kinds[dates[0]] == "day":
            return self._combine(dates[0], [*clocks])
        return self._require_agreement(dates[0], kinds)

    def _choose_undated(self, kinds: Mapping[str, CellsKind]) -> tuple[str, ...]:
        """One column of numbers, or one that `parse_times` refuses with its reasons."""
        order = sorted(kinds, key=lambda name: _NAMES.index(normalise_name(name)))
        numbers = [name for name in order if kinds[name] == "number"]
        others = [name for name in order if kinds[name] != "number"]
        if others:
            parse_times({others[0]: self.sample[others[0]]}, self.asked.time_format)
            raise DataError(f"column {others[0]!r} holds times of day without a date.")
        return self._require_agreement(numbers[0], kinds)

    def _combine(self, day: str, clocks: list[str]) -> tuple[str, ...]:
        """A day and its time of day, if every row fits; else a refusal."""
        if len(clocks) == 1:
            names: tuple[str, ...] = (day, clocks[0])
            parts = find_parts([*self.sample])
            if clocks[0] == parts.get("hour") and "minute" in parts:
                names = (*names, parts["minute"])
                names += (parts["second"],) if "second" in parts else ()
            try:
                combine_times({name: self.sample[name] for name in names}, self.asked)
            except DataError as error:
                if self._is_unique(day):
                    return (day,)
                fits = suggest_patterns(join_cells([self.sample[name] for name in names]))
                ways = [f"{name_setting('time', one)} orders by it alone" for one in names]
                if len(fits) == 1:
                    both = name_setting("time", ",".join(names))
                    ways = [f"say {both} and {name_setting('time_format', fits[0])}"]
                raise DataError(
                    f"columns {day!r} and {clocks[0]!r} may be one time, but "
                    f"{str(error).removesuffix('.')}; {', '.join(ways)}, {suggest_no_time()}."
                ) from None
            return names
        shown = " or ".join(name_setting("time", f"{day},{name}") for name in clocks)
        raise DataError(
            f"the time of day may be in {' or '.join(map(repr, clocks))}; say {shown}, or "
            f"{suggest_no_time()}."
        )

    def _is_unique(self, name: str) -> bool:
        values = self.parsed[name].values
        return len(find_distinct(values)) == len(values)

    def _require_agreement(self, chosen: str, kinds: Mapping[str, CellsKind]) -> tuple[str, ...]:
        """The chosen column, if every other time in the table has the same order."""
        values = self.parsed[chosen].values
        order = np.argsort(values, kind="stable")
        for name, kind in kinds.items():
            if name == chosen or kind not in ("moment", "day", "month", "number"):
                continue
            other = self.parsed[name].values[order]
            if (other[1:] < other[:-1]).any():
                raise DataError(
                    f"columns {chosen!r} and {name!r} both hold times, in different orders; say "
                    f"{name_setting('time', chosen)} or {name_setting('time', name)}, or "
                    f"{suggest_no_time()}."
                )
        return (chosen,)

    def find_parts(self, clock: str | None = None) -> tuple[str, ...]:
        """Year, month, day and what follows, if all cells are in their ranges."""
        parts = find_parts([*self.sample])
        if "year" not in parts:
            return ()
        days = ("month", "day") if "month" in parts else ("ordinal",)
        if any(part not in parts for part in days[:1]):
            return self._find_years(parts["year"])
        chain = ["year", *(part for part in days if part in parts)]
        if len(chain) == 1 + len(days):
            for part in ("hour", "minute", "second"):
                if part not in parts:
                    break
                chain.append(part)
        names = tuple(parts[part] for part in chain)
        if clock is not None and clock not in names and "hour" not in chain and "day" in chain:
            names = (*names, clock)
        try:
            combine_times({name: self.sample[name] for name in names}, self.asked)
        except DataError as error:
            if "two digits" in str(error):
                raise
            return ()
        return names

    def _find_years(self, name: str) -> tuple[str, ...]:
        """A column of years alone, if each series has a year once, in order."""
        kind = self.find_kind(name)
        if kind not in ("number", "month") or self.asked.time_format is not None:
            return ()
        values = self.parsed[name].values
        numbers = (
            values.astype("datetime64[Y]").astype(np.int64) + 1970
            if values.dtype.kind == "M"
            else values
        )
        whole = ((numbers >= 1000) & (numbers < 3000)).all()
        rising = (numbers[1:] > numbers[:-1]).all()
        return (name,) if whole and (rising or self.asked.id is not None) else ()

    def find_others(self) -> tuple[str, ...]:
        """A column with dates and a name that a time may have, if it is the only one."""
        found = self._list_dated(certain=True)
        return (found[0],) if len(found) == 1 else ()

    def suggest_column(self) -> str:
        """A hint for the report, if some column holds dates."""
        found = self._list_dated(certain=False)
        if found:
            return f" ({name_setting('time', found[0])} orders by its dates)"
        for name, cells in self.sample.items():
            if name != self.asked.id and self._is_text(name):
                fits = suggest_patterns(cells.drop_null())
                if fits:
                    ways = " or ".join(name_setting("time_format", one) for one in fits)
                    return f" ({name_setting('time', name)} with {ways} orders by its dates)"
        return ""

    def _is_text(self, name: str) -> bool:
        """Whether cells are text, and neither numbers nor times that are read by themselves."""
        from pyarrow import types

        return types.is_string(self.sample[name].type) and self.find_kind(name) == "text"

    def _may_be_other(self, name: str) -> bool:
        """Whether dates may be anything but the time: they run back, or are years alone."""
        times = self.parsed[name]
        rising = self.asked.id is not None or (times.values[1:] >= times.values[:-1]).all()
        return times.pattern == "%Y" or not rising

    def _list_dated(self, *, certain: bool) -> list[str]:
        from pyarrow import types

        found = []
        for name, cells in self.sample.items():
            usual = normalise_name(name)
            weak = (
                usual in _WEAK_NAMES
                or "date" in usual
                or "time" in usual
                or usual.startswith("index")
            )
            plain = types.is_string(cells.type) or types.is_temporal(cells.type)
            if not plain or (certain and not weak) or name == self.asked.id:
                continue
            dated = self.find_kind(name) in ("moment", "day", "month")
            if dated and not (certain and self._may_be_other(name)):
                found.append(name)
        return found
