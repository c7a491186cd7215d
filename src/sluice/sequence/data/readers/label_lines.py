"""Lines of a text and its label: how a file separates them, and which column is which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sluice.files import StrPath
from sluice.option_names import name_option, name_setting
from sluice.sequence.data.readers.pair_lines import (
    PairLayout,
    find_delimiter,
    find_width,
    has_few_values,
    has_quoted_fields,
    is_text_column,
    read_first_lines,
    read_sample,
)
from sluice.sequence.errors import DataError

TEXT_NAMES = frozenset(
    "text texts review sentence comment comments tweet message document content body headline "
    "title description question utterance name sms post".split()
)
LABEL_NAMES = frozenset(
    "label labels class category categories sentiment target topic intent stars rating language "
    "lang polarity emotion genre author".split()
)
Column = int | str
"""A column by its number from 1, or by its name in the first line."""
_LABELLED_SUFFIXES = (".tsv", ".csv", ".txt", ".tab")
_LINES = 0.98
_HEADER_ROWS = 20
"""Rows from which on a label in the first line alone is the name of its column."""


@dataclass(frozen=True)
class LabelLayout:
    """How a file's lines hold texts with labels.

    Attributes:
        lines: how fields are separated; its columns are those of the text and of the label.
        names: of the columns; empty without a header.
        has_labels: whether there is a column of labels.
    """

    lines: PairLayout
    names: tuple[str, ...] = ()
    has_labels: bool = True

    def name_column(self, place: int) -> Column:
        """A column as other files of the kind are asked for it."""
        return self.names[place] if self.names else place + 1

    def describe(self) -> str:
        """Which column is which, as a sentence."""
        mark = {"\t": "tabs"}.get(self.lines.delimiter, repr(self.lines.delimiter))
        if self.lines.width == 1:
            return "Each line is a text, without a label."
        text, label = (repr(self.name_column(place)) for place in self.lines.columns)
        head = "the first line names them" if self.names else "the first line is data"
        which = f"the text is in {text}, " + (
            f"its label in {label}" if self.has_labels else "there are no labels"
        )
        return (
            f"Columns between {mark}, {head}: {which}; {name_option('columns')} names others, "
            f"{name_option('header')} says whether the first line names them."
        )


def find_label_layout(
    head: str,
    suffix: str,
    *,
    columns: Sequence[Column] | None = None,
    header: bool | None = None,
    needs_labels: bool = True,
) -> LabelLayout:
    """The layout of a file that is known to hold texts with labels, by its first lines.

    Args:
        head: the first lines.
        suffix: of the file's name; commas and semicolons separate columns in ``.csv`` only.
        columns: the columns of text and label, by number from 1 or by name.
        header: whether the first line names columns; None to recognise it.
        needs_labels: whether a file without labels is refused.

    Raises:
        DataError: a column that does not exist, or several that may hold the labels.
    """
    lines = [line for line in head.split("\n") if line.strip()]
    delimiter = find_delimiter(lines, suffix)
    quoted = delimiter != "\t" or has_quoted_fields(lines)
    rows = read_sample(lines, delimiter, quoted)
    width = find_width(rows)
    rows = [row for row in rows if len(row) == width]
    named = _has_header(rows, columns) if header is None else header
    names = tuple(name.strip() for name in rows[0]) if named and rows else ()
    layout = PairLayout(delimiter, (0, 0), width, quoted, bool(names))
    if not rows:
        raise DataError("it holds no text")
    if width == 1:
        titled = bool(rows) and columns is not None and rows[0][0].strip() == columns[0]
        layout = replace(layout, header=titled)
        if needs_labels:
            raise DataError(
                f"expected a text, a tab and its label in each line, got one column; in a .csv "
                f"file commas separate columns, else say {name_setting('kind', 'text')}"
            )
        return LabelLayout(layout, has_labels=False)
    places = _find_places(columns, names, rows[bool(names) :], width, needs_labels)
    text, label = places[0], places[1] if len(places) > 1 else places[0]
    return LabelLayout(replace(layout, columns=(text, label)), names, len(places) > 1)


def holds_labelled_texts(path: StrPath) -> bool:
    """Whether a file certainly holds texts with labels, by its first 64 KB.

    It does if nearly all lines have two columns of text, and one of them, and not the other, has
    few values that repeat.
    """
    path = Path(path)
    if path.suffix.lower() not in _LABELLED_SUFFIXES:
        return False
    lines = [line for line in read_first_lines(path).split("\n") if line.strip()]
    delimiter = find_delimiter(lines, path.suffix)
    try:
        rows = read_sample(lines, delimiter, delimiter != "\t" or has_quoted_fields(lines))
    except DataError:
        return False
    pairs = [row for row in rows if len(row) == 2]
    if len(pairs) < max(2, _LINES * len(rows)):
        return False
    sides = [*zip(*pairs[_has_header(pairs, None) :], strict=True)]
    return all(map(is_text_column, sides)) and _find_label_column(sides) is not None


def _has_header(rows: Sequence[Sequence[str]], columns: Sequence[Column] | None) -> bool:
    """Whether the first row names columns: as asked, by usual names, or by a label of its own."""
    if len(rows) < 2:
        return False
    first = [cell.strip() for cell in rows[0]]
    if columns is not None and any(isinstance(one, str) for one in columns):
        return any(one in first for one in columns)
    low = {cell.lower() for cell in first}
    if low & TEXT_NAMES and low & LABEL_NAMES:
        return True
    if len(first) != 2 or len(rows) <= _HEADER_ROWS:
        return False
    sides = [*zip(*rows[1:], strict=True)]
    place = _find_label_column(sides)
    return place is not None and rows[0][place] not in sides[place]


def _find_label_column(sides: Sequence[Sequence[str]]) -> int | None:
    """Which of two columns holds labels: the only one with few values that repeat."""
    few = [place for place, side in enumerate(sides) if has_few_values(side)]
    return few[0] if len(few) == 1 and len(sides) == 2 else None


def _find_places(
    columns: Sequence[Column] | None,
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    needs_labels: bool,
) -> tuple[int, ...]:
    """The places of the text and, if there is one, of the label."""
    if columns is not None:
        return _find_asked(columns, names, width, needs_labels)
    low = [name.lower() for name in names]
    texts = [place for place, name in enumerate(low) if name in TEXT_NAMES]
    labels = [place for place, name in enumerate(low) if name in LABEL_NAMES]
    if len(texts) == 1 and len(labels) == 1:
        return texts[0], labels[0]
    place = _find_label_column([*zip(*rows, strict=True)])
    if place is not None:
        return 1 - place, place
    known = f" ({', '.join(names)})" if names else ""
    raise DataError(
        f"any of {width} columns{known} may be the text or its label; say which with "
        f"{name_option('columns')}, the text first, as in 1,2 or review,sentiment"
    )


def _find_asked(
    columns: Sequence[Column], names: Sequence[str], width: int, needs_labels: bool
) -> tuple[int, ...]:
    if len(columns) != 2 or columns[0] == columns[1]:
        given = ",".join(map(str, columns))
        raise DataError(
            f"{name_option('columns')} must be two columns, the text and its label, got {given}; "
            "an example is 1,2 or review,sentiment"
        )
    found = []
    for place, one in enumerate(columns):
        if isinstance(one, str) and one in names:
            found.append(names.index(one))
        elif isinstance(one, int) and 1 <= one <= width:
            found.append(one - 1)
        elif place == 0 or needs_labels:
            known = ", ".join(names) if names else f"1 to {width}"
            raise DataError(
                f"{name_option('columns')} must be columns of the file, {known}, got {one!r}"
            )
    return tuple(found)
