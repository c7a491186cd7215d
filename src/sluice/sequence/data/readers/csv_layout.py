"""How a CSV file is laid out: separator, comments, header, and columns that hold no data."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import Literal, NamedTuple

from sluice.option_names import name_option, name_setting
from sluice.sequence.data.readers.numbers import is_missing
from sluice.sequence.data.readers.table import SAMPLE_ROWS
from sluice.sequence.data.report import pluralize
from sluice.sequence.errors import DataError

_DELIMITERS = ",;\t|"
_NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar", " ": "a blank"}
_COMMENTS = "#%"
_NUMBER_LIKE = re.compile(
    r"[-+\u2212]?[\d.,'\u2019\u00a0\u202f ]*\d[.,]?(?:[eE][-+]?\d+)?\s?%?", re.ASCII
)
HasHeader = Literal["yes", "no"]
_INDEX_NAME = re.compile(r"|unnamed: ?0", re.IGNORECASE)


class CsvRow(NamedTuple):
    """A row of cells, and the line on which it starts, counted from 1."""

    line: int
    cells: list[str]


@dataclass(frozen=True)
class CsvLayout:
    """What the head of a CSV file says.

    Attributes:
        delimiter: between cells.
        comment: what starts a line that is left out; empty if nothing does.
        names: of all columns, also of those that are left out.
        first_line: the first line of values, counted from 1.
        left_out: the columns that hold no data: an index, or a separator at the end of lines.
        sample: the first rows of values.
        notes: what was assumed, as sentences.
    """

    delimiter: str
    comment: str
    names: tuple[str, ...]
    first_line: int
    left_out: tuple[str, ...]
    sample: tuple[CsvRow, ...]
    notes: tuple[str, ...]


def iterate_records(
    lines: Iterable[str], delimiter: str, comment: str = "", first_line: int = 1
) -> Iterator[CsvRow]:
    """The rows of CSV from a line on, without comments and blank lines.

    Raises:
        DataError: a quote that is not closed, or text after one.
    """
    number = start = 0

    def select_lines() -> Iterator[str]:
        nonlocal number, start
        for line in lines:
            number += 1
            if number >= first_line and not (comment and line.startswith(comment)):
                start = start or number
                yield line

    try:
        for cells in csv.reader(select_lines(), delimiter=delimiter, strict=True):
            if cells and (len(cells) > 1 or cells[0].strip()):
                yield CsvRow(start, cells)
            start = 0
    except csv.Error as error:
        raise DataError(
            f"line {start or number} is not CSV ({error}); correct its quotes."
        ) from None


def find_layout(
    lines: Sequence[str],
    delimiter: str | None = None,
    comment: str | None = None,
    header: HasHeader | None = None,
) -> CsvLayout:
    """The layout of a file that starts with these lines.

    Args:
        lines: the first ones, with their ends.
        delimiter: if it is not to be found.
        comment: what starts a comment, or an empty text for nothing.
        header: whether the first row names the columns, "yes" or "no".

    Raises:
        DataError: the file is empty, or has two readings.

    >>> layout = find_layout(["# of station 12\\n", "day;level\\n", "1;2,5\\n", "2;3,5\\n"])
    >>> layout.delimiter, layout.comment, layout.names, layout.first_line
    (';', '#', ('day', 'level'), 3)
    """
    notes: list[str] = []
    if comment is None:
        comment = next((line[0] for line in lines if line.strip()), "")
        comment = comment if comment in _COMMENTS else _find_later_comment(lines)
    delimiter = delimiter or _find_delimiter(lines, comment)
    records = list(islice(iterate_records(lines, delimiter, comment), SAMPLE_ROWS + 2))
    records = [record._replace(cells=[cell.strip() for cell in record.cells]) for record in records]
    if not records:
        raise DataError("has no rows; give a table with values.")
    if comment:
        number = sum(line.startswith(comment) for line in lines)
        first = next(place for place, line in enumerate(lines, 1) if line.startswith(comment))
        notes.append(
            f"Comments: lines that start with {comment!r} are left out, {number} of the first "
            f"{len(lines):,} (the first: line {first})."
        )
    commented = _find_commented_header(lines, delimiter, comment, records[0])
    layout = find_columns(records, header, delimiter=delimiter, commented=commented)
    if delimiter != ",":
        notes.insert(0, f"Separated by {_NAMES.get(delimiter, repr(delimiter))}.")
    return replace(layout, comment=comment, notes=(*notes, *layout.notes))


def find_columns(
    records: Sequence[CsvRow],
    header: HasHeader | None = None,
    *,
    delimiter: str = "",
    commented: Sequence[str] = (),
) -> CsvLayout:
    """The columns of a table, from its first rows.

    Args:
        records: the first rows, the header included.
        header: whether the first row names the columns, "yes" or "no".
        delimiter: between cells, in a file of text.
        commented: the names in a comment before the first row.

    Raises:
        DataError: the rows have two readings.
    """
    notes: list[str] = []
    names, rows, first_line = _split_header(records, delimiter, commented, header, notes)
    names, left_out = _find_left_out(names, rows, notes)
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise DataError(f"two columns are named {twice!r}; rename one.")
    return CsvLayout(
        delimiter, "", tuple(names), first_line, tuple(left_out), tuple(rows), tuple(notes)
    )


def _find_later_comment(lines: Sequence[str]) -> str:
    """A comment's mark that starts a few lines, which have fewer cells than the others."""
    found = [line for line in lines if line[0] in _COMMENTS]
    usual = Counter(_count_delimiters(line) for line in lines if line not in found)
    if not found or not usual or len({line[0] for line in found}) > 1:
        return ""
    common = usual.most_common(1)[0][0]
    differs = all(_count_delimiters(line) != common for line in found) and any(common)
    return found[0][0] if differs and 2 * len(found) < len(lines) else ""


