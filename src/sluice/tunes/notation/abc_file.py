"""ABC files: text cut into tunes, each a header and its lines of music.

The format is ABC 2.1 (https://abcnotation.com/wiki/abc:standard:v2.1).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sluice.tunes.errors import AbcSyntaxError, NoTunesError
from sluice.tunes.notation.abc_header import Header, parse_header
from sluice.tunes.notation.abc_lines import Line, TuneLines, clean_lines
from sluice.tunes.notation.abc_search import find_tunes
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


def split_lines(text: str) -> list[Line]:
    """The lines of a text, comments included; a line ends in LF, CR LF or CR."""
    return [Line(number, line) for number, line in enumerate(_NEWLINE.split(text), 1)]


def split_blocks(text: str, source: str) -> list[Block]:
    """The tunes in `text`; `source` names it in what is reported.

    Raises:
        NoTunesError: there is none.
    """
    blocks, _ = find_blocks(split_lines(text), source)
    if not blocks:
        raise NoTunesError(
            f"{source} holds no tune: no line begins with X:, as every tune in ABC notation does, "
            "and no music stands below M: or K:."
        )
    return blocks


def find_blocks(lines: Sequence[Line], source: str) -> tuple[list[Block], tuple[Remark, ...]]:
    """The tunes among `lines` (`abc_search.find_tunes`), and remarks on what is above the first.

    A tune without X: gets a number.
    """
    raw = [line.text for line in lines]
    places = find_tunes(raw)
    defaults = [
        line for place in places.header for line in _clean_lines(lines, place, place + 1).lines
    ]
    blocks = []
    starts = sorted([*places.others, *places.numbered])
    without_number = set(places.others)
    for number, (start, end) in enumerate(pairwise([*starts, len(raw)]), 1):
        own, remarks = _clean_lines(lines, start, end)
        if start in without_number:
            own = (Line(lines[start].number, f"X:{number}"), *own)
        blocks.append(Block(source, own, tuple(defaults), remarks))
    above = (Remark(kind, lines[line - 1].number) for kind, line in places.remarks)
    return blocks, tuple(above)


def _clean_lines(lines: Sequence[Line], start: int, end: int) -> TuneLines:
    """`clean_lines` of lines that need not be numbered in a row: those of a table are not."""
    own = lines[start:end]
    found = clean_lines([line.text for line in own], 0, len(own))
    return TuneLines(
        tuple(Line(own[number - 1].number, text) for number, text in found.lines),
        tuple(Remark(kind, own[line - 1].number) for kind, line in found.remarks),
    )
