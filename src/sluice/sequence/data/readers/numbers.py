"""Numbers from the text of cells: marks of decimals and thousands, signs, percent, units.

Nothing is guessed: marks are recognised only where cells allow one reading; otherwise
`find_number_format` raises an error that names the ways out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sluice.option_names import name_option, name_setting
from sluice.sequence.data.ragged import Array
from sluice.sequence.data.report import pluralize
from sluice.sequence.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

MISSING = ("", "na", "n/a", "nan", "null", "none", "?", "#n/a", "<na>", "nat")
"""Words for a missing value, in any case; an empty cell is one."""
_BLANKS = " \u00a0\u202f\u2009"
_APOSTROPHES = "'\u2019"
_TRUTH = {"true": 1.0, "yes": 1.0, "on": 1.0, "false": 0.0, "no": 0.0, "off": 0.0}
_SIGN = "[-+\u2212]?"
_THOUSANDS_NAMES = {",": "a comma", ".": "a dot", " ": "a blank", "'": "an apostrophe"}
LARGEST_EXACT = 2.0**53
"""Whole numbers below it are float64 as they are written."""


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of a table are written.

    Attributes:
        decimal: the mark before decimals, `.` or `,`.
        thousands: the mark between groups of three digits: `,`, `.`, a blank, an apostrophe, or
            none (empty). A blank stands for every kind of blank.
    """

    decimal: str = "."
    thousands: str = ""

    def __post_init__(self) -> None:
        if self.decimal not in (".", ","):
            name = name_option("decimal")
            raise DataError(f"{name} must be '.' or ',', got {self.decimal!r}.")
        if self.thousands not in ("", *_THOUSANDS_NAMES):
            raise DataError(
                f"{name_option('thousands')} must be ',', '.', ' ', \"'\" or '' for none, got "
                + repr(self.thousands)
            )
        if self.decimal == self.thousands:
            raise DataError(
                f"Decimals and thousands are both marked by {self.decimal!r}; give two marks."
            )

    def matches(self, cell: str) -> bool:
        """Whether a cell is a number in this format."""
        return _compile(self.pattern).fullmatch(cell) is not None

    @property
    def pattern(self) -> str:
        """A regular expression of all numbers in this format, for `re` and for RE2."""
        whole = r"\d+"
        if self.thousands:
            mark = {" ": f"[{_BLANKS}]", "'": f"[{_APOSTROPHES}]"}.get(
                self.thousands, re.escape(self.thousands)
            )
            whole = rf"(?:\d{{1,3}}(?:{mark}\d{{3}})+|\d+)"
        mark = re.escape(self.decimal)
        return rf"{_SIGN}(?:{whole}(?:{mark}\d*)?|{mark}\d+)(?:[eE][-+]?\d+)?"


class CellKind(NamedTuple):
    """What the cells of a column are: "number", "boolean", "unit" or "text"; and the unit."""

    name: str
    unit: str = ""


def is_missing(cell: str, words: Iterable[str] = ()) -> bool:
    """Whether a cell of text is a missing value."""
    return cell.strip().lower() in MISSING or cell.strip() in words


def find_cell_kind(cells: Sequence[str], form: NumberFormat) -> CellKind:
    """What most cells are, none of which is missing.

    >>> find_cell_kind(["1.5", "2", "x"], NumberFormat()).name
    'number'
    >>> find_cell_kind(["12 kWh", "7 kWh"], NumberFormat())
    CellKind(name='unit', unit='kWh')
    """
    if 2 * sum(map(form.matches, cells)) > len(cells):
        return CellKind("number")
    words = {cell.lower() for cell in cells}
    if words and words <= _TRUTH.keys():
        return CellKind("boolean")
    unit = _find_unit(cells, form)
    return CellKind("unit", unit) if unit else CellKind("text")


def _find_unit(cells: Sequence[str], form: NumberFormat) -> str:
    """The unit behind or before most numbers of a column, or an empty text."""
    behind = _compile(rf"({form.pattern})[{_BLANKS}]?([^\d\s.,:/\-+'][^\d\s]*)")
    before = _compile(rf"([$\u20ac\u00a3\u00a5])[{_BLANKS}]?({form.pattern})")
    for pattern, group in ((behind, 2), (before, 1)):
        found = Counter(
            match.group(group) for cell in cells if (match := pattern.fullmatch(cell)) is not None
        )
        for unit, times in found.most_common(1):
            if 2 * times > len(cells):
                return unit
    return ""


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