def _count_delimiters(line: str) -> tuple[int, ...]:
    return tuple(line.count(mark) for mark in _DELIMITERS)


def _find_delimiter(lines: Sequence[str], comment: str) -> str:
    """The separator with which all rows have as many cells as the first; one of numbers first."""
    scores: dict[str, tuple[float, float]] = {}
    for mark in _DELIMITERS:
        try:
            rows = [record.cells for record in islice(iterate_records(lines, mark, comment), 100)]
        except DataError:
            continue
        usual, times = Counter(map(len, rows)).most_common(1)[0] if rows else (1, 0)
        if usual > 1:
            body = [cell.strip() for row in rows[1:] for cell in row] or rows[0]
            like = sum(bool(_NUMBER_LIKE.fullmatch(cell)) or is_missing(cell) for cell in body)
            same_head = len(rows[0]) == usual
            scores[mark] = (same_head + times / len(rows), like / len(body))
    if not scores:
        return ","
    best = max(scores, key=lambda mark: scores[mark])
    rivals = [mark for mark in scores if mark != best and scores[mark] == scores[best]]
    if rivals:
        raise DataError(
            f"{_NAMES[best]} and {_NAMES[rivals[0]]} may both separate the cells; say which with "
            f"{name_option('delimiter')}."
        )
    return best


def _split_header(
    records: Sequence[CsvRow],
    delimiter: str,
    commented: Sequence[str],
    header: HasHeader | None,
    notes: list[str],
) -> tuple[list[str], list[CsvRow], int]:
    """The names of the columns, the rows of values, and the first line of values."""
    first, rows = records[0], list(records[1:])
    if header is None and commented:
        notes.append("The last comment before the first row names the columns.")
        return list(commented), list(records), first.line
    numeric = all(_is_value(cell) for cell in first.cells)
    if header is None and numeric and _may_be_years(first.cells, rows):
        raise DataError(
            f"line {first.line} ({', '.join(first.cells[:4])}) may be names or values; say which "
            f"with {name_setting('header', 'yes')} or {name_setting('header', 'no')}."
        )
    if header == "yes" or (header is None and not numeric):
        usual = Counter(len(row.cells) for row in rows).most_common(1)
        if usual and usual[0][0] != len(first.cells):
            _refuse_other_width(first, usual[0][0], rows, delimiter)
        _refuse_second_header(first, rows)
        return list(first.cells), rows, first.line + 1
    notes.append("No header: the first row holds values; columns are numbered from 1.")
    names = [f"column {number}" for number in range(1, len(first.cells) + 1)]
    return names, list(records), first.line


