"""Dates in the text of cells, by ISO 8601 or a format as of `strptime`, whole columns at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sluice.option_names import name_setting
from sluice.sequence.data.ragged import Array
from sluice.sequence.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_OFFSET = r"(?P<z>Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)"
_ISO = (
    r"^(?P<Y>\d{4})(?:-(?P<m>\d{1,2})(?:-(?P<d>\d{1,2}))?|-?W(?P<V>\d{2})(?:-?(?P<u>[1-7]))?"
    r"|-(?P<j>\d{3})|-?Q(?P<q>[1-4])|(?P<c>\d{4}))?(?:(?:[Tt]| +)(?P<H>\d{1,2})"
    r"(?::?(?P<M>\d{2})(?::?(?P<S>\d{2})(?:[.,](?P<f>\d+))?)?)?(?: ?" + _OFFSET + r")?)?$"
)
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_LONG_MONTHS = (
    "january february march april may june july august september october november december".split()
)
MONTH_NAMES = frozenset((*_MONTHS, *_LONG_MONTHS, "sept"))
_WIDTHS = {"Y": 4, "G": 4, "y": 2, "m": 2, "d": 2, "H": 2, "I": 2, "M": 2, "S": 2, "j": 3, "V": 2}
_OTHERS = {
    "f": r"(?P<f>\d{1,9})",
    "p": r"(?P<p>[AaPp])\.?[Mm]\.?",
    "b": r"(?P<b>[A-Za-z]{3,9})\.?",
    "B": r"(?P<b>[A-Za-z]{3,9})\.?",
    "a": r"[A-Za-z]{2,9}\.?",
    "A": r"[A-Za-z]{3,9}",
    "u": r"(?P<u>[1-7])",
    "z": _OFFSET,
    "%": "%",
}
_PREFIXES = {"T": "%H:%M:%S", "R": "%H:%M", "F": "%Y-%m-%d", "D": "%m/%d/%y"}
_LIMIT = 1 << 17
"""Cells that are read at a time, to bound the memory that their parts take."""


class Moments(NamedTuple):
    """Dates of cells.

    Attributes:
        local: as written, datetime64[us]; without meaning where not valid.
        nanoseconds: those beyond the microseconds, int64.
        valid: whether a cell is a date in this form.
        offsets: from UTC in minutes, int64.
        with_offset: whether the cell has an offset.
    """

    local: Array
    nanoseconds: Array
    valid: Array
    offsets: Array
    with_offset: Array


@dataclass(frozen=True)
class TimeForm:
    """A form of dates: a regular expression whose groups are the directives of `strptime`.

    Besides them, group `c` is month and day in four digits, and `q` a quarter.
    """

    regex: str

    def read(self, cells: pa.Array) -> Moments:
        """The dates of cells of text without blanks around them, of any number."""
        parts = [
            self._read_part(cells.slice(first, _LIMIT))
            for first in range(0, max(len(cells), 1), _LIMIT)
        ]
        return Moments(*map(np.concatenate, zip(*parts, strict=True)))

    def matches(self, cell: str) -> bool:
        """Whether one cell is written in this form; its numbers may be no date."""
        return self._expression.search(cell) is not None

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile(self.regex)

    def _read_part(self, cells: pa.Array) -> Moments:
        from pyarrow import compute

        found = compute.extract_regex(cells, self.regex)
        fields = _Fields(found)
        valid = np.asarray(found.is_valid())
        days, good = _read_days(fields)
        valid = valid & good
        hour, minute, second = fields.get("H"), fields.get("M"), fields.get("S")
        if "I" in fields.names:
            clock = fields.get("I", 12)
            valid &= (clock >= 1) & (clock <= 12)
            hour = clock % 12 + 12 * fields.is_in("p", ("p", "P"))
        midnight = (hour == 24) & (minute == 0) & (second == 0)
        valid &= ((hour < 24) | midnight) & (minute < 60) & (second < 60)
        nanoseconds = fields.get_fraction()
        offsets, good = fields.get_offsets()
        seconds = hour * 3600 + minute * 60 + second
        local = days.astype("datetime64[us]") + seconds.astype("timedelta64[s]")
        local = local + (nanoseconds // 1000).astype("timedelta64[us]")
        return Moments(local, nanoseconds % 1000, valid & good, offsets, fields.has("z"))


class _Fields:
    """The groups of a regular expression in each cell, as numbers."""

    def __init__(self, found: pa.StructArray) -> None:
        self.found = found
        self.names = {field.name for field in found.type}

    def has(self, name: str) -> Array:
        from pyarrow import compute

        if name not in self.names:
            return np.zeros(len(self.found), bool)
        cells = compute.fill_null(self.found.field(name), "")
        return np.asarray(compute.greater(compute.binary_length(cells), 0))

    def get(self, name: str, default: int = 0) -> Array:
        from pyarrow import compute

        if name not in self.names:
            return np.full(len(self.found), default, np.int64)
        cells = self.found.field(name)
        numbers = compute.if_else(compute.equal(cells, ""), None, cells).cast("int64")
        return np.asarray(compute.fill_null(numbers, default), np.int64)

    def is_in(self, name: str, words: tuple[str, ...]) -> Array:
        import pyarrow
        from pyarrow import compute

        if name not in self.names:
            return np.zeros(len(self.found), bool)
        return np.asarray(compute.is_in(self.found.field(name), pyarrow.array(words)))

    def get_month(self) -> tuple[Array, Array]:
        """The month, from its number or name, and whether it is one."""
        import pyarrow
        from pyarrow import compute

        if "b" not in self.names:
            month = self.get("m", 1)
            return month, (month >= 1) & (month <= 12)
        words = compute.utf8_lower(self.found.field("b"))
        month = np.zeros(len(words), np.int64)
        for names in (_MONTHS, _LONG_MONTHS):
            place = compute.fill_null(compute.index_in(words, pyarrow.array(names)), -1)
            month = np.maximum(month, np.asarray(place, np.int64) + 1)
        month[np.asarray(compute.fill_null(compute.equal(words, "sept"), False))] = 9
        return month, month > 0

    def get_fraction(self) -> Array:
        """Nanoseconds."""
        from pyarrow import compute

        if "f" not in self.names:
            return np.zeros(len(self.found), np.int64)
        digits = compute.utf8_slice_codeunits(compute.fill_null(self.found.field("f"), ""), 0, 9)
        return np.asarray(compute.utf8_rpad(digits, 9, "0").cast("int64"), np.int64)

    def get_offsets(self) -> tuple[Array, Array]:
        """Minutes from UTC, and whether they are possible."""
        from pyarrow import compute

        if "z" not in self.names:
            return np.zeros(len(self.found), np.int64), np.ones(len(self.found), bool)
        words, places = np.unique(
            np.asarray(compute.fill_null(self.found.field("z"), "")).astype(str),
            return_inverse=True,
        )
        offsets = np.array([_read_offset(word) for word in words.tolist()], np.int64)[places]
        return offsets, np.abs(offsets) <= 18 * 60


def _read_offset(word: str) -> int:
    digits = re.sub(r"\D", "", word)
    if not digits:
        return 0
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    return (hours * 60 + minutes) * (-1 if word[0] == "-" else 1) if minutes < 60 else 10_000


def _read_days(fields: _Fields) -> tuple[Array, Array]:
    """The days, datetime64[D], and whether they are in the calendar."""
    year = fields.get("Y") if "Y" in fields.names else fields.get("G")
    if "y" in fields.names:
        short = fields.get("y")
        year = short + np.where(short < 69, 2000, 1900)
    month, valid = fields.get_month()
    day, compact, quarter = fields.get("d", 1), fields.get("c", -1), fields.get("q")
    month = np.where(compact >= 0, compact // 100, month)
    day = np.where(compact >= 0, compact % 100, day)
    month = np.where(quarter > 0, 3 * quarter - 2, month)
    valid = valid & (month >= 1) & (month <= 12) & (year >= 1)
    first = _to_month(year, np.clip(month, 1, 12))
    length = ((first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")).astype(np.int64)
    valid &= (day >= 1) & (day <= length)
    days = first.astype("datetime64[D]") + (day - 1)
    of_year, week = fields.get("j", -1), fields.get("V", -1)
    if (of_year >= 0).any():
        ordinal, good = _read_day_of_year(year, of_year)
        days, valid = np.where(of_year >= 0, ordinal, days), valid & (good | (of_year < 0))
    if (week >= 0).any():
        ordinal, good = _read_week(year, week, fields.get("u", 1))
        days, valid = np.where(week >= 0, ordinal, days), valid & (good | (week < 0))
    # A time of day belongs to a day; `2024 05:00` and `2024-01 05:00` are no dates.
    whole = fields.has("d") | (compact >= 0) | (of_year >= 0) | fields.has("u")
    return days, valid & (whole | ~(fields.has("H") | fields.has("I") | fields.has("z")))


def _to_month(year: Array, month: Array) -> Array:
    months: Array = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    return months


def _read_day_of_year(year: Array, day: Array) -> tuple[Array, Array]:
    first = _to_month(year, np.ones_like(year)).astype("datetime64[D]")
    days = first + (day - 1)
    return days, (day >= 1) & (days.astype("datetime64[Y]") == first.astype("datetime64[Y]"))


def _read_week(year: Array, week: Array, day: Array) -> tuple[Array, Array]:
    """ISO weeks start on Mondays; week 1 holds January 4."""

    def start(of: Array) -> Array:
        fourth = _to_month(of, np.ones_like(of)).astype("datetime64[D]") + 3
        monday: Array = fourth - (fourth.astype(np.int64) + 3) % 7
        return monday

    monday = start(year) + 7 * (week - 1)
    return monday + (day - 1), (week >= 1) & (monday < start(year + 1))


ISO = TimeForm(_ISO)


@cache
def compile_form(pattern: str) -> TimeForm:
    """The form of a pattern as of `strptime`; numbers may lack leading zeros between marks.

    Raises:
        DataError: a directive that does not exist, or a pattern without a year.

    >>> compile_form("%d.%m.%Y").matches("31.1.2024")
    True
    """
    name = name_setting("time_format", pattern)
    whole = re.sub(r"%([TRFD])", lambda one: _PREFIXES[one[1]], pattern)
    tokens = re.findall(r"%.|[^%]+|%$", whole, re.DOTALL)
    regex, seen = "", set[str]()
    for place, token in enumerate(tokens):
        if not token.startswith("%"):
            regex += re.sub(r"(?:\\?\s)+", r"\\s+", re.escape(token))
            continue
        key = token[1:]
        if key not in _WIDTHS and key not in _OTHERS:
            known = " ".join(f"%{one}" for one in (*_WIDTHS, *_OTHERS))
            raise DataError(f"{name}: {token!r} is no directive; expected one of {known}.")
        group = "b" if key == "B" else key
        if group in seen and group not in ("a", "A", "%"):
            raise DataError(f"{name}: {token!r} stands twice; give each part once.")
        seen.add(group)
        if key in _OTHERS:
            regex += _OTHERS[key]
            continue
        beside = [*tokens[max(place - 1, 0) : place], *tokens[place + 1 : place + 2]]
        touching = any(one.startswith("%") and one[1:] in _WIDTHS for one in beside)
        width = _WIDTHS[key]
        digits = f"{{{width}}}" if touching or key in "YGy" else f"{{1,{width}}}"
        regex += rf"(?P<{key}>\d{digits})"
    if not seen & {"Y", "y", "G"}:
        raise DataError(f"{name} has no year (%Y, or %y of two digits).")
    return TimeForm(f"^{regex}$")


def describe_iso(cell: str) -> str:
    """The pattern, as `format_time` takes it, in which an ISO date is written.

    >>> describe_iso("1949-01"), describe_iso("2024-01-31T12:00:05Z")
    ('%Y-%m', '%Y-%m-%dT%H:%M:%SZ')
    """
    found = re.search(_ISO, cell)
    if found is None:
        return ""
    parts = found.groupdict()
    dash = "-" if "-" in cell[:5] else ""
    if parts["V"]:
        date = f"%G{dash}W%V" + (f"{dash}%u" if parts["u"] else "")
    elif parts["q"]:
        date = f"%Y{dash}Q%q"
    elif parts["j"]:
        date = "%Y-%j"
    elif parts["c"]:
        date = "%Y%m%d"
    else:
        date = "-".join(["%Y", *(["%m"] if parts["m"] else []), *(["%d"] if parts["d"] else [])])
    if not parts["H"]:
        return date
    mark = cell[found.start("H") - 1]
    colon = ":" if ":" in cell[found.end("H") :][:1] else ""
    date += (
        f"{mark}%H" + (f"{colon}%M" if parts["M"] else "") + (f"{colon}%S" if parts["S"] else "")
    )
    date += ".%f" if parts["f"] else ""
    zone = parts["z"]
    if not zone:
        return date
    return date + ("Z" if zone in "Zz" else "%z" if len(zone) == 5 else "%:z")
