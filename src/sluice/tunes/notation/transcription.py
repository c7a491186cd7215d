"""One tune as one line of tokens, from ABC and back.

The manner is that of folk-rnn's second data set (Sturm et al. 2016, "Music transcription modelling
and composition using deep learning"): meter, mode, then the body, on a root of C and in eighths.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from sluice.tunes.errors import AbcSyntaxError, InvalidTokensError
from sluice.tunes.notation import score
from sluice.tunes.notation.abc_annotations import align_lines, collect_annotations
from sluice.tunes.notation.abc_body import read_music
from sluice.tunes.notation.abc_file import Block
from sluice.tunes.notation.abc_symbols import (
    BarLineSymbol,
    GapSymbol,
    SoundSymbol,
    Symbol,
    TupletSymbol,
    tuplet_time,
)
from sluice.tunes.notation.annotations import Annotation, Annotations, transpose_annotation
from sluice.tunes.notation.header_fields import Fields
from sluice.tunes.notation.parts import TunePart, order_bars, place_parts
from sluice.tunes.notation.remarks import Remark
from sluice.tunes.notation.score import Bar
from sluice.tunes.theory.dances import check_swing, default_swing, default_tempo
from sluice.tunes.theory.keys import Key
from sluice.tunes.theory.tempo import parse_tempo

GAP = "*"


@dataclass(frozen=True)
class Transcription:
    """A tune as tokens, and the key and tempo it is written in.

    Attributes:
        tokens: meter, mode and body, on a root of C.
        title: its name.
        source: the file that it was read from.
        line: where it begins in that file, from 1.
        rhythm: the kind of dance, such as `jig`, or nothing.
        tonic: the root that it is written and sounds in, such as `D` or `F#`.
        octave: octaves up from where `Key.interval` takes the tonic.
        tempo: beats per minute (`dances.beat_length`); that of the dance if None.
        chords: whether chords are written above it and played with it.
        parts: its parts (`P:` in the body), each from a bar on.
        part_order: a letter for each part as played (`P:` in the header); as written if empty.
        swing: how many times longer the first of two even notes is played than the second; that of
            the dance if None. The notation stays even.
        instrument: what plays the melody, one of `sluice.tunes.export.instruments.INSTRUMENTS`.
        fields: its fields of text (composer, source, further titles, words after it) in order.
        annotations: chord symbols, decorations, grace notes and slurs by event of `score.events`,
            on a root of C as the tokens are.
        lyrics: verses, each with the syllable of every event (`sluice.tunes.notation.lyrics`).
        remarks: what reading it left out, or took in another way than written.
        seed: of a composed tune: what `Composer.compose` composes it again from, alone.
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
    parts: tuple[TunePart, ...] = ()
    part_order: str = ""
    swing: float | None = None
    instrument: str = "flute"
    fields: Fields = ()
    annotations: Mapping[int, Annotation] = Annotations()
    lyrics: tuple[tuple[str, ...], ...] = ()
    remarks: tuple[Remark, ...] = field(default=(), compare=False)
    seed: int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "annotations", Annotations(self.annotations))

    @property
    def meter(self) -> str:
        """As in `6/8`."""
        return self.tokens[0].removeprefix("M:")

    @property
    def mode(self) -> str:
        """One of `keys.MODES`."""
        return self.tokens[1].removeprefix("K:C")

    @property
    def key(self) -> Key:
        """The key that it is written in."""
        return Key.of(self.tonic, self.mode)

    @property
    def interval(self) -> tuple[int, int]:
        """Letters and semitones from the tokens' root of C to where the tune sounds."""
        letters, semitones = self.key.interval
        return 7 * self.octave - letters, 12 * self.octave - semitones

    @property
    def written_annotations(self) -> Annotations:
        """The annotations in the key that it is written in."""
        return Annotations(
            (event, Annotation(*(transpose_annotation(text, *self.interval) for text in note)))
            for event, note in self.annotations.items()
        )

    @property
    def beats_per_minute(self) -> int:
        """The tempo, or the default of the dance."""
        return self.tempo or default_tempo(self.rhythm, self.meter)

    @property
    def swing_ratio(self) -> float:
        """The swing, or the default of the dance.

        Raises:
            TuneError: a swing out of range.
        """
        return default_swing(self.rhythm) if self.swing is None else check_swing(self.swing)

    @property
    def score(self) -> score.Score:
        """Its music on a root of C, parsed at every access.

        Raises:
            InvalidTokensError: the tokens are no valid tune.
        """
        return score.parse(self.tokens)

    @property
    def played_bars(self) -> list[Bar]:
        """Its bars in the order in which they sound: parts, repeats and endings played.

        Raises:
            InvalidTokensError: the tokens are no valid tune.
        """
        return order_bars(self.score.bars, self.parts, self.part_order)