def _is_value(cell: str) -> bool:
    return is_missing(cell) or _NUMBER_LIKE.fullmatch(cell) is not None


def _may_be_years(cells: Sequence[str], rows: Sequence[CsvRow]) -> bool:
    """Whether a row of whole numbers counts up by one, as years or steps in a wide table do."""
    if len(cells) < 3 or not all(re.fullmatch(r"\d{1,4}", cell, re.ASCII) for cell in cells):
        return False
    numbers = [int(cell) for cell in cells]
    counts = all(after - before == 1 for before, after in pairwise(numbers))
    following = [row.cells for row in rows[:3]]
    return counts and all(
        row != [str(int(cell) + len(cells)) for cell in cells] for row in following[:1]
    )


def _find_commented_header(
    lines: Sequence[str], delimiter: str, comment: str, first: CsvRow
) -> list[str]:
    """The names in the last comment, if right before a row of values that is as wide."""
    start = first.line
    if not comment or start < 2 or not lines[start - 2].startswith(comment):
        return []
    text = lines[start - 2].lstrip(comment).strip()
    cells = [one.strip() for record in iterate_records([text], delimiter) for one in record.cells]
    named = len(cells) == len(first.cells) > 1 and not any(map(_is_value, cells))
    return cells if named and any(map(_is_number, first.cells)) else []


def _refuse_other_width(first: CsvRow, width: int, rows: Sequence[CsvRow], delimiter: str) -> None:
    """Refuse a header of another width than the rows, unless lines end with a separator."""
    given = len(first.cells)
    ends = [row.cells[-1] for row in rows if len(row.cells) == width]
    if width == given + 1 and not any(ends):
        first.cells.append("")
        return
    hint = "remove lines above the header, or name their first character with " + name_option(
        "comment"
    )
    if width > given and delimiter == ",":
        hint = (
            "decimal commas need quotes, or another separator between cells; names of rows need "
            "a name in the header"
        )
    raise DataError(
        f"line {first.line} has {pluralize(given, 'cell')}, most rows after it {width}; {hint}."
    )


def _refuse_second_header(first: CsvRow, rows: Sequence[CsvRow]) -> None:
    """Refuse a second row of names or units above numbers."""
    if len(rows) < 3:
        return
    second, others = rows[0], rows[1:]
    columns = [
        place
        for place in range(len(first.cells))
        if 2 * sum(len(row.cells) > place and _is_number(row.cells[place]) for row in others)
        > len(others)
    ]
    cells = [second.cells[place] for place in columns if place < len(second.cells)]
    known = [cell for cell in cells if not is_missing(cell)]
    if known and not any(map(_is_number, known)) and len(cells) == len(columns):
        raise DataError(
            f"line {second.line} holds units or further names ({known[0]!r}) above numbers; "
            f"remove it, or start it with a character that {name_option('comment')} names."
        )


def _is_number(cell: str) -> bool:
    return _NUMBER_LIKE.fullmatch(cell) is not None


def _find_left_out(
    names: Sequence[str], rows: Sequence[CsvRow], notes: list[str]
) -> tuple[list[str], list[str]]:
    """All names, numbered where empty, and those of columns that hold no data."""
    named, left_out = list(names), list[str]()
    width = len(names)
    cells = [row.cells for row in rows if len(row.cells) == width]
    for place, name in enumerate(names):
        if name and not (place == 0 and _INDEX_NAME.fullmatch(name)):
            continue
        named[place] = name or f"column {place + 1}"
        column = [row[place] for row in cells]
        if not any(column):
            left_out.append(named[place])
            notes.append(f"Left out: {named[place]}, without a name and empty.")
        elif place == 0 and width > 1 and _counts(column):
            left_out.append(named[place])
            notes.append("Left out: the first column, a row index without a name.")
        elif not name:
            notes.append(f"The column without a name is called {named[place]!r}.")
    return named, left_out


def _counts(cells: Sequence[str]) -> bool:
    """Whether all cells are whole numbers from 0 on: all different, or nearly all one more."""
    if not all(re.fullmatch(r"\d{1,18}", cell, re.ASCII) for cell in cells):
        return False
    rises = [int(after) - int(before) for before, after in pairwise(cells)]
    return len(set(cells)) == len(cells) or 10 * rises.count(1) >= 9 * len(rises)
