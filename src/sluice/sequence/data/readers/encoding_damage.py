"""Where a text is not in the encoding that most of it is in."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sluice.files import StrPath

_SAMPLE = 1 << 16
_CHANCE = re.compile(rb"[\xC4-\xDF][\x84\x85\x91-\x97\x9B\xAB\xBB]")
"""Pairs that are UTF-8 as well as a letter and a quotation mark in Windows-1252."""


class Change(NamedTuple):
    """The first `line` that is UTF-8 where earlier ones were not, or the reverse.

    `utf8_first` says which; `longest` is the most characters beyond ASCII in a line of UTF-8.
    """

    line: int
    utf8_first: bool
    longest: int


class Survey(NamedTuple):
    """What of a file is UTF-8 beyond ASCII.

    Attributes:
        size: bytes of the file.
        valid: characters in UTF-8.
        invalid: bytes that are not UTF-8.
        change: where lines of UTF-8 and others meet, if the file has both.
        sample: the first lines that are not UTF-8.
    """

    size: int
    valid: int
    invalid: int
    change: Change | None
    sample: bytes


class _LineSurvey(NamedTuple):
    valid: int
    invalid: int
    raw: bytes


def survey_bytes(path: StrPath, chunk: int) -> Survey:
    """Count what is UTF-8 and what is not, line by line; at most `chunk` bytes are in memory."""
    path = Path(path)
    valid = invalid = longest = 0
    first: bool | None = None
    change: tuple[int, bool] | None = None
    sample = bytearray()
    for number, line in enumerate(_read_lines(path, chunk), 1):
        valid, invalid = valid + line.valid, invalid + line.invalid
        if line.invalid and len(sample) < _SAMPLE:
            sample += line.raw[: _SAMPLE - len(sample)]
        if not line.invalid and len(_CHANCE.findall(line.raw)) == line.valid:
            continue  # ASCII, or what may be either
        utf8 = not line.invalid
        first = utf8 if first is None else first
        longest = max(longest, line.valid if utf8 else 0)
        if utf8 is not first and change is None:
            change = number, first
    found = None if change is None else Change(*change, longest)
    return Survey(path.stat().st_size, valid, invalid, found, bytes(sample))


def _read_lines(path: Path, chunk: int) -> Iterator[_LineSurvey]:
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    valid, invalid, raw = 0, 0, b""
    with path.open("rb") as file:
        while True:
            piece = file.readline(chunk)
            ends = not piece or piece.endswith(b"\n")
            text = decoder.decode(piece, ends)
            beyond = [one for one in text if one > "\x7f"] if not text.isascii() else []
            escaped = sum("\udc80" <= one <= "\udcff" for one in beyond)
            valid, invalid = valid + len(beyond) - escaped, invalid + escaped
            raw = raw or piece
            if ends and raw:
                yield _LineSurvey(valid, invalid, raw)
                decoder.reset()
                valid, invalid, raw = 0, 0, b""
            if not piece:
                return


def locate_invalid_byte(path: StrPath, encoding: str, chunk: int) -> str:
    """The first byte that cannot be read in an encoding: its line, its place and its value."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line, before = 1, 0
    with Path(path).open("rb") as file:
        while True:
            piece = file.read(chunk)
            before += len(piece)
            try:
                line += decoder.decode(piece, not piece).count("\n")
            except UnicodeDecodeError as error:
                start = before - len(error.object) + error.start
                good = bytes(error.object[: error.start])
                line += good.decode(encoding, "ignore").count("\n")
                return f"line {line}, byte {start + 1:,}: 0x{error.object[error.start]:02X}"
            except UnicodeError as error:
                return f"line {line}: {error}"
            if not piece:
                return "it changed while it was read"
