"""The texts of pairs, a source and a target in each line, as they stand in files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from sluice.files import StrPath, StrPaths, to_paths
from sluice.option_names import name_option
from sluice.sequence.data.readers.encodings import open_text, scan_text
from sluice.sequence.data.readers.pair_lines import (
    PairLayout,
    PairRow,
    find_pair_layout,
    read_first_lines,
)
from sluice.sequence.data.report import SkippedItem, pluralize
from sluice.sequence.errors import DataError

_EXPECTED = "expected a source, a tab and a target"


@dataclass(frozen=True)
class TextPair:
    """A source and its target, None where there is none, and where they stand."""

    source: str
    target: str | None
    file: str
    line: int | None

    @property
    def place(self) -> str:
        """The file and the line."""
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass
class PairTexts:
    """The texts of pairs as they stand in files.

    Attributes:
        pairs: those that are sound; all without a target, if the files have none.
        skipped_items: the lines that are not pairs.
        notes: what was recognised.
        encodings: the names of the files' encodings.
    """

    pairs: list[TextPair]
    skipped_items: list[SkippedItem]
    notes: list[str]
    encodings: list[str]

    @classmethod
    def of_source(cls, text: str, place: str) -> PairTexts:
        """A source without a target, which is in no file."""
        return cls([TextPair(text, None, place, None)], [], [], [])

    @property
    def have_targets(self) -> bool:
        """Whether every source has a target; else none has."""
        return self.pairs[0].target is not None

    def add(self, item: TextPair | SkippedItem) -> None:
        """Add what a line holds."""
        if isinstance(item, TextPair):
            self.pairs.append(item)
        else:
            self.skipped_items.append(item)

    def require_pairs(self, file: StrPath) -> None:
        """Refuse files without a pair, and sources among pairs that have no target."""
        if not self.pairs:
            first = "".join(f"; the first line skipped: {one}" for one in self.skipped_items[:1])
            raise DataError(
                f"{file} holds no pair; give lines of a source, a tab and a target{first}"
            )
        lone = next((one for one in self.pairs if one.target is None), None)
        if lone is not None and any(one.target is not None for one in self.pairs):
            raise DataError(f"{lone.place}: {_EXPECTED}, got no tab")


def read_pair_texts(
    files: StrPaths,
    *,
    columns: Sequence[int | str] | None = None,
    header: bool | None = None,
    encoding: str | None = None,
) -> PairTexts:
    """The texts of pairs, one a line, in a file or several; empty lines are left out.

    A line is a source, a tab and a target; in a .csv file commas or semicolons separate them. A
    line with another number of columns, or with an empty source, is skipped and reported.

    Args:
        files: text files.
        columns: the columns of source and target, from 1, where lines have more than two.
        header: whether the first line names the columns; None to recognise usual names.
        encoding: of the files; None to detect it.

    Raises:
        DataError: no file that can be read, no pair, or columns that a file does not have.
    """
    places = _check_columns(columns)
    made = PairTexts([], [], [], [])
    for path in to_paths(files):
        scan = scan_text(path, encoding)
        if scan.name not in made.encodings:
            made.encodings.append(scan.name)
        head = read_first_lines(path, scan.encoding)
        try:
            layout = find_pair_layout(head, path.suffix, columns=places, header=header)
            made.notes += [f"{path.name}: {note}" for note in _describe_layout(layout)]
            with open_text(path, scan.encoding) as lines:
                for row in layout.iterate_rows(lines):
                    made.add(_make_pair(row, layout, path))
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
    made.require_pairs(to_paths(files)[0])
    return made


def read_parallel_texts(source: StrPath, target: StrPath, encoding: str | None = None) -> PairTexts:
    """The texts of two files whose lines belong together, as of a corpus for translation.

    Args:
        source: a file with a source in each line.
        target: a file with its target in the same line.
        encoding: of both; None to detect it.

    Raises:
        DataError: a file that cannot be read, no pair, or another number of lines.
    """
    paths = Path(source), Path(target)
    scans = [scan_text(path, encoding) for path in paths]
    found = PairTexts([], [], [], list(dict.fromkeys(scan.name for scan in scans)))
    with (
        open_text(paths[0], scans[0].encoding) as sources,
        open_text(paths[1], scans[1].encoding) as targets,
    ):
        for number, (one, other) in enumerate(zip_longest(sources, targets), 1):
            if one is None or other is None:
                short, long = paths if one is None else paths[::-1]
                raise DataError(
                    f"{short} ends after line {number - 1:,}, but {long} goes on; lines of the two "
                    "files must belong together"
                )
            text, wanted = one.removesuffix("\n"), other.removesuffix("\n")
            if text.strip() and wanted.strip():
                found.add(TextPair(text, wanted, str(paths[0]), number))
            elif text.strip() or wanted.strip():
                side = "target" if text.strip() else "source"
                found.add(SkippedItem(str(paths[0]), number, f"an empty {side}"))
    found.notes.append(f"Line by line, the targets are those of {paths[1].name}.")
    found.require_pairs(paths[0])
    return found


def _check_columns(columns: Sequence[int | str] | None) -> tuple[int, int] | None:
    """Places from 0 of two columns that the caller numbers from 1."""
    if columns is None:
        return None
    places = [one - 1 for one in columns if isinstance(one, int)]
    if len(columns) != 2 or len({*places}) != 2 or min(places) < 0:
        given = ",".join(map(str, columns))
        raise DataError(
            f"{name_option('columns')} must be the numbers of two columns, source and target, got "
            f"{given}; an example is 1,2"
        )
    return places[0], places[1]


def _describe_layout(layout: PairLayout) -> list[str]:
    notes = []
    if layout.header:
        notes.append("the first line names the columns")
    if layout.width > 2:
        source, target = (place + 1 for place in layout.columns)
        notes.append(f"of {layout.width} columns, {source} is the source and {target} the target")
    if layout.delimiter != "\t":
        notes.append(f"columns are separated by {layout.delimiter!r}")
    elif layout.quoted:
        notes.append("quotes around fields are taken off")
    return notes


def _make_pair(row: PairRow, layout: PairLayout, file: Path) -> TextPair | SkippedItem:
    if layout.width == 1:
        return TextPair(row.fields[0], None, str(file), row.line)
    if len(row.fields) != layout.width:
        found = "no tab" if len(row.fields) == 1 else pluralize(len(row.fields), "column")
        return SkippedItem(str(file), row.line, f"{_EXPECTED}, got {found}")
    source, target = (row.fields[place] for place in layout.columns)
    if not source.strip():
        return SkippedItem(str(file), row.line, f"{_EXPECTED}, got an empty source")
    return TextPair(source, target, str(file), row.line)
