"""A column of plain ISO dates, read block by block, so that its text is not held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sluice.sequence.data.readers.parsed_times import ParsedTimes
from sluice.sequence.data.readers.row_blocks import RowBlocks
from sluice.sequence.data.readers.time_patterns import describe_iso
from sluice.sequence.data.readers.time_text import drop_missing, read_plain_dates

if TYPE_CHECKING:
    import pyarrow as pa

_EMPTY, _WORD, _TIME = 0, 1, 2


class PlainTimes:
    """The times of a column of text whose cells are all ISO dates without an offset, or missing.

    Attributes:
        plain: whether all cells so far are; if not, nothing is kept.
    """

    def __init__(self, missing: Sequence[str]) -> None:
        self.plain, self._missing, self._pattern = True, missing, ""
        self._counts = RowBlocks((), np.int64)
        self._states = RowBlocks((), np.uint8)

    @property
    def are_known(self) -> bool:
        """Whether the cells are plain, and one of them is a time."""
        return self.plain and bool(self._pattern)

    def add(self, column: pa.Array) -> None:
        """Take the next cells."""
        from pyarrow import compute

        if not self.plain:
            return
        cells = drop_missing(column, self._missing)
        counts = read_plain_dates(cells)
        if counts is None:
            self.plain = False
            return
        valid = np.asarray(cells.is_valid())
        if not self._pattern and valid.any():
            self._pattern = describe_iso(cells.drop_null()[0].as_py())
        filled = np.asarray(compute.fill_null(compute.not_equal(column, ""), False))
        self._counts.extend(len(cells))[:] = counts
        self._states.extend(len(cells))[:] = np.where(valid, _TIME, np.where(filled, _WORD, _EMPTY))

    def has_cell(self, row: int) -> bool:
        """Whether anything stands in a row, be it a word for a missing time."""
        return bool(self._states[row] != _EMPTY)

    def finish(self, end: int) -> ParsedTimes:
        """The times of the rows before `end`."""
        absent = np.flatnonzero(self._states.finish()[:end] != _TIME)
        bad = dict.fromkeys(absent.tolist(), "no time is given")
        values = self._counts.finish()[:end].view("datetime64[us]")
        return ParsedTimes(values, bad, pattern=self._pattern)
