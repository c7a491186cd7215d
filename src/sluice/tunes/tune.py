"""A tune that is read from ABC and written as ABC, MIDI, score and sound."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sluice.tunes.errors import TuneError
from sluice.tunes.export.abc_writer import to_abc
from sluice.tunes.export.engraving import to_pdf, to_svg
from sluice.tunes.export.instruments import find_instrument
from sluice.tunes.export.midi import to_midi
from sluice.tunes.export.synthesis import to_ogg, to_wav
from sluice.tunes.notation.abc_file import Block
from sluice.tunes.notation.transcription import Transcription, transcribe
from sluice.tunes.theory.dances import check_swing
from sluice.tunes.theory.tempo import MAX_TEMPO, MIN_TEMPO


@dataclass(frozen=True)
class Tune(Transcription):
    """A tune: its tokens, key and tempo (`Transcription`), and the formats it is written in.

    >>> tune = Tune(tuple("M:6/8 K:Cmaj |: c 2 e g 3 :|".split()), title="A jig")
    >>> tune.meter, tune.mode, len(tune.score.bars)
    ('6/8', 'maj', 1)
    >>> print(tune.abc().splitlines()[-1])
    |:c2e g3:|
    """

    def with_presentation(
        self,
        title: str | None,
        tempo: int | None,
        chords: bool,
        swing: float | None = None,
        instrument: str = "flute",
    ) -> Tune:
        """With another title, tempo and swing where they are given, and with chords or without.

        Raises:
            TuneError: a tempo or swing out of range, or an unknown instrument.
        """
        check_performance(tempo, swing, instrument)
        return replace(
            self,
            title=title or self.title,
            tempo=tempo or self.beats_per_minute,
            chords=chords,
            swing=self.swing if swing is None else swing,
            instrument=instrument,
        )

    def abc(self, number: int = 1) -> str:
        """The tune in ABC, with a line break at the end; `number` is its X: field."""
        return to_abc(self, number)

    def midi(self) -> bytes:
        """The tune as a MIDI file (`sluice.tunes.export.midi`)."""
        return to_midi(self)

    def svg(self) -> str:
        """The score as an SVG image (`sluice.tunes.export.engraving`)."""
        return to_svg(self)

    def pdf(self) -> bytes:
        """The score on a page of A4 (`sluice.tunes.export.engraving`)."""
        return to_pdf(self)

    def wav(self) -> bytes:
        """The sound as WAV (`sluice.tunes.export.synthesis`)."""
        return to_wav(self)

    def ogg(self) -> bytes:
        """The sound as Ogg Vorbis, a smaller file (`sluice.tunes.export.synthesis`)."""
        return to_ogg(self)


def check_performance(tempo: int | None, swing: float | None, instrument: str) -> None:
    """Check how a tune shall be played.

    Raises:
        TuneError: a tempo or swing out of range, or an unknown instrument.
    """
    if tempo is not None and not MIN_TEMPO <= tempo <= MAX_TEMPO:
        raise TuneError(
            f"The tempo must be {MIN_TEMPO} to {MAX_TEMPO} beats per minute, got {tempo}."
        )
    if swing is not None:
        check_swing(swing)
    find_instrument(instrument)


def from_abc(block: Block, gaps: bool = False) -> Tune:
    """Read one tune of an ABC file; a `*` in it becomes the token `GAP` if `gaps`.

    Raises:
        AbcSyntaxError: what cannot be read, and on which line.
    """
    return Tune(**vars(transcribe(block, gaps)))
