"""The texts of files with labels as they stand there: one a line, or one a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.files import StrPaths, to_paths
from sluice.sequence.data.readers.encodings import open_text, scan_text
from sluice.sequence.data.readers.label_lines import Column, LabelLayout, find_label_layout
from sluice.sequence.data.readers.pair_lines import PairRow, read_first_lines
from sluice.sequence.data.readers.pair_texts import PairTexts, TextPair
from sluice.sequence.data.report import SkippedItem, pluralize
from sluice.sequence.errors import DataError

_TABLES = (".tsv", ".csv", ".tab")


@dataclass
class LabelTexts(PairTexts):
    """Texts as sources, and their labels as targets, None where there are none.

    Attributes:
        columns: those of text and label, as other files are asked for them; None without any.
        has_header: whether the first line names them.
    """

    columns: tuple[Column, Column] | None = None
    has_header: bool = False

    @property
    def have_targets(self) -> bool:
        """Whether any text has a label."""
        return any(one.target is not None for one in self.pairs)


def are_whole_texts(files: StrPaths) -> bool:
    """Whether each file is a text, and its folder the label: files of text in several folders."""
    paths = to_paths(files)
    folders = {path.parent for path in paths}
    return len(folders) > 1 and not any(path.suffix.lower() in _TABLES for path in paths)


def read_label_texts(
    files: StrPaths,
    *,
    columns: Sequence[Column] | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    whole: bool = False,
    labels: Sequence[str] | None = None,
) -> LabelTexts:
    """The texts of files, and their labels.

    Args:
        files: text files.
        columns: of text and label, by number from 1 or by name, if they are not to be found.
        header: whether the first line names the columns; None to recognise it.
        encoding: of the files; None to detect it.
        whole: whether each file is a text, and the name of its folder the label.
        labels: those of a trained model, for which a file may lack labels; None to require them.

    Raises:
        DataError: no file that can be read, no text, or columns that a file does not have.
    """
    found = LabelTexts([], [], [], [])
    paths = to_paths(files)
    for path in paths:
        try:
            scan = scan_text(path, encoding)
        except DataError as error:
            if not whole or len(paths) == 1:
                raise
            found.add(SkippedItem.from_file_error(path, error))
            continue
        if scan.name not in found.encodings:
            found.encodings.append(scan.name)
        if whole:
            found.add(_read_whole(path, scan.encoding, labels))
            continue
        head = read_first_lines(path, scan.encoding)
        try:
            layout = find_label_layout(
                head,
                path.suffix,
                columns=columns,
                header=header,
                needs_labels=labels is None,
            )
            found.notes.append(layout.describe())
            text, label = map(layout.name_column, layout.lines.columns)
            found.columns, found.has_header = (text, label), layout.lines.header
            with open_text(path, scan.encoding) as lines:
                for row in layout.lines.iterate_rows(lines):
                    found.add(_make_text(row, layout, path, required=labels is None))
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
    found.notes[:] = dict.fromkeys(found.notes)
    if not found.pairs:
        first = "".join(f"; the first line skipped: {one}" for one in found.skipped_items[:1])
        raise DataError(f"{paths[0]} holds no text with a label{first}")
    return found


def _read_whole(path: Path, encoding: str, labels: Sequence[str] | None) -> TextPair | SkippedItem:
    with open_text(path, encoding) as file:
        text = file.read()
    if not text.strip():
        return SkippedItem(str(path), None, "expected a text, got an empty file")
    label = path.resolve().parent.name
    return TextPair(text, label if labels is None or label in labels else None, str(path), None)


def _make_text(
    row: PairRow, layout: LabelLayout, file: Path, *, required: bool
) -> TextPair | SkippedItem:
    if layout.lines.width == 1:
        return TextPair(row.fields[0], None, str(file), row.line)
    if len(row.fields) != layout.lines.width:
        expected = pluralize(layout.lines.width, "column")
        found = f"expected {expected}, got {len(row.fields)}"
        return SkippedItem(str(file), row.line, found)
    text, label = (row.fields[place] for place in layout.lines.columns)
    if not text.strip():
        return SkippedItem(str(file), row.line, "expected a text, got an empty field")
    if not layout.has_labels:
        return TextPair(text, None, str(file), row.line)
    if not label.strip() and not required:
        return TextPair(text, None, str(file), row.line)
    if not label.strip():
        return SkippedItem(str(file), row.line, "expected a label, got an empty field")
    return TextPair(text, label.strip(), str(file), row.line)
