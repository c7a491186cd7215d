"""The symbols that ABC music is read into, and the patterns of their spelling."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from sluice.tunes.errors import AbcSyntaxError
from sluice.tunes.notation.lyrics import AlignedLine
from sluice.tunes.notation.remarks import Remark
from sluice.tunes.theory.dances import FREE_METER
from sluice.tunes.theory.keys import Pitch

_MAX_SYMBOLS = 20_000
"""Of a tune with rests of whole bars, which ask for a thousand bars in four characters."""


@dataclass(frozen=True)
class SoundSymbol:
    """A note, a chord, or a rest (no pitch); `duration` is as written, before any tuplet.

    `tied_pitches` are those of `pitches` that are held into the next sound; `before` and `after`
    are the annotations there, in the sounding key.
    """

    pitches: tuple[Pitch, ...]
    duration: Fraction
    line: int
    tied_pitches: tuple[Pitch, ...] = ()
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class BarLineSymbol:
    """A bar line, with the repeats that close and open at it and the ending that begins.

    `is_double` says that a section ends here: `||`, `|]` or `[|`.
    """

    line: int
    closes: bool = False
    opens: bool = False
    ending: str = ""
    is_double: bool = False


@dataclass(frozen=True)
class TupletSymbol:
    """`notes` sounds in the time of `time`, for the next `reach` sounds."""

    notes: int
    time: int
    events: int
    line: int


@dataclass(frozen=True)
class MeterSymbol:
    """The meter from here on, as a fraction."""

    meter: str
    line: int


@dataclass(frozen=True)
class GapSymbol:
    """A `*`: music that is still to be found, with annotations as those of a sound."""

    line: int
    before: str = ""
    after: str = ""


Symbol = SoundSymbol | BarLineSymbol | TupletSymbol | MeterSymbol | GapSymbol


class PartLabel(NamedTuple):
    """A `P:` of the body: its label, and how many sounds stand before it."""

    label: str
    num_sounds: int
    line: int


@dataclass(frozen=True)
class Music:
    """What the lines below K: say.

    Attributes:
        meter: the one that it begins in.
        symbols: what sounds and the bars, in order.
        lines_below: lines of words (`w:`) and of symbols (`s:`).
        parts: labels of parts, in order.
        remarks: what was left out, or taken in another way than written.
        tempos: the values of Q: above the first note, with their lines.
    """

    meter: str
    symbols: tuple[Symbol, ...]
    lines_below: tuple[AlignedLine, ...] = ()
    parts: tuple[PartLabel, ...] = ()
    remarks: tuple[Remark, ...] = ()
    tempos: tuple[tuple[str, int], ...] = ()


_LENGTH = r"(\d{0,4})(/{0,5})(\d{0,4})"
_NOTE = r"[_^=]*[A-Ga-g][,']*"
_SYMBOLS: dict[str, str] = {
    "quoted": r'"[^"]*"',
    "decoration": (
        r"!(?:[^!|:\[\]\s]*!)?|\+(?![A-Ga-g]{2,}\+)[a-z][^+|\s]*\+|\+f{2,4}\+|[.~H-Wh-w]|y\d*"
    ),
    "grace": r"\{[^{}]*\}",
    "field": r"\[([A-Za-z]):([^\]]*)\]",
    # A colon after a bracket belongs to what follows: `[|]:|` closes a repeat.
    "bar": r"(:\s*)*(?:\[?\|+\]?)+(?:(?<!\]):|\s+:(?![\s:]*[\[|]))*|::+",
    "ending": r"\[\s*(\d(?:[-,.]*\d)*)",
    "tuplet": r"[(](\d)(?::(\d{0,2}))?(?::(\d{0,2}))?",
    "note": f"({_NOTE}){_LENGTH}",
    "rest": f"[zx]{_LENGTH}",
    "long_rest": r"[ZX](\d{0,2})",
    "broken": r"(>{1,3}|<{1,3})",
    "tie": r"-",
    "chord": r"\[",
    "chord_end": rf"\]{_LENGTH}",
    "slur": r"[(](?!\d)|[)]",
    "gap": r"\*",
    "overlay": r"&",
    # A `=` that ends a line is a soft line break left by mail.
    "space": r"(?:[\s`\\$]|=(?:20)?\s*$)+",
    "colon": r":",
    "number": r"(\d(?:[-,.]*\d)*)",
}
LEXERS = {name: re.compile(pattern) for name, pattern in _SYMBOLS.items()}
_GROUP = re.compile(r"(?<!\[)\((?!\?)")
ANY = re.compile("|".join(f"(?P<{name}>{_GROUP.sub('(?:', p)})" for name, p in _SYMBOLS.items()))
BARE_ENDING = re.compile(r"\s*(\d(?:[-,.]*\d)*)")
_DOUBLE_BAR = re.compile(r"\[?(?:\|{2,}|\|\])|\[\|(?!\])")
IGNORED_SYMBOLS = {"space"}
_FAULTS = (
    (r"\"", "a quotation mark that is not closed"),
    (r"\{", "grace notes that are not closed"),
    (r"[_^]\d*/", "a microtone, which is unsupported"),
    (r"[_^]\d", "a microtone, which is unsupported"),
    (r"[_^=]", "an accidental with no note after it"),
    (r"[♭♯♮]", "a printed accidental; in ABC it is written _, ^ or = before its note"),
    (r"\+[^+]*\+", "a chord between + signs, which is unsupported; write it in brackets"),
)
_IN_TIME_OF = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}


def tuplet_time(notes: int, meter: str) -> int:
    """How many notes' time a tuplet takes that does not say it itself (ABC 2.1, section 4.13)."""
    beats, unit = (0, 0) if meter == FREE_METER else map(int, meter.split("/"))
    compound = unit == 8 and beats % 3 == 0
    return _IN_TIME_OF.get(notes, 3 if compound else 2)


