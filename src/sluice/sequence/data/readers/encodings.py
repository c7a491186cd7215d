"""Reading text files in chunks, and detecting their encoding."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from sluice.files import StrPath
from sluice.sequence.data.report import make_read_error
from sluice.sequence.errors import DataError

CHUNK_SIZE = 1 << 18
"""Characters read at a time; never more of a file is in memory."""

_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_CONTROLS = frozenset(map(chr, range(32))) - set("\t\n\r\f\v\x1a\x1b")
_NAMES = {"utf-8-sig": "UTF-8", "utf-8": "UTF-8", "utf-16": "UTF-16", "latin-1": "Latin-1"}
OnBytes = Callable[[int], None]


class TextScan(NamedTuple):
    """A text file's encoding and the set of its characters."""

    encoding: str
    characters: frozenset[str]

    @property
    def name(self) -> str:
        """The usual name of the encoding."""
        return _NAMES.get(self.encoding, self.encoding)


def open_text(path: StrPath, encoding: str) -> TextIO:
    """Open a text file; every kind of line break is read as `\\n`.

    Raises:
        DataError: it cannot be opened, or there is no such encoding.
    """
    try:
        return Path(path).open(encoding=encoding)
    except OSError as error:
        raise make_read_error(path, error) from None
    except LookupError:
        raise DataError(
            f"There is no encoding named {encoding!r}; use one such as utf-8 or latin-1."
        ) from None


def read_chunks(
    path: StrPath, encoding: str, on_bytes: OnBytes = lambda read: None
) -> Iterator[str]:
    """The text in chunks of `CHUNK_SIZE` characters; `on_bytes` gets the bytes read so far.

    Raises:
        DataError: the file cannot be read.
        UnicodeDecodeError: bytes that are invalid in this encoding.
    """
    with open_text(path, encoding) as file:
        try:
            while piece := file.read(CHUNK_SIZE):
                yield piece
                on_bytes(file.buffer.tell())
        except OSError as error:
            raise make_read_error(path, error) from None


def scan_text(
    path: StrPath, encoding: str | None = None, on_bytes: OnBytes = lambda read: None
) -> TextScan:
    """Read a file once: in `encoding`, or by its byte-order mark, or as UTF-8, else as Latin-1.

    Raises:
        DataError: it cannot be read, is empty, is not text, is in two encodings, or is not in
            `encoding`.
    """
    path = Path(path)
    chosen = encoding or _detect_bom(path)
    try:
        characters = _collect_characters(path, chosen, on_bytes)
    except UnicodeError as error:
        if encoding or chosen != "utf-8":
            name = _NAMES.get(chosen, chosen)
            raise DataError(f"{path} is not {name} ({error}); give another encoding=.") from None
        _require_one_encoding(path)
        chosen, characters = "latin-1", _collect_characters(path, "latin-1", on_bytes)
    invalid = characters & (_CONTROLS if chosen == "latin-1" else {"\0"})
    if invalid:
        place = _find_line(path, min(invalid).encode())
        raise DataError(f"{path} is not text: line {place} has a control character.")
    if not characters:
        raise DataError(f"{path} is empty; give a file with content.")
    return TextScan(chosen, characters)


def _collect_characters(path: Path, encoding: str, on_bytes: OnBytes) -> frozenset[str]:
    found: set[str] = set()
    for piece in read_chunks(path, encoding, on_bytes):
        found.update(piece)
    return frozenset(found)


def _detect_bom(path: Path) -> str:
    head = read_head(path, 4)
    return next((name for mark, name in _BOMS.items() if head.startswith(mark)), "utf-8")


def read_head(path: StrPath, size: int) -> bytes:
    """The first bytes of a file.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise make_read_error(path, error) from None


def _require_one_encoding(path: Path) -> None:
    """Raise if some lines are UTF-8 beyond ASCII and others are not UTF-8."""
    first: bool | None = None
    for number, utf8 in enumerate(_check_lines(path), 1):
        first = utf8 if first is None else first
        if utf8 is not None and utf8 is not first:
            names = ("UTF-8", "another encoding")
            before, after = names if first else names[::-1]
            raise DataError(
                f"{path} is in {before} up to line {number - 1} and in {after} from line {number} "
                "on; save it in one encoding."
            )


def _check_lines(path: Path) -> Iterator[bool | None]:
    """Whether each line is UTF-8; None for a line of ASCII only."""
    decoder, sound, plain = codecs.getincrementaldecoder("utf-8")(), True, True
    with path.open("rb") as file:
        while piece := file.readline(CHUNK_SIZE):
            plain = plain and piece.isascii()
            sound = sound and _can_decode(decoder, piece)
            if piece.endswith(b"\n"):
                yield None if plain else sound
                decoder.reset()
                sound = plain = True
    if not plain:
        yield sound and _can_decode(decoder, b"", at_end=True)


def _can_decode(decoder: codecs.IncrementalDecoder, piece: bytes, at_end: bool = False) -> bool:
    try:
        decoder.decode(piece, at_end)
    except UnicodeDecodeError:
        return False
    return True


def _find_line(path: Path, byte: bytes) -> int:
    """The first line with this byte, counted from 1."""
    line = 1
    with path.open("rb") as file:
        while piece := file.read(CHUNK_SIZE):
            at = piece.find(byte)
            line += piece.count(b"\n", 0, at if at >= 0 else len(piece))
            if at >= 0:
                break
    return line