class _Evidence(NamedTuple):
    """The first cell that shows each thing, if any does."""

    decimal: dict[str, str]
    thousands: dict[str, str]
    either: dict[str, str]


def find_number_format(
    columns: Mapping[str, Sequence[str]],
    decimal: str | None = None,
    thousands: str | None = None,
    *,
    dot_is_certain: bool = True,
) -> NumberFormat:
    """The marks of decimals and thousands in a table, from the known cells of its columns.

    Args:
        columns: the cells of each column, none missing; columns of text do no harm.
        decimal: the mark of decimals, if the caller gives it.
        thousands: the mark of thousands, if the caller gives it.
        dot_is_certain: whether `1.234` alone is a decimal number, as where commas separate cells.

    Raises:
        DataError: the cells have two readings, or contradict each other.

    >>> find_number_format({"a": ["1.234,5", "7"]})
    NumberFormat(decimal=',', thousands='.')
    """
    seen = _collect_evidence(columns)
    decimals = dict(seen.decimal) if decimal is None else {decimal: ""}
    groups = dict(seen.thousands)
    if thousands is not None:
        groups = {thousands: ""} if thousands else {}
    for mark, cell in seen.either.items():
        if mark in decimals or mark in groups:
            continue
        if decimal is not None and thousands is None:
            groups[mark] = cell
        elif decimal is None and (
            thousands is not None or (mark == "." and dot_is_certain and not decimals)
        ):
            decimals[mark] = cell
        elif decimal is None:
            raise DataError(
                f"{cell!r} may be {cell.replace(mark, '')} or {cell.replace(mark, '.')}; say "
                f"{name_setting('thousands', mark)} or {name_setting('decimal', mark)}."
            )
    _require_one_reading(decimals, groups)
    group = next(iter(groups), "")
    return NumberFormat(next(iter(decimals), "," if group == "." else "."), group)


def _require_one_reading(decimals: Mapping[str, str], groups: Mapping[str, str]) -> None:
    if len(decimals) > 1 or len(groups) > 1 or decimals.keys() & groups.keys():
        cells = [repr(cell) for cell in (*decimals.values(), *groups.values()) if cell]
        raise DataError(
            f"The numbers {' and '.join(dict.fromkeys(cells))} are written in different ways; "
            f"write them in one way, or leave out columns with {name_option('inputs')}."
        )


def _collect_evidence(columns: Mapping[str, Sequence[str]]) -> _Evidence:
    seen = _Evidence({}, {}, {})
    for cells in columns.values():
        found = _Evidence({}, {}, {})
        numbers = sum(_add_evidence(cell, found) for cell in cells)
        if 2 * numbers <= len(cells):
            continue
        for mark in list(found.either):  # what the other cells of this column make certain
            other = "," if mark == "." else "."
            if other in found.decimal:
                found.thousands.setdefault(mark, found.either.pop(mark))
            elif other in found.thousands:
                found.decimal.setdefault(mark, found.either.pop(mark))
        for mine, of in zip(seen, found, strict=True):
            for mark, cell in of.items():
                mine.setdefault(mark, cell)
    return seen


_ANY = rf"{_SIGN}(?P<body>[\d.,'{_BLANKS}\u2019]*\d[.,]?)(?:[eE][-+]?\d+)?(?:[{_BLANKS}]?%)?"


def _add_evidence(cell: str, seen: _Evidence) -> bool:
    """Note what a cell shows of the marks; whether it is a number in some format."""
    match = _compile(_ANY).fullmatch(cell)
    if match is None:
        return False
    body = match["body"]
    for kind in (_BLANKS, _APOSTROPHES):
        body = re.sub(f"[{kind}]", kind[0], body)
    marks = "".join(dict.fromkeys(re.sub(r"\d", "", body)))
    if not marks:
        return True
    groups, last = marks[:-1], marks[-1]
    if len(marks) > 2 or (groups and last not in ".,"):
        return False
    if groups:  # two marks: thousands, then decimals
        if not NumberFormat(last, groups[0]).matches(body):
            return False
        seen.thousands.setdefault(groups[0], cell)
        seen.decimal.setdefault(last, cell)
        return True
    grouped = re.fullmatch(rf"[1-9]\d{{0,2}}(?:{re.escape(last)}\d{{3}})+", body)
    several = body.count(last) > 1
    if last not in ".,":
        if grouped:
            seen.thousands.setdefault(last, cell)
        return grouped is not None
    if several:
        if grouped:
            seen.thousands.setdefault(last, cell)
        return grouped is not None
    (seen.either if grouped else seen.decimal).setdefault(last, cell)
    return True


