"""A table whose figures are never cut: columns that do not fit stand below."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markup import escape
from rich.table import Table

_BORDER = 3
"""Cells between two columns; one more ends a row."""
_TEXT_SHARE = 3
"""A column of text has a third of the width at most, and goes on in further lines."""


def escape_controls(text: str) -> str:
    """A text whose characters without a picture are written as in Python.

    >>> escape_controls("a\\x00é")
    'a\\\\x00é'
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


@dataclass(frozen=True)
class FittedTable:
    """A table for the terminal; print it with rich.

    Attributes:
        title: what stands above it.
        columns: the names; the first column stands beside each group of the others.
        rows: the cells, as text.
        texts: the columns of text, on the left and in several lines; others are figures.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: Collection[int] = (0,)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """One table for each group of columns that fits."""
        most = options.max_width // _TEXT_SHARE
        widths = [
            self._find_width(place, most if place in self.texts else options.max_width)
            for place in range(len(self.columns))
        ]
        for number, group in enumerate(_group_columns(widths, options.max_width)):
            yield self._build(group, widths, "" if number else self.title)

    def _find_width(self, place: int, most: int) -> int:
        cells = (self.columns[place], *(row[place] for row in self.rows))
        return min(most, max(map(cell_len, cells)))

    def _build(self, group: Sequence[int], widths: Sequence[int], title: str) -> Table:
        table = Table(title=escape(title) or None)
        for place in group:
            is_text = place in self.texts
            table.add_column(
                escape(self.columns[place]),
                justify="left" if is_text else "right",
                no_wrap=not is_text,
                min_width=widths[place],
                overflow="fold",
            )
        for row in self.rows:
            table.add_row(*(escape(row[place]) for place in group))
        return table


def _group_columns(widths: Sequence[int], most: int) -> Iterator[list[int]]:
    """The columns of each table: the first one, and as many others as fit beside it."""
    group = [0]
    for place in range(1, len(widths)):
        used = sum(widths[one] + _BORDER for one in (*group, place)) + 1
        if used > most and len(group) > 1:
            yield group
            group = [0]
        group.append(place)
    yield group
