"""One tune as one line of tokens, from ABC and back.

The manner is that of folk-rnn's second data set (Sturm et al. 2016, "Music transcription modelling
and composition using deep learning"): meter, mode, then the body, on a root of C and in eighths.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from sluice.tunes.errors import AbcSyntaxError, InvalidTokensError, TuneError
from sluice.tunes.notation import score
from sluice.tunes.notation.abc_body import (
    BarLineSymbol,
    GapSymbol,
    SoundSymbol,
    Symbol,
    TupletSymbol,
    read_music,
    tuplet_time,
)
from sluice.tunes.notation.abc_file import Block
from sluice.tunes.theory.dances import default_tempo, guess_rhythm
from sluice.tunes.theory.keys import Key


@dataclass(frozen=True)
class Tune:
    """A tune as tokens, the key and tempo it is written in, and where it came from.

    >>> tune = Tune(tuple("M:6/8 K:Cmaj |: c 2 e g 3 :|".split()), title="A jig")
    >>> tune.meter, tune.mode, len(tune.score.bars)
    ('6/8', 'maj', 1)

    Attributes:
        tokens: meter, mode and body, on a root of C.
        rhythm: the kind of dance, such as `jig`, or nothing.
        tonic: the root that it is written and sounds in, such as `D` or `F#`.
        octave: octaves up from where `Key.interval` takes the tonic.
        tempo: beats a minute (`dances.beat`); that of the dance if None.
        chords: whether chords are written above it and played with it.
    """

    tokens: tuple[str, ...]
    title: str = ""
    source: str = ""
    line: int = 0
    rhythm: str = ""
    tonic: str = "C"
    octave: int = 0
    tempo: int | None = None
    chords: bool = False

    @property
    def meter(self) -> str:
        return self.tokens[0].removeprefix("M:")

    @property
    def mode(self) -> str:
        return self.tokens[1].removeprefix("K:C")

    @property
    def key(self) -> Key:
        return Key.of(self.tonic, self.mode)

    @property
    def interval(self) -> tuple[int, int]:
        """Letters and semitones from the tokens' root of C to where the tune sounds."""
        letters, semitones = self.key.interval
        return 7 * self.octave - letters, 12 * self.octave - semitones

    @property
    def beats_per_minute(self) -> int:
        return self.tempo or default_tempo(self.rhythm, self.meter)

    @property
    def score(self) -> score.Score:
        """Its music on a root of C, read afresh.

        Raises:
            BadTokens: the tokens spell no tune.
        """
        return score.parse(self.tokens)

    def with_presentation(self, title: str | None, tempo: int | None, chords: bool) -> Tune:
        """With another title and tempo where they are given, and with chords or without.

        Raises:
            TuneError: a tempo that is none.
        """
        if tempo is not None and not 20 <= tempo <= 400:
            raise TuneError(f"The tempo is 20 to 400 beats a minute, but {tempo} came.")
        return replace(
            self, title=title or self.title, tempo=tempo or self.beats_per_minute, chords=chords
        )

    def abc(self, number: int = 1) -> str:
        """The tune in ABC, ending in a line break; `number` is its X: field."""
        from sluice.tunes.export.abc import to_abc

        return to_abc(self, number)

    def midi(self) -> bytes:
        """The tune as a MIDI file (`sluice.tunes.midi`)."""
        from sluice.tunes.export.midi import to_midi

        return to_midi(self)

    def svg(self) -> str:
        """The score as a picture (`sluice.tunes.engraving`)."""
        from sluice.tunes.export.engraving import to_svg

        return to_svg(self)

    def pdf(self) -> bytes:
        """The score on a page (`sluice.tunes.engraving`)."""
        from sluice.tunes.export.engraving import to_pdf

        return to_pdf(self)

    def wav(self) -> bytes:
        """The tune played (`sluice.tunes.sound`)."""
        from sluice.tunes.export.synthesis import to_wav

        return to_wav(self)

    def ogg(self) -> bytes:
        """The tune played, in a small file (`sluice.tunes.sound`)."""
        from sluice.tunes.export.synthesis import to_ogg

        return to_ogg(self)


GAP = "*"


def from_abc(block: Block, gaps: bool = False) -> Tune:
    """Read one tune of an ABC file; a `*` in it becomes the token `GAP` if `gaps`.

    Raises:
        BadMusic: what cannot be read, and on which line.
    """
    header = block.parse_header()
    meter, symbols = read_music(header, block.music_lines(), gaps)
    head = [(f"M:{meter}", block.line), (f"K:C{header.key.mode}", block.line)]
    placed = head + list(_build_tokens(symbols, meter, header.key))
    tokens = tuple(token for token, _ in placed)
    try:
        score.parse(["z" if token == GAP else token for token in tokens])
    except InvalidTokensError as error:
        place = min(error.position, len(placed) - 1)
        raise AbcSyntaxError(error.reason, placed[place][1]) from None
    rhythm = " ".join(header.rhythm.lower().split()).replace("slipjig", "slip jig")
    tonic = header.key.tonic
    rhythm = rhythm or guess_rhythm(meter)
    return Tune(tokens, block.title, block.source, block.line, rhythm, tonic)


def _build_tokens(symbols: Sequence[Symbol], meter: str, key: Key) -> Iterator[tuple[str, int]]:
    """The tokens after meter and mode, each with its line; a last bar line is added if missing."""
    for place, symbol in enumerate(symbols):
        if isinstance(symbol, BarLineSymbol):
            spelt = _spell_bar(symbol, first=place == 0)
        elif isinstance(symbol, SoundSymbol):
            spelt = _spell_sound(symbol, key)
        elif isinstance(symbol, TupletSymbol):
            spelt = _spell_tuplet(symbol, meter)
        elif isinstance(symbol, GapSymbol):
            spelt = [GAP]
        else:
            meter = symbol.meter
            spelt = [f"M:{meter}"]
        for token in spelt:
            yield token, symbol.line
    if symbols and not isinstance(symbols[-1], BarLineSymbol):
        yield "|", symbols[-1].line


def _spell_bar(bar: BarLineSymbol, first: bool) -> list[str]:
    """Repeats and endings; nothing closes, and no plain bar line stands, before the first note."""
    closes = bar.closes and not first
    ending = [f"|{bar.ending}"] if bar.ending else []
    if closes or bar.opens:
        return [(":" if closes else "|") + (":" if bar.opens else "|"), *ending]
    return ending or ([] if first else ["|"])


def _spell_tuplet(tuplet: TupletSymbol, meter: str) -> list[str]:
    plain = (tuplet_time(tuplet.notes, meter), tuplet.notes)
    if (tuplet.time, tuplet.events) == plain:
        return [f"({tuplet.notes}"]
    return [f"({tuplet.notes}:{tuplet.time}:{tuplet.events}"]


def _spell_sound(sound: SoundSymbol, key: Key) -> list[str]:
    pitches = [pitch.transpose(*key.interval).token for pitch in sound.pitches] or ["z"]
    if len(pitches) > 1:
        pitches = ["[", *pitches, "]"]
    tie = ["-"] if sound.is_tied else []
    return pitches + _spell_duration(sound.duration) + tie


def _spell_duration(duration: Fraction) -> list[str]:
    if duration == 1:
        return []
    above = "" if duration.numerator == 1 else str(duration.numerator)
    below = "" if duration.denominator == 1 else f"/{duration.denominator}"
    return [above + below]
