"""The common ways to write dates other than ISO 8601, to suggest one that fits a column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from sluice.sequence.data.readers.time_patterns import MONTH_NAMES, compile_form

if TYPE_CHECKING:
    import pyarrow as pa

_DATES = (
    "%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%Y",
    "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d",
    "%d/%m/%y", "%m/%d/%y", "%y/%m/%d", "%d.%m.%y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d",
    "%d %b %Y", "%b %d, %Y", "%b %d %Y", "%d-%b-%Y", "%d-%b-%y", "%d%b%Y", "%Y-%b-%d",
    "%a, %d %b %Y", "%a %d %b %Y", "%A, %B %d, %Y", "%d. %B %Y", "%Y %m %d", "%d %m %Y",
    "%d%m%Y", "%m%d%Y", "%Y%m", "%d%m%y", "%m%d%y", "%y%m%d", "%Y%j",
    "%b %Y", "%b-%Y", "%b-%y", "%b %y", "%Y %b", "%Y-%b", "%m/%Y", "%Y/%m", "%m-%Y", "%m.%Y",
)  # fmt: skip
_CLOCKS = (
    "", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %I:%M%p", " %I %p",
    " %H", ", %H:%M", ", %I:%M %p", ", %I:%M:%S %p", ":%H:%M:%S", "-%H:%M", " %H.%M",
    " %H:%M:%S %z", ":%H:%M:%S %z", " %H:%M %z", "T%H:%M:%S", " %H%M",
)  # fmt: skip
_TIMES_OF_DAY = re.compile(r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AaPp]\.?[Mm]\.?)?")


def suggest_patterns(cells: pa.Array) -> list[str]:
    """The common formats, other than ISO 8601, that all cells are dates in."""
    return [*_find_fitting(cells, _DATES, _CLOCKS)]


def _find_fitting(
    cells: pa.Array, dates: tuple[str, ...], clocks: tuple[str, ...]
) -> Iterator[str]:
    if not len(cells):
        return
    first, last = cells[0].as_py(), cells[len(cells) - 1].as_py()
    common = {*first} & {*last}
    for date in dates:
        for clock in clocks:
            # Compiling hundreds of expressions takes seconds: few have the marks of these cells.
            if not _find_marks(date + clock) <= common:
                continue
            form = compile_form(date + clock)
            if not (form.matches(first) and form.matches(last)):
                continue
            moments = form.read(cells)
            years = moments.local.astype("datetime64[Y]").astype(np.int64) + 1970
            if moments.valid.all() and years.min() >= 1700 and years.max() < 2300:
                yield date + clock


def _find_marks(pattern: str) -> set[str]:
    return {*re.sub(r"%.|\s", "", pattern)}


def is_month(cell: str) -> bool:
    """Whether a cell is the name of a month alone.

    >>> is_month("January"), is_month("jan."), is_month("2024-01")
    (True, True, False)
    """
    return cell.lower().removesuffix(".") in MONTH_NAMES


def is_time_of_day(cell: str) -> bool:
    """Whether a cell is a time of day without a date.

    >>> is_time_of_day("09:30"), is_time_of_day("2024-01-01 09:30")
    (True, False)
    """
    return _TIMES_OF_DAY.fullmatch(cell) is not None