def is_double(sign: str) -> bool:
    """Whether a bar line is a double one; `[|]` is an invisible one.

    >>> [is_double(sign) for sign in ("||", "|]", "[|", "|", "[|]")]
    [True, True, True, False, False]
    """
    return _DOUBLE_BAR.search(sign) is not None and sign != "[|]"


@lru_cache(maxsize=1024)
def count_rest_bars(number: str | None, num_symbols: int, line: int) -> int:
    """The bars of a rest of whole bars, after so many symbols of a tune.

    Raises:
        AbcSyntaxError: the tune would have more bars than anyone plays.
    """
    num_bars = int(number or 1)
    if num_bars + num_symbols > _MAX_SYMBOLS:
        raise AbcSyntaxError(f"a rest (Z) after which the tune has too many bars: {num_bars}", line)
    return num_bars


def parse_length(text: str, above: str, slashes: str, below: str) -> Fraction:
    """A length in unit notes; `/` halves, `//` quarters, `/3` thirds.

    Raises:
        ValueError: no length, or none that takes time.
    """
    if below and not slashes:
        raise ValueError(f"{text!r}, whose length has more than four digits")
    if below and len(slashes) > 1:
        raise ValueError(f"{text!r}, whose length has a number after {len(slashes)} slashes")
    divisor = int(below) if below else 2 ** len(slashes)
    if not divisor or above.strip("0") == "" != above:
        raise ValueError(f"{text!r}, which takes no time")
    return Fraction(int(above or 1), divisor)


def explain_fault(text: str, place: int) -> str:
    """Why nothing can be read at a place.

    >>> explain_fault("A ^/B", 2)
    'a microtone, which is unsupported'
    """
    for pattern, reason in _FAULTS:
        if re.match(pattern, text[place:]):
            return reason
    return f"{text[place]!r}, which means nothing here"


def add_bar_line(symbols: list[Symbol], bar: BarLineSymbol) -> None:
    """Append a bar line to symbols, joined to one just before it."""
    last = symbols[-1] if symbols else None
    if isinstance(last, BarLineSymbol):
        bar = replace(
            last,
            closes=last.closes or bar.closes,
            opens=last.opens or bar.opens,
            ending=bar.ending or last.ending,
            is_double=last.is_double or bar.is_double,
        )
        symbols.pop()
    symbols.append(bar)


def leaves_ending_open(symbols: Sequence[Symbol], number: int) -> bool:
    """Whether the ending before the one of this number has no repeat sign at its end."""
    for symbol in reversed(symbols):
        if isinstance(symbol, BarLineSymbol):
            if symbol.closes or symbol.opens:
                return False
            if symbol.ending:
                return int(symbol.ending[0]) < number
    return False
