"""Lines of a source and a target: how a file separates them, and what stands in each line."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sluice.files import StrPath
from sluice.option_names import name_option
from sluice.sequence.data.readers.file_kinds import read_head
from sluice.sequence.errors import DataError

_HEAD = 1 << 16
_SUFFIXES = (".tsv", ".csv", ".txt", ".tab")
"""Files that may hold pairs without `kind="pairs"`."""
_LINES, _TEXT_SHARE = 0.98, 0.95
"""Shares of lines with the same columns, and of fields that are text, for pairs to be certain."""
_FEW = 5
"""A column that has each of its values so often on average may hold labels."""
_HEADERS = frozenset(
    "source target src tgt trg input output question answer text translation original summary "
    "query response prompt completion sentence1 sentence2 english german french spanish italian "
    "russian chinese japanese en de fr es it ru zh ja pt nl eng deu fra spa ita".split()
)
_NUMBER = re.compile(r"[-+]?[\d.,\s]*\d[\d.,]*(e[-+]?\d+)?\s?[^\W\d]{0,3}[%°]?", re.IGNORECASE)
_DATE = re.compile(r"\d{1,4}[-/.]\w{1,3}[-/.]\d{1,4}([T ].*)?|\d{1,2}:\d\d.*")
_NO_VALUE = ("", "na", "n/a", "nan", "null", "none", "inf", "-inf", "true", "false")
_ATTRIBUTION = "CC-BY"
"""How the third column of Tatoeba's exported pairs begins."""
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class PairRow(NamedTuple):
    """The fields of a line, and its number from 1."""

    line: int
    fields: list[str]


@dataclass(frozen=True)
class PairLayout:
    """How a file's lines hold pairs.

    Attributes:
        delimiter: what separates columns.
        columns: the places of source and target, from 0.
        width: how many columns a line has; 1 where there are sources only.
        quoted: whether fields may stand in double quotes, as in CSV.
        header: whether the first line names the columns.
    """

    delimiter: str = "\t"
    columns: tuple[int, int] = (0, 1)
    width: int = 2
    quoted: bool = False
    header: bool = False

    def iterate_rows(self, lines: Iterable[str]) -> Iterator[PairRow]:
        """The fields of each line that is not empty, after the header.

        Raises:
            DataError: a quote that is not closed.
        """
        rows = self._read_quoted(lines) if self.quoted else self._split(lines)
        for place, row in enumerate(row for row in rows if any(one.strip() for one in row.fields)):
            if place or not self.header:
                yield row

    def _split(self, lines: Iterable[str]) -> Iterator[PairRow]:
        for number, line in enumerate(lines, 1):
            text = line.removesuffix("\n")
            yield PairRow(number, text.split(self.delimiter) if self.width > 1 else [text])

    def _read_quoted(self, lines: Iterable[str]) -> Iterator[PairRow]:
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        first = 1
        while True:
            try:
                fields = next(reader, None)
            except csv.Error as error:
                raise DataError(
                    f"line {first}: a field in quotes cannot be read ({error}); close the quote, "
                    "or double a quote inside a field"
                ) from None
            if fields is None:
                return
            yield PairRow(first, fields)
            first = reader.line_num + 1


def find_pair_layout(
    text: str,
    suffix: str,
    *,
    columns: tuple[int, int] | None = None,
    header: bool | None = None,
) -> PairLayout:
    """The layout of a file that is known to hold pairs, by its first lines.

    Args:
        text: the first lines.
        suffix: of the file's name; commas and semicolons separate columns in ``.csv`` only.
        columns: places of source and target, from 0, where the caller says so.
        header: whether the first line names columns; None to recognise usual names.

    Raises:
        DataError: more than two columns, and none chosen.
    """
    lines = [line for line in text.split("\n") if line.strip()]
    delimiter = find_delimiter(lines, suffix)
    quoted = delimiter != "\t" or has_quoted_fields(lines)
    rows = read_sample(lines, delimiter, quoted)
    width = find_width(rows)
    named = header if header is not None else bool(rows) and _is_header(rows[0])
    if columns is None and width > 2 and not _is_attributed(rows, width):
        raise DataError(
            f"the lines have {width} columns; say which are the source and the target with "
            f"{name_option('columns')}, as in 1,2"
        )
    chosen = columns or (0, 1)
    if width > 1 and max(chosen) >= width:
        raise DataError(
            f"{name_option('columns')} must be two of the {width} columns, got "
            f"{chosen[0] + 1},{chosen[1] + 1}"
        )
    return PairLayout(delimiter, chosen, width, quoted, named)


