"""ABC files: text cut into tunes, each a header and its lines of music.

The format is ABC 2.1 (https://abcnotation.com/wiki/abc:standard:v2.1). What the music itself says
is read in `sluice.tunes.music`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from sluice.tunes.errors import AbcSyntaxError, NoTunesError
from sluice.tunes.notation.abc_search import find_tunes
from sluice.tunes.notation.header_fields import Fields, select_fields
from sluice.tunes.notation.remarks import Remark
from sluice.tunes.theory.keys import Key

_NEWLINE = re.compile(r"\r\n|\r|\n")
_COMMENT = re.compile(r"(?<!\\)%.*")
_FIELD = re.compile(r"([A-Za-z+]):(.*)", re.DOTALL)
# A line such as `A:| B2` is a note before a repeat sign and not a field.
_NOTE_BEFORE_BAR = re.compile(r"[A-Ga-gxz]:\s*(?:[|:]|\[[|\d])")
_METER = re.compile(r"\(?(\d{1,3}(?:\s*\+\s*\d{1,3})*)\)?\s*/\s*(\d+)")
_BEATS = ("1", "2", "4", "8", "16", "32")
_LENGTH = re.compile(r"(\d{1,3})\s*/\s*(\d{1,3})(?!\d)")


class Line(NamedTuple):
    """A line of a file, counted from 1, without its comment."""

    number: int
    text: str

    @property
    def field(self) -> tuple[str, str] | None:
        """The letter and value, where this is a field."""
        match = _FIELD.match(self.text)
        if match is None or _NOTE_BEFORE_BAR.match(self.text):
            return None
        return match[1], match[2].strip()


@dataclass(frozen=True)
class Header:
    """What stands above a tune's music.

    `meter` is a fraction as written (`6/8`), `unit` the unit note length in whole notes.
    """

    titles: tuple[str, ...]
    rhythm: str
    meter: str
    unit_length: Fraction
    key: Key


@dataclass(frozen=True)
class Block:
    """One tune's lines in a file: from its X: to the next empty line."""

    source: str
    lines: tuple[Line, ...]
    defaults: tuple[Line, ...] = ()

    @property
    def line(self) -> int:
        """The line of the X: field."""
        return self.lines[0].number

    @property
    def title(self) -> str:
        """The first T: field, or the X: field where there is none."""
        fields = [line.field for line in self.lines]
        titles = [field[1] for field in fields if field and field[0] == "T" and field[1]]
        return titles[0] if titles else f"X:{self.lines[0].text[2:].strip()}"

    def text_fields(self) -> Fields:
        """The fields of text, wherever they stand (`sluice.tunes.notation.header_fields`)."""
        own, defaults = (
            [line.field for line in lines if line.field] for lines in (self.lines, self.defaults)
        )
        return select_fields(own, defaults)

    def parse_header(self) -> Header:
        """The fields up to K:.

        Raises:
            AbcSyntaxError: no K: or M:, or a field whose value cannot be read.
        """
        fields: dict[str, list[tuple[str, int]]] = {}
        for line in (*self.defaults, *self._iterate_header_lines()):
            if line.field is not None:
                fields.setdefault(line.field[0], []).append((line.field[1], line.number))
        meter = parse_meter(*fields.get("M", [("", self.line)])[-1])
        return Header(
            titles=tuple(value for value, _ in fields.get("T", []) if value),
            rhythm=fields.get("R", [("", 0)])[-1][0],
            meter=meter,
            unit_length=parse_unit(*fields["L"][-1]) if "L" in fields else default_unit(meter),
            key=parse_key(*fields["K"][-1]),
        )

    def music_lines(self) -> tuple[Line, ...]:
        """The lines below K:, fields among them included."""
        return self.lines[self._find_key_line() + 1 :]

    def _iterate_header_lines(self) -> Iterator[Line]:
        for line in self.lines[: self._find_key_line() + 1]:
            if line.field is None and line.text.strip():
                raise AbcSyntaxError("this line stands above K: and is no field", line.number)
            yield line

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
    defaults = tuple(
        Line(lines[place].number, _COMMENT.sub("", raw[place])) for place in places.header
    )
    blocks = []
    starts = [*places.others, *places.numbered]
    for number, (start, end) in enumerate(pairwise([*starts, len(raw)]), 1):
        own = [
            lines[line.number - 1]._replace(text=line.text)
            for line in _strip_comments(raw, start, end)
        ]
        if start in places.others:
            own.insert(0, Line(lines[start].number, f"X:{number}"))
        blocks.append(Block(source, tuple(own), defaults))
    remarks = (Remark(kind, lines[line - 1].number) for kind, line in places.remarks)
    return blocks, tuple(remarks)


def _strip_comments(raw: Sequence[str], start: int, end: int) -> Iterator[Line]:
    """The lines up to the first empty one, comments taken off and comment lines left out."""
    seen = False
    for place in range(start, end):
        if not raw[place].strip():
            if seen:
                return
            continue
        seen = True
        text = _COMMENT.sub("", raw[place])
        if text.strip():
            yield Line(place + 1, text)


def parse_meter(value: str, line: int) -> str:
    """A meter as a fraction: `C` is `4/4`, `C|` is `2/2`, `(2+3)/8` is `5/8`.

    Raises:
        AbcSyntaxError: no meter, or free meter.
    """
    named = {"C": "4/4", "C|": "2/2"}
    if value in named:
        return named[value]
    match = _METER.match(value)
    beats = sum(map(int, match[1].split("+"))) if match else 0
    if match is None or not beats or match[2] not in _BEATS:
        problem = f"M:{value} is no meter" if value else "the tune has no M: field"
        raise AbcSyntaxError(f"{problem} (as in M:6/8)", line)
    return f"{beats}/{match[2]}"


def parse_unit(value: str, line: int) -> Fraction:
    """The unit note length, in whole notes.

    Raises:
        AbcSyntaxError: not a fraction of whole numbers above zero.
    """
    match = _LENGTH.match(value)
    if match is None or not int(match[1]) or not int(match[2]):
        raise AbcSyntaxError(f"L:{value} is not a note length (as in L:1/8)", line)
    return Fraction(int(match[1]), int(match[2]))


def default_unit(meter: str) -> Fraction:
    """The unit note length where no L: says it."""
    return Fraction(1, 16) if Fraction(meter) < Fraction(3, 4) else Fraction(1, 8)


def parse_key(value: str, line: int) -> Key:
    """`Key.parse`, with the line where it fails.

    Raises:
        AbcSyntaxError: no tonic, or an unknown mode.
    """
    try:
        return Key.parse(value)
    except ValueError as error:
        raise AbcSyntaxError(str(error), line) from None
