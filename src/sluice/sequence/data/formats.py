"""Loading data: the formats, and how a file's format is detected.

Other packages add formats by entry points in the group `sluice.formats`, each a `Format`.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeAlias, get_args, get_type_hints

from sluice.files import StrPath
from sluice.option_names import name_option
from sluice.sequence.data.labelled_texts import LabelledTexts
from sluice.sequence.data.pairs import Pairs
from sluice.sequence.data.readers import csv, midi, parquet
from sluice.sequence.data.readers.file_kinds import read_head, require_text_file
from sluice.sequence.data.readers.json_lines import read_json_lines
from sluice.sequence.data.readers.label_lines import holds_labelled_texts
from sluice.sequence.data.readers.labels import read_labels
from sluice.sequence.data.readers.pair_lines import holds_pairs
from sluice.sequence.data.readers.pairs import read_pairs
from sluice.sequence.data.readers.piano_rolls import read_piano_rolls
from sluice.sequence.data.readers.spreadsheets import read_spreadsheet
from sluice.sequence.data.readers.text import read_text
from sluice.sequence.data.report import make_read_error
from sluice.sequence.data.series import Series
from sluice.sequence.data.spooling import STANDARD_INPUT, open_spool, strip_gzip
from sluice.sequence.data.tokens import Tokens
from sluice.sequence.errors import DataError

AnyData: TypeAlias = Tokens | Series | Pairs | LabelledTexts
"""What `load_data` gives."""
ENTRY_POINT_GROUP = "sluice.formats"
_HEAD = 1 << 16
TABLES = ("csv", "parquet", "spreadsheet", "jsonl")
"""The formats of tables, which all have the options of `TableOptions`."""
_IMPLIED = "on_reading"
_RENAMED = {"chorales": "rolls"}
"""Formats that had another name."""
_TARGETS = "target_file"
"""The option that names a further file."""


@dataclass(frozen=True)
class Format:
    """A kind of data: how its files are detected, and what reads them.

    Attributes:
        name: the value of `kind=` in `load_data`.
        suffixes: of its files, in lower case, with the dot.
        matches_head: whether a file that starts with these bytes is of this kind, with any suffix.
        read: reads files (a list of paths) as `Tokens`, `Series`, `Pairs` or `LabelledTexts`; its
            keyword-only arguments are the options of this kind.
        claims: whether a file is certainly of this kind, whatever its suffix; asked first.
    """

    name: str
    suffixes: tuple[str, ...]
    matches_head: Callable[[bytes], bool]
    read: Callable[..., AnyData]
    claims: Callable[[Path], bool] = lambda file: False

    @property
    def options(self) -> list[str]:
        """The names of the keyword-only arguments of `read`, those of an `Unpack[...]` included."""
        names: list[str] = []
        for one in inspect.signature(self.read).parameters.values():
            if one.kind is inspect.Parameter.KEYWORD_ONLY:
                names.append(one.name)
            elif one.kind is inspect.Parameter.VAR_KEYWORD:
                names += _list_unpacked_names(self.read, one.name)
        return names


def _list_unpacked_names(function: Callable[..., object], parameter: str) -> list[str]:
    """The keys of the TypedDict in the annotation `Unpack[...]` of `**parameter`."""
    kinds = get_args(get_type_hints(function)[parameter])
    return [name for kind in kinds for name in get_type_hints(kind)]


TEXT = Format("text", (".txt", ".text", ".md"), lambda head: b"\0" not in head, read_text)
_BUILT_IN = (
    Format("midi", (".mid", ".midi"), lambda head: head.startswith(midi.MAGIC), midi.read_midi),
    Format("pairs", (), lambda head: False, read_pairs, claims=holds_pairs),
    Format("labels", (), lambda head: False, read_labels, claims=holds_labelled_texts),
    Format("rolls", (".json",), lambda head: False, read_piano_rolls),
    Format("csv", (".csv", ".tsv"), lambda head: False, csv.read_csv),
    Format(
        "parquet",
        (".parquet", ".pq"),
        lambda head: head.startswith(b"PAR1"),
        parquet.read_parquet,
    ),
    Format("spreadsheet", (".xlsx", ".ods"), lambda head: False, read_spreadsheet),
    Format("jsonl", (".jsonl", ".ndjson"), lambda head: False, read_json_lines),
)


@cache
def get_formats() -> dict[str, Format]:
    """All formats by name; text is last, for files that no other format matches.

    >>> sorted(get_formats())
    ['abc', 'csv', 'jsonl', 'labels', 'midi', 'pairs', 'parquet', 'rolls', 'spreadsheet', 'text']
    """
    others = [entry.load() for entry in entry_points(group=ENTRY_POINT_GROUP)]
    return {one.name: one for one in (*_BUILT_IN, *others, TEXT)}


def load_data(path: StrPath, *, kind: str | None = None, **options: object) -> AnyData:
    """Load a file, or all files in a folder and its subfolders.

    The format is detected by the suffix, else by the first bytes; other text is read as text. A
    file whose lines hold two columns of text holds pairs, or texts with labels if one of them has
    few values.
    `report()` of the result says what was read, and what was skipped where and why.

    Args:
        path: a file or folder; hidden files in a folder are skipped. Files that end in .gz are
            unpacked; "-" is standard input, which needs `kind`.
        kind: the name of the format, if it is not detected.
        options: of the format: see `read_text`, `read_csv`, `read_pairs`, `read_labels` and
            `read_midi` in `sluice.sequence.data.readers`. Formats that report progress call
            `on_reading`.

    Raises:
        DataError: no such file, an empty one, an unknown kind or option, a folder of several
            kinds, or an error of the format's reader.
        MissingExtraError: a library that only this format needs is not installed.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.txt").write_text("to be")
    ...     tokens = load_data(Path(folder) / "a.txt")
    >>> tokens.report()
    'a.txt: text in UTF-8, 1 sequence (one per file), 5 characters, 5 different.'
    """
    path = Path(path)
    files = list_files(path)
    chosen = find_format(path, "pairs" if kind is None and options.get(_TARGETS) else kind)
    if kind is not None and path.is_dir():
        files = [file for file in files if detect_format(file) is chosen] or files
    unknown = sorted(options.keys() - {*chosen.options, _IMPLIED})
    if unknown:
        known = ", ".join(map(name_option, chosen.options)) or "none"
        raise DataError(
            f"{chosen.name} has no option {name_option(unknown[0])}; its options are {known}."
        )
    given = {k: v for k, v in options.items() if k in chosen.options}
    if given.get(_TARGETS) is not None and not Path(str(given[_TARGETS])).is_file():
        raise DataError(f"There is no file {given[_TARGETS]}; check {name_option(_TARGETS)}.")
    with open_spool() as spool:
        if given.get(_TARGETS) is not None:
            given[_TARGETS] = spool.add(str(given[_TARGETS]))
        data = chosen.read([spool.add(file) for file in files], **given)
    return replace(
        data,
        load_options=_describe_options(
            chosen, {k: v for k, v in {**data.load_options, **given}.items() if k != _TARGETS}
        ),
        names=tuple(map(spool.rename, data.names)) if spool.has_copies else data.names,
        load_report=spool.rename_report(data.load_report),
    )


def _describe_options(chosen: Format, options: Mapping[str, object]) -> dict[str, object]:
    """The format and the options that JSON can hold, to read other files in the same way."""
    plain = (str, int, float, list, tuple, Path)
    kept = {name: value for name, value in options.items() if isinstance(value, plain)}
    texts = {name: str(value) for name, value in kept.items() if isinstance(value, Path)}
    return {"kind": chosen.name, **kept, **texts}


def find_format(path: StrPath, kind: str | None = None) -> Format:
    """The format called `kind`, else that of a file or of all files of a folder.

    Raises:
        DataError: no such file, an unknown kind, or a folder of several kinds.
    """
    if kind is not None:
        return _get_format(kind)
    if str(path) == STANDARD_INPUT:
        raise DataError(
            f"Say what standard input holds with {name_option('kind')}, one of "
            f"{', '.join(get_formats())}."
        )
    return _detect_common_format(Path(path), list_files(Path(path)))


def detect_format(file: StrPath) -> Format | None:
    """The format of a file, or None.

    Raises:
        DataError: it cannot be read.
    """
    file = Path(file)
    (plain,) = strip_gzip([file])
    for one in get_formats().values():
        if one.claims(file):
            return one
    for one in get_formats().values():
        if plain.suffix.lower() in one.suffixes:
            return one
    head = read_head(file, _HEAD)
    return next((one for one in get_formats().values() if one.matches_head(head)), None)


def _detect_common_format(path: Path, files: list[Path]) -> Format:
    found = {file: detect_format(file) for file in files}
    known = ", ".join(get_formats())
    for file, one in found.items():
        if one is None and file == path:
            require_text_file(file)
            raise DataError(
                f"{file} must be of a known kind, one of {known}; name it with "
                f"{name_option('kind')}."
            )
    kinds: dict[str, list[Path]] = {}
    for file, one in found.items():
        kinds.setdefault(one.name if one else "unknown", []).append(file)
    if len(kinds) > 1 or "unknown" in kinds:
        held = ", ".join(f"{len(of)} of {name} ({of[0].name})" for name, of in kinds.items())
        raise DataError(
            f"{path} holds files of several or unknown kinds: {held}; choose one with "
            f"{name_option('kind')}, of {known}."
        )
    (name,) = kinds
    return get_formats()[name]


def _get_format(kind: str) -> Format:
    if kind in _RENAMED:
        warnings.warn(
            f"{name_option('kind')} {kind} is called {_RENAMED[kind]}; the old name goes in 0.4.",
            DeprecationWarning,
            stacklevel=4,
        )
        kind = _RENAMED[kind]
    if kind not in get_formats():
        raise DataError(
            f"{name_option('kind')} must be one of {', '.join(get_formats())}, got {kind!r}."
        )
    return get_formats()[kind]


def list_files(path: StrPath) -> list[Path]:
    """The file itself, or all files of a folder; raises DataError where there are none."""
    path = Path(path)
    if str(path) == STANDARD_INPUT:
        return [path]
    try:
        exists = path.exists()
    except OSError as error:
        raise make_read_error(path, error) from None
    if not exists:
        raise DataError(f"There is no file or folder {path}; check the path.")
    files = list(_walk_files(path)) if path.is_dir() else [path]
    if not files:
        raise DataError(f"The folder {path} holds no file; give a folder with data.")
    return files


def _walk_files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.is_file() and not hidden:
            yield file
