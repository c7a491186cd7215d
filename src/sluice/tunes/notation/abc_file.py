"""ABC files: text cut into tunes, each a header and its lines of music.

The format is ABC 2.1 (https://abcnotation.com/wiki/abc:standard:v2.1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sluice.files import StrPath
from sluice.tunes.errors import AbcSyntaxError, NoTunesError, make_read_error
from sluice.tunes.notation.abc_header import Header, parse_header
from sluice.tunes.notation.abc_lines import Line, clean_lines
from sluice.tunes.notation.header_fields import Fields, select_fields
from sluice.tunes.notation.remarks import Remark
from sluice.tunes.notation.text_escapes import decode_text

_NEWLINE = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Block:
    """One tune's lines in a file, from its X: on, and what was left out of them."""

    source: str
    lines: tuple[Line, ...]
    defaults: tuple[Line, ...] = ()
    remarks: tuple[Remark, ...] = ()

    @property
    def line(self) -> int:
        """The line of the X: field."""
        return self.lines[0].number

    @property
    def title(self) -> str:
        """The first T: field, or the X: field where there is none."""
        fields = [line.field for line in self.lines]
        titles = [field[1] for field in fields if field and field[0] == "T" and field[1]]
        return decode_text(titles[0]) if titles else f"X:{self.lines[0].text[2:].strip()}"

    def text_fields(self) -> Fields:
        """The fields of text, wherever they stand (`sluice.tunes.notation.header_fields`)."""
        own, defaults = (
            [line.field for line in lines if line.field] for lines in (self.lines, self.defaults)
        )
        return select_fields(own, defaults)

    def parse_header(self) -> Header:
        """The fields up to K:.

        Raises:
            AbcSyntaxError: no K:, a line that is no field, or a value that cannot be read.
        """
        return parse_header((*self.defaults, *self.lines[: self._find_key_line() + 1]))

    def music_lines(self) -> tuple[Line, ...]:
        """The lines below K:, fields among them included."""
        return self.lines[self._find_key_line() + 1 :]

    def _find_key_line(self) -> int:
        for place, line in enumerate(self.lines):
            if line.field is not None and line.field[0] == "K":
                return place
        raise AbcSyntaxError("the tune has no K: field", self.line)


def read_blocks(path: StrPath) -> list[Block]:
    """The tunes of an ABC file, cut apart and not yet read.

    The encoding is UTF-8 or, where that fails, Latin-1.

    Raises:
        NoTunes: the file is empty, is no text, or no line of it begins with X:.
        TuneError: the file cannot be opened.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise make_read_error(path, error) from None
    if not content.strip():
        raise NoTunesError(f"{path} is empty; give a file of tunes in ABC notation.")
    if b"\0" in content:
        raise NoTunesError(f"{path} is not text; give a file of tunes in ABC notation.")
    return split_blocks(decode(content), str(path))


def decode(content: bytes) -> str:
    """`content` as UTF-8 (with or without a byte-order mark), else as Latin-1."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def split_blocks(text: str, source: str) -> list[Block]:
    """The tunes in `text`; `source` names it in what is reported.

    Raises:
        NoTunes: no line begins with X:.
    """
    raw = _NEWLINE.split(text)
    starts = [place for place, line in enumerate(raw) if line.startswith("X:")]
    if not starts:
        raise NoTunesError(
            f"{source} holds no tune: no line begins with X:, as every tune in ABC notation does."
        )
    head = clean_lines(raw, 0, starts[0]).lines
    defaults = tuple(line for line in head if line.field is not None)
    found = []
    for start, end in zip(starts, [*starts[1:], len(raw)], strict=True):
        lines, remarks = clean_lines(raw, start, end)
        found.append(Block(source, lines, defaults, remarks))
    return found