def transcribe(block: Block, gaps: bool = False) -> Transcription:
    """Read one tune of an ABC file; a `*` in it becomes the token `GAP` if `gaps`.

    Raises:
        AbcSyntaxError: what cannot be read, and on which line.
    """
    header = block.parse_header()
    music = read_music(header, block.music_lines(), gaps)
    head = [(f"M:{music.meter}", block.line), (f"K:C{header.sounding_key.mode}", block.line)]
    placed = head + list(_build_tokens(music.symbols, music.meter, header.sounding_key))
    tokens = tuple(token for token, _ in placed)
    try:
        read = score.parse(["z" if token == GAP else token for token in tokens])
    except InvalidTokensError as error:
        place = min(error.position, len(placed) - 1)
        raise AbcSyntaxError(error.reason, placed[place][1]) from None
    rhythm = " ".join(header.rhythm.lower().split()).replace("slipjig", "slip jig")
    parts, misplaced = place_parts(music.parts, read.bars)
    tempo, untimed = _read_tempo([*header.tempos, *music.tempos], music.meter, header.unit_length)
    lyrics, marks, misaligned = align_lines(music.symbols, music.lines_below)
    return Transcription(
        tokens,
        block.title,
        block.source,
        block.line,
        rhythm,
        header.sounding_key.tonic,
        tempo=tempo,
        parts=parts,
        part_order=header.part_order,
        fields=block.text_fields(),
        annotations=collect_annotations(music.symbols, marks, header.sounding_key),
        lyrics=lyrics,
        remarks=(
            *block.remarks,
            *header.remarks,
            *music.remarks,
            *misplaced,
            *misaligned,
            *untimed,
        ),
    )


def ends_with_bar_line(block: Block) -> bool:
    """Whether the music of a tune ends with a bar line as written; reading adds one if not.

    Raises:
        AbcSyntaxError: what cannot be read, and on which line.
    """
    symbols = read_music(block.parse_header(), block.music_lines()).symbols
    return bool(symbols) and isinstance(symbols[-1], BarLineSymbol)


def _read_tempo(
    fields: Sequence[tuple[str, int]], meter: str, unit_length: Fraction
) -> tuple[int | None, list[Remark]]:
    """The last tempo that the values and lines of Q: give, and remarks on the others."""
    tempo, remarks = None, []
    for value, line in fields:
        try:
            tempo = parse_tempo(value, meter, unit_length)
        except ValueError as error:
            remarks.append(Remark(f"{error}, left out", line))
    return tempo, remarks


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
    """Repeats, endings and double bars; nothing ends before the first note."""
    closes = bar.closes and not first
    ending = [f"|{bar.ending}"] if bar.ending else []
    if closes or bar.opens:
        return [(":" if closes else "|") + (":" if bar.opens else "|"), *ending]
    if bar.is_double and not first:
        return ["||", *ending]
    return ending or ([] if first else ["|"])


def _spell_tuplet(tuplet: TupletSymbol, meter: str) -> list[str]:
    plain = (tuplet_time(tuplet.notes, meter), tuplet.notes)
    if (tuplet.time, tuplet.events) == plain:
        return [f"({tuplet.notes}"]
    return [f"({tuplet.notes}:{tuplet.time}:{tuplet.events}"]


def _spell_sound(sound: SoundSymbol, key: Key) -> list[str]:
    spelt = [pitch.transpose(*key.interval).token for pitch in sound.pitches] or ["z"]
    tie = ["-"] if sound.tied_pitches else []
    if len(spelt) > 1:
        if tie and not set(sound.pitches) <= set(sound.tied_pitches):
            each = zip(sound.pitches, spelt, strict=True)
            spelt = [s for p, token in each for s in (token, *tie * (p in sound.tied_pitches))]
            tie = []
        spelt = ["[", *spelt, "]"]
    return spelt + _spell_duration(sound.duration) + tie


def _spell_duration(duration: Fraction) -> list[str]:
    if duration == 1:
        return []
    above = "" if duration.numerator == 1 else str(duration.numerator)
    below = "" if duration.denominator == 1 else f"/{duration.denominator}"
    return [above + below]