def holds_pairs(path: StrPath) -> bool:
    """Whether a file certainly holds pairs of texts, by its first 64 KB.

    It does if nearly all lines have two columns (or a third with Tatoeba's attribution), nearly all
    fields are text, not numbers or dates, and no column repeats a few values, as labels and
    categories do.
    """
    path = Path(path)
    if path.suffix.lower() not in _SUFFIXES:
        return False
    lines = [line for line in read_first_lines(path).split("\n") if line.strip()]
    delimiter = find_delimiter(lines, path.suffix)
    quoted = delimiter != "\t" or has_quoted_fields(lines)
    try:
        rows = read_sample(lines, delimiter, quoted)
    except DataError:
        return False
    rows = rows[1:] if rows and _is_header(rows[0]) else rows
    if len(rows) < 2:
        return False
    width = 3 if _is_attributed(rows, 3) else 2
    pairs = [row for row in rows if len(row) == width]
    if len(pairs) < _LINES * len(rows):
        return False
    sides = list(zip(*pairs, strict=True))[:2]
    return all(is_text_column(side) and not has_few_values(side) for side in sides)


def read_first_lines(path: StrPath, encoding: str | None = None) -> str:
    """The complete lines in the first 64 KB of a file, for a guess at what it holds."""
    head = read_head(path, _HEAD)
    marked = next((name for mark, name in _BOMS.items() if head.startswith(mark)), None)
    name = encoding or marked or "utf-8"
    try:
        text = codecs.getincrementaldecoder(name)().decode(head)
    except (UnicodeDecodeError, LookupError):
        text = head.decode("latin-1")
    if "\0" in text:
        return ""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if len(head) < _HEAD else text[: text.rfind("\n") + 1]


def find_delimiter(lines: Sequence[str], suffix: str) -> str:
    """A tab where lines have one; in a .csv file the separator that most lines have."""
    if suffix.lower() != ".csv":
        return "\t"
    return max("\t,;", key=lambda mark: sum(mark in line for line in lines))


def has_quoted_fields(lines: Sequence[str]) -> bool:
    """Whether quotes enclose fields: all of them, or one in which quotes are doubled.

    Elsewhere a quote is part of the text, as in a sentence that somebody says.
    """
    fields = [field for line in lines for field in line.split("\t")]
    enclosed = [one for one in fields if len(one) > 1 and one[0] == one[-1] == '"']
    inner = [one[1:-1] for one in enclosed]
    sound = [one for one in inner if '"' not in one.replace('""', "")]
    return bool(fields) and (
        len(sound) == len(fields)
        or (len(sound) == len(enclosed) and any('""' in one for one in sound))
    )


def read_sample(lines: Sequence[str], delimiter: str, quoted: bool) -> list[list[str]]:
    """The fields of the first lines; a row in quotes that goes on after them is left out."""
    layout, rows = PairLayout(delimiter, quoted=quoted), list[list[str]]()
    try:
        rows.extend(row.fields for row in layout.iterate_rows(line + "\n" for line in lines))
    except DataError as error:
        if "unexpected end of data" not in str(error) or not rows:
            raise
    return rows


def find_width(rows: Sequence[Sequence[str]]) -> int:
    """How many columns most lines have; of two numbers as frequent, the larger."""
    widths = [len(row) for row in rows]
    return max(set(widths), key=lambda width: (widths.count(width), width)) if widths else 1


def _is_header(row: Sequence[str]) -> bool:
    return len(row) > 1 and all(one.strip().lower() in _HEADERS for one in row[:2])


def _is_attributed(rows: Sequence[Sequence[str]], width: int) -> bool:
    return width == 3 and all(
        len(row) == 3 and row[2].startswith(_ATTRIBUTION) for row in rows if not _is_header(row)
    )


def is_text_column(column: Sequence[str]) -> bool:
    return sum(map(_is_text, column)) >= _TEXT_SHARE * len(column)


def _is_text(field: str) -> bool:
    """Whether a field is neither a number, with or without a unit, nor a date or a missing value.

    >>> [_is_text(field) for field in ("Hi!", "12.5 km", "2024-01-05T10:00", "NaN", "4 of us")]
    [True, False, False, False, True]
    """
    field = field.strip()
    if field.lower() in _NO_VALUE or _NUMBER.fullmatch(field) or _DATE.fullmatch(field):
        return False
    return any(map(str.isalpha, field))


def has_few_values(column: Sequence[str]) -> bool:
    return len(column) >= 4 * _FEW and len(set(column)) * _FEW <= len(column)
