"""The beginning of a tune that a model continues: fields, notes and gaps, in ABC."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple, NoReturn

from sluice.tunes.composition.transposition import parse_key as parse_option
from sluice.tunes.errors import AbcSyntaxError, TuneError
from sluice.tunes.notation import abc_file
from sluice.tunes.notation.abc_fields import parse_key, parse_meter, parse_unit
from sluice.tunes.notation.abc_lines import Line, is_prose
from sluice.tunes.notation.abc_symbols import ANY, LEXERS, explain_fault
from sluice.tunes.notation.annotations import Annotations
from sluice.tunes.notation.transcription import GAP, Transcription, transcribe
from sluice.tunes.theory.dances import normalise_dance
from sluice.tunes.theory.keys import Key
from sluice.tunes.theory.tempo import parse_tempo

_COMMENT = re.compile(r"(?<!\\)%.*")
_LINE_BREAK = re.compile(r"\r\n?|\n")
_INLINE_FIELD = re.compile(r"\s*\[([A-Za-z]):([^\]]*)\]")
_PLACEHOLDER = "C"
"""Read in place of a gap, so that its length and what surrounds it have a note."""
_LENGTH = re.compile(r"\d*(?:/+\d*)?")
_HEADER_FIELDS = "XTRMLQK"
_BODY_FIELDS = "KLM"
_STANDARD_DECORATIONS = ".~HLMOPSTuvy!+"
_KEY = (
    r"(?:[A-G][#b♯♭]?\s*(?:(?i:maj|min|m|dor|mix|phr|lyd|loc|aeo|ion)[a-z]*)?|none|H[Pp])"
    r"(?:\s+(?:exp|[_^=]{1,2}[A-Ga-g]|[a-z]+=\S+|(?:treble|bass|tenor|alto)\S*))*"
)
_ONE_VALUE = {
    "M": re.compile(r"\(?[\d+]+\)?/\d+|C\|?|none"),
    "L": re.compile(r"\d+/\d+|1"),
    "K": re.compile(_KEY),
}
"""Nothing else may follow in the line, notes least of all."""
_EXAMPLES = {"M": "[M:6/8]", "L": "[L:1/8]", "K": "[K:Em]"}


class _Place(NamedTuple):
    """A line and a character, both from 1."""

    line: int
    character: int


class PromptReading(NamedTuple):
    """A prompt in a meter and key.

    Attributes:
        tokens: of the tune so far: meter, mode and body; some note in place of each gap.
        gaps: the places of gaps among them.
        annotations: of its notes, by event.
    """

    tokens: tuple[str, ...]
    gaps: tuple[int, ...]
    annotations: Annotations


@dataclass(frozen=True)
class Prompt:
    """The beginning of a tune in ABC, to be continued.

    In front of the notes fields may stand, on lines of their own or in brackets: `M:`, `K:`, `R:`,
    `L:`, `Q:`, `T:` (and `X:`, which means nothing). Without `L:` lengths are in eighths. A `*` is
    one note or rest of any pitch, of the length that follows it, as in `*2`.

    Attributes:
        text: as given.
        fields: the values of the fields in front, by their letters.
        lines: the lines of music, each with its number.
        ends_with_bar_line: whether the last symbol is a bar line.

    >>> prompt = Prompt.parse("[M:6/8][K:Em]G2*F*2|")
    >>> prompt.meter, prompt.key.name, " ".join(prompt.read("6/8", prompt.key).tokens)
    ('6/8', 'Em', 'M:6/8 K:Cmin _E 2 _A, D _A, 2 |')
    """

    text: str
    fields: Mapping[str, str] = field(default_factory=dict)
    lines: tuple[Line, ...] = ()
    ends_with_bar_line: bool = False

    @classmethod
    def parse(cls, text: str) -> Prompt:
        """Read a prompt.

        Raises:
            TuneError: no music, or something that means nothing, with its place.
        """
        return _PromptParser(text).parse()

    @property
    def has_notes(self) -> bool:
        """Whether it is more than fields."""
        return bool(self.lines)

    @property
    def meter(self) -> str | None:
        """The value of `M:`."""
        return parse_meter(self.fields["M"], 1) if "M" in self.fields else None

    @property
    def key(self) -> Key | None:
        """The value of `K:`, as it sounds."""
        if "K" not in self.fields:
            return None
        header = self._build_header("4/4", self.fields["K"])
        return abc_file.split_blocks(header + "C|\n", "the prompt")[0].parse_header().sounding_key

    @property
    def dance(self) -> str | None:
        """The value of `R:`."""
        return self.fields.get("R")

    @property
    def title(self) -> str | None:
        """The value of `T:`."""
        return self.fields.get("T")

    @property
    def unit_length(self) -> Fraction:
        """The unit note length, in whole notes."""
        return parse_unit(self.fields["L"], 1, "4/4") if "L" in self.fields else Fraction(1, 8)

    def read_tempo(self, meter: str) -> int | None:
        """Beats of the meter per minute, where there is a `Q:`.

        Raises:
            TuneError: no tempo.
        """
        if "Q" not in self.fields:
            return None
        try:
            return parse_tempo(self.fields["Q"], meter, self.unit_length)
        except ValueError as error:
            raise TuneError(
                f"Q: in the prompt must be as in Q:1/4=120, got {self.fields['Q']!r}: {error}."
            ) from None

    def read(self, meter: str, key: Key) -> PromptReading:
        """Its notes in a meter and a key, which are its own where it has some.

        Raises:
            TuneError: music that cannot be read, or is left out of tunes.
        """
        with_gaps = self._transcribe(meter, key, f"{GAP}{_PLACEHOLDER}")
        tokens = list(with_gaps.tokens)
        gaps = []
        while GAP in tokens:
            place = tokens.index(GAP)
            del tokens[place]
            gaps.append(place)
        if not self.ends_with_bar_line:
            tokens.pop()  # which reading adds
        annotations = self._transcribe(meter, key, _PLACEHOLDER).annotations
        return PromptReading(tuple(tokens), tuple(gaps), Annotations(annotations))

    def _transcribe(self, meter: str, key: Key, gap: str) -> Transcription:
        value = self.fields.get("K", f"{key.tonic}{key.mode}")
        header = self._build_header(meter, value)
        music = "\n".join(_write_gaps(line.text, gap) for line in self.lines)
        offset = header.count("\n")
        try:
            (block,) = abc_file.split_blocks(f"{header}{music}\n", "the prompt")
            found = transcribe(block, gaps=True)
        except AbcSyntaxError as error:
            self._refuse(str(error), error.line - offset)
        for remark in found.remarks:
            self._refuse(remark.kind.removesuffix(", left out"), remark.line - offset)
        return found

    def _build_header(self, meter: str, key: str) -> str:
        unit = self.unit_length
        return f"X:1\nT:prompt\nM:{meter}\nL:{unit.numerator}/{unit.denominator}\nK:{key}\n"

    def _refuse(self, reason: str, place: int) -> NoReturn:
        lines = [line.number for line in self.lines]
        number = lines[min(max(place, 1), len(lines)) - 1] if lines else 1
        where = f" in line {number}" if len(_LINE_BREAK.split(self.text.strip())) > 1 else ""
        raise _make_error(self.text, f"{reason}{where}")


def merge_fields(
    prompt: Prompt,
    dance: str | None,
    meter: str | None,
    key: str | None,
    mode: str | None,
    tempo: int | None,
) -> tuple[str | None, str | None, str | None]:
    """Dance, meter and key as options and the prompt's fields say them together.

    Raises:
        TuneError: they contradict each other.
    """
    if prompt.dance and dance and normalise_dance(prompt.dance) != normalise_dance(dance):
        raise _make_contradiction("R", prompt.dance, "dance", dance)
    if prompt.meter and meter and prompt.meter != meter:
        raise _make_contradiction("M", prompt.meter, "meter", meter)
    if tempo is not None and "Q" in prompt.fields:
        raise _make_contradiction("Q", prompt.fields["Q"], "tempo", str(tempo))
    own = prompt.key
    if own is not None:
        asked = None if key is None else parse_option(key, mode)
        if asked is not None and (asked.tonic, asked.mode) != (own.tonic, own.mode):
            raise _make_contradiction("K", own.name, "key", asked.name)
        if mode is not None and mode != own.mode:
            raise _make_contradiction("K", own.name, "mode", mode)
    return dance or prompt.dance, meter or prompt.meter, own.name if own is not None else key


def _make_contradiction(letter: str, value: str, option: str, other: str) -> TuneError:
    return TuneError(
        f"The prompt says {letter}:{value}, but the {option} given is {other}; give one of the two."
    )


def _make_error(text: str, reason: str) -> TuneError:
    return TuneError(f"The prompt must be notes in ABC, got {text[:60]!r}: {reason}.")


def _write_gaps(text: str, gap: str) -> str:
    """A line of music with `gap` for each `*` that is one."""
    found, place = "", 0
    while match := ANY.match(text, place):
        found += gap if match.lastgroup == "gap" else match[0]
        place = match.end()
    return found + text[place:]


class _PromptParser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._fields: dict[str, str] = {}
        self._lines: list[Line] = []
        self._has_note, self._is_in_chord = False, False
        self._last_symbol = ""

    def parse(self) -> Prompt:
        for number, raw in enumerate(_LINE_BREAK.split(self._text), 1):
            text = _COMMENT.sub("", raw)
            if text.strip():
                self._read_line(Line(number, text))
        if not self._fields and not self._lines:
            raise TuneError("The prompt is empty; write the first notes in ABC, or leave it out.")
        if self._lines and not self._has_note:
            raise _make_error(self._text, "it has no note")
        if self._is_in_chord:
            raise _make_error(self._text, "a chord that is not closed")
        ends = self._last_symbol in ("bar", "ending", "number", "colon")
        prompt = Prompt(self._text, self._fields, tuple(self._lines), ends)
        prompt.read_tempo("4/4")
        return prompt

    def _read_line(self, line: Line) -> None:
        if line.field is not None:
            self._read_field(*line.field, _Place(line.number, 1))
            if self._lines:
                self._lines.append(line)
            return
        start = 0
        while not self._lines and (match := _INLINE_FIELD.match(line.text, start)):
            self._read_field(match[1], match[2].strip(), _Place(line.number, start + 1))
            start = match.end()
        text = line.text[start:]
        if not text.strip():
            return
        if is_prose(text):
            self._refuse("words and no music", _Place(line.number, start + 1))
        self._lines.append(Line(line.number, text))
        place = 0
        while place < len(text):
            place = self._read_symbol(text, place, _Place(line.number, start + place + 1))

    def _read_field(self, letter: str, value: str, place: _Place) -> None:
        """A field in front of the music, or, once there is music, one within it."""
        known = _BODY_FIELDS if self._lines else _HEADER_FIELDS
        if letter not in known:
            self._refuse(
                f"a field ({letter}:) that a prompt cannot have; "
                f"it may have {', '.join(f'{one}:' for one in known)}",
                place,
            )
        if letter in _ONE_VALUE and not _ONE_VALUE[letter].fullmatch(value):
            self._refuse(
                f"{letter}:{value} is not a value of {letter}:, which stands on a line of its own "
                f"or in brackets, as in {_EXAMPLES[letter]}",
                place,
            )
        try:
            if letter == "M":
                parse_meter(value, place.line)
            elif letter == "L":
                parse_unit(value, place.line, "4/4")
            elif letter == "K":
                parse_key(value, place.line)
        except AbcSyntaxError as error:
            self._refuse(str(error), place)
        if not self._lines and value:
            self._fields[letter] = value

    def _read_symbol(self, text: str, start: int, place: _Place) -> int:
        match = ANY.match(text, start)
        if match is None:
            self._refuse(explain_fault(text, start), place)
        name = str(match.lastgroup)
        if name == "field":
            inner = LEXERS["field"].match(text, start)
            assert inner is not None
            self._read_field(inner[1], inner[2].strip(), place)
        elif name == "decoration" and match[0][0] not in _STANDARD_DECORATIONS:
            self._refuse(f"{match[0]!r}, which is no note", place)
        elif name == "gap":
            if self._is_in_chord:
                self._refuse("a * within a chord, which is unsupported", place)
            if text[_LENGTH.match(text, match.end()).end() :].startswith("-"):  # type: ignore[union-attr]
                self._refuse("a tie from a *, whose pitch is not known", place)
        elif name == "overlay":
            self._refuse("an overlay (&), which is unsupported", place)
        elif name == "number" and self._last_symbol != "bar":
            self._refuse(f"{match[0]!r}, which means nothing here", place)
        elif name in ("chord", "chord_end"):
            self._is_in_chord = name == "chord"
        self._has_note = self._has_note or name in ("note", "gap")
        self._last_symbol = self._last_symbol if name == "space" else name
        end = match.end()
        return _LENGTH.match(text, end).end() if name == "gap" else end  # type: ignore[union-attr]

    def _refuse(self, reason: str, place: _Place) -> NoReturn:
        several = len(_LINE_BREAK.split(self._text.strip())) > 1
        line = f" of line {place.line}" if several else ""
        raise _make_error(self._text, f"at character {place.character}{line} {reason}")