class ParsedNumbers(NamedTuple):
    """A column as float64, NaN where missing or not a number, and which cells are no numbers."""

    values: Array
    invalid: Array


def parse_numbers(
    column: pa.Array, form: NumberFormat, kind: CellKind, missing: Sequence[str] = ()
) -> ParsedNumbers:
    """A column of text as numbers.

    Args:
        column: (rows,) strings; null if missing.
        form: how numbers are written.
        kind: what the cells are; those of another kind are invalid.
        missing: further words for missing values.
    """
    import pyarrow
    from pyarrow import compute

    if kind.name == "number" and form == NumberFormat():
        try:  # by far the most frequent case
            values = _to_float64(column.cast("float64"))
        except pyarrow.ArrowInvalid:
            pass
        else:
            if not np.isinf(values).any():
                return ParsedNumbers(values, np.zeros(len(values), bool))
    cells = compute.utf8_trim_whitespace(column)
    unknown = compute.is_in(compute.utf8_lower(cells), pyarrow.array([*MISSING], cells.type))
    if missing:
        given = compute.is_in(cells, pyarrow.array([*missing], cells.type))
        unknown = compute.or_(unknown, given)
    unknown = compute.or_(unknown, compute.is_null(cells))
    cells = compute.if_else(unknown, pyarrow.scalar(None, cells.type), cells)
    if kind.name == "boolean":
        return _parse_truth(cells)
    pattern = form.pattern
    if kind.name == "unit":
        unit = re.escape(kind.unit)
        pattern = f"{unit}[{_BLANKS}]?{pattern}|{pattern}[{_BLANKS}]?{unit}"
    fits = compute.match_substring_regex(cells, f"^(?:{pattern})$")
    if kind.name == "unit":
        cells = _remove_unit(cells, kind.unit)
    plain = _write_plainly(compute.if_else(fits, cells, None), form)
    invalid = np.asarray(compute.fill_null(compute.invert(fits), False))
    return ParsedNumbers(_to_float64(plain.cast("float64")), invalid)


def count_rounded(column: pa.Array, values: Array) -> int:
    """How many whole numbers of a column (text, or integers) are beyond 2^53 and were rounded."""
    import pyarrow
    from pyarrow import compute, types

    large = np.abs(values) >= LARGEST_EXACT
    if not large.any():
        return 0
    cells = column.filter(pyarrow.array(large))
    if types.is_string(cells.type):
        cells = cells.filter(compute.match_substring_regex(cells, r"^[-+]?\d+$"))
    elif not types.is_integer(cells.type):
        return 0
    return sum(int(float(cell)) != int(cell) for cell in cells.to_pylist())


def describe_rounded(name: str, number: int) -> str:
    """What a report says of a column with whole numbers that were rounded."""
    return (
        f"{name}: {pluralize(number, 'whole number')} beyond 2^53, rounded to 53 bits; "
        "subtract a constant to keep all digits."
    )


def _write_plainly(cells: pa.Array, form: NumberFormat) -> pa.Array:
    """Numbers as Python writes them."""
    from pyarrow import compute

    if form.thousands:
        marks = {" ": f"[{_BLANKS}]", "'": f"[{_APOSTROPHES}]"}
        mark = marks.get(form.thousands, re.escape(form.thousands))
        cells = compute.replace_substring_regex(cells, mark, "")
    if form.decimal != ".":
        cells = compute.replace_substring(cells, form.decimal, ".")
    return compute.replace_substring(cells, "\u2212", "-")


def _remove_unit(cells: pa.Array, unit: str) -> pa.Array:
    from pyarrow import compute

    quoted = re.escape(unit)
    return compute.replace_substring_regex(
        cells, f"^{quoted}[{_BLANKS}]?|[{_BLANKS}]?{quoted}$", ""
    )


def _parse_truth(cells: pa.Array) -> ParsedNumbers:
    import pyarrow
    from pyarrow import compute

    place = compute.index_in(compute.utf8_lower(cells), pyarrow.array(list(_TRUTH), cells.type))
    values = compute.take(pyarrow.array(list(_TRUTH.values())), place)
    invalid = compute.and_(compute.is_valid(cells), compute.is_null(place))
    return ParsedNumbers(_to_float64(values), np.asarray(invalid))


def _to_float64(column: pa.Array) -> Array:
    """float64, NaN for nulls; a copy that can be written to."""
    return np.array(column.to_numpy(zero_copy_only=False), np.float64)
