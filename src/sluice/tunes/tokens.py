"""One tune as one line of tokens, from ABC and back.

The manner is that of folk-rnn's second data set (Sturm et al. 2016, "Music transcription modelling
and composition using deep learning"): meter, mode, then the body, on a root of C and in eighths.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from sluice.tunes import score
from sluice.tunes.abc import Block
from sluice.tunes.errors import BadMusic, BadTokens
from sluice.tunes.keys import Key, Pitch
from sluice.tunes.music import BarLine, Sound, Symbol, Tuplet, read_music, tuplet_time

_BARS_A_LINE = 4
_RHYTHM_BY_METER = {
    "6/8": "jig",
    "9/8": "slip jig",
    "12/8": "slide",
    "3/4": "waltz",
    "3/8": "waltz",
    "2/4": "march",
    "4/4": "reel",
    "2/2": "reel",
}


@dataclass(frozen=True)
class Tune:
    """A tune as tokens, and where it came from.

    >>> tune = Tune(tuple("M:6/8 K:Cmaj |: c 2 e g 3 :|".split()), title="A jig")
    >>> tune.meter, tune.mode, len(tune.score.bars)
    ('6/8', 'maj', 1)
    """

    tokens: tuple[str, ...]
    title: str = ""
    source: str = ""
    line: int = 0
    rhythm: str = ""

    @property
    def meter(self) -> str:
        return self.tokens[0].removeprefix("M:")

    @property
    def mode(self) -> str:
        return self.tokens[1].removeprefix("K:C")

    @property
    def score(self) -> score.Score:
        """Its music, read afresh.

        Raises:
            BadTokens: the tokens spell no tune.
        """
        return score.parse(self.tokens)

    def abc(self, number: int = 1) -> str:
        """The tune in ABC, ending in a line break; `number` is its X: field."""
        return to_abc(self.tokens, number=number, title=self.title, rhythm=self.rhythm)


def from_abc(block: Block) -> Tune:
    """Read one tune of an ABC file.

    Raises:
        BadMusic: what cannot be read, and on which line.
    """
    header = block.header()
    meter, symbols = read_music(header, block.music())
    head = [(f"M:{meter}", block.line), (f"K:C{header.key.mode}", block.line)]
    placed = head + list(_body(symbols, meter, header.key))
    tokens = tuple(token for token, _ in placed)
    try:
        score.parse(tokens)
    except BadTokens as error:
        place = min(error.place, len(placed) - 1)
        raise BadMusic(error.reason, placed[place][1]) from None
    rhythm = " ".join(header.rhythm.lower().split()).replace("slipjig", "slip jig")
    return Tune(tokens, block.title, block.source, block.line, rhythm or guess_rhythm(meter))


def guess_rhythm(meter: str) -> str:
    """The dance that a meter most often means in these collections, or none."""
    return _RHYTHM_BY_METER.get(meter, "")


def _body(symbols: Sequence[Symbol], meter: str, key: Key) -> Iterator[tuple[str, int]]:
    """The tokens after meter and mode, each with its line; a last bar line is added if missing."""
    for place, symbol in enumerate(symbols):
        if isinstance(symbol, BarLine):
            spelt = _spell_bar(symbol, first=place == 0)
        elif isinstance(symbol, Sound):
            spelt = _spell_sound(symbol, key)
        elif isinstance(symbol, Tuplet):
            spelt = _spell_tuplet(symbol, meter)
        else:
            meter = symbol.meter
            spelt = [f"M:{meter}"]
        for token in spelt:
            yield token, symbol.line
    if symbols and not isinstance(symbols[-1], BarLine):
        yield "|", symbols[-1].line


def _spell_bar(bar: BarLine, first: bool) -> list[str]:
    """Repeats and endings; nothing closes, and no plain bar line stands, before the first note."""
    closes = bar.closes and not first
    ending = [f"|{bar.ending}"] if bar.ending else []
    if closes or bar.opens:
        return [(":" if closes else "|") + (":" if bar.opens else "|"), *ending]
    return ending or ([] if first else ["|"])


def _spell_tuplet(tuplet: Tuplet, meter: str) -> list[str]:
    plain = (tuplet_time(tuplet.notes, meter), tuplet.notes)
    if (tuplet.time, tuplet.reach) == plain:
        return [f"({tuplet.notes}"]
    return [f"({tuplet.notes}:{tuplet.time}:{tuplet.reach}"]


def _spell_sound(sound: Sound, key: Key) -> list[str]:
    pitches = [pitch.moved(*key.interval).token for pitch in sound.pitches] or ["z"]
    if len(pitches) > 1:
        pitches = ["[", *pitches, "]"]
    tie = ["-"] if sound.tied else []
    return pitches + _spell_duration(sound.duration) + tie


def _spell_duration(duration: Fraction) -> list[str]:
    if duration == 1:
        return []
    above = "" if duration.numerator == 1 else str(duration.numerator)
    below = "" if duration.denominator == 1 else f"/{duration.denominator}"
    return [above + below]


def to_abc(tokens: Sequence[str], number: int = 1, title: str = "", rhythm: str = "") -> str:
    """A tune in ABC, in C and in eighths, ending in a line break.

    An accidental is written where the key and the bar do not already say it. Reading the text
    gives the tokens back where they are what reading gives (`from_abc`), so that ABC to tokens
    to ABC changes nothing the second time.

    Raises:
        BadTokens: the tokens spell no tune.
    """
    music = score.parse(tokens)
    head = [f"X:{number}", f"T:{' '.join(title.split()) or 'Untitled'}"]
    head += [f"R:{rhythm}"] if rhythm else []
    head += [f"M:{music.meter}", "L:1/8", f"K:C{music.mode}"]
    return "\n".join([*head, *_Writer(tokens, music).lines(), ""])


class _Writer:
    def __init__(self, tokens: Sequence[str], music: score.Score) -> None:
        self.tokens, self.meter = tokens, music.meter
        self.durations = iter([event.duration for event in music.events])
        self.signature = Key.of("C", music.mode).signature
        self.by_letter: dict[str, int] = {}
        self.by_step: dict[int, int] = {}
        self.in_chord = False
        self.passed = Fraction(0)

    def lines(self) -> list[str]:
        """Four bars to a line."""
        body = ["", *self.tokens[2:], ""]
        pieces, bars = [], 0
        for before, token, after in zip(body, body[1:-1], body[2:], strict=False):
            pieces.append(self._piece(before, token))
            if _is_bar(token) and before and after and not _is_bar(after):
                bars += 1
                pieces.append("" if bars % _BARS_A_LINE else "\n")
        return "".join(pieces).split("\n")

    def _piece(self, before: str, token: str) -> str:
        if _is_bar(token):
            return self._bar(before, token)
        if match := score.METER.fullmatch(token):
            self.meter = match[1]
            return f"[{token}]"
        if token in ("]", "-") or score.DURATION.fullmatch(token):
            self.in_chord = self.in_chord and token != "]"
            return token
        space = "" if self.in_chord or score.TUPLET.fullmatch(before) else self._space()
        return space + self._element(token)

    def _bar(self, before: str, token: str) -> str:
        self.by_letter, self.by_step, self.passed = {}, {}, Fraction(0)
        if not token[-1].isdigit():
            return token
        return ("[" + token[1:] if _is_bar(before) else token) + " "

    def _space(self) -> str:
        """Notes are written together within a beat."""
        beats, unit = map(int, self.meter.split("/"))
        beat = 3 if unit == 8 and beats % 3 == 0 else Fraction(8, unit)
        return " " if self.passed and self.passed % beat == 0 else ""

    def _element(self, token: str) -> str:
        if score.TUPLET.fullmatch(token):
            return token
        if not self.in_chord:
            self.passed += next(self.durations)
        if token in ("[", "z"):
            self.in_chord = token == "["
            return token
        return self._note(Pitch.parse(token)[0])

    def _note(self, pitch: Pitch) -> str:
        """A sign unless it is clear without, whether accidentals hold in one octave or in all."""
        in_key = self.signature.get(pitch.letter, 0)
        in_all = self.by_letter.get(pitch.letter, in_key)
        in_octave = self.by_step.get(pitch.step, in_key)
        if in_all == in_octave == pitch.alter:
            return pitch.bare
        self.by_letter[pitch.letter] = self.by_step[pitch.step] = pitch.alter
        return pitch.sign + pitch.bare


def _is_bar(token: str) -> bool:
    return score.BAR_LINE.fullmatch(token) is not None
