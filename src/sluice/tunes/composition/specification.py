"""What a composed tune shall be like, and how it is written and played."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sluice.tunes.composition.prompts import Prompt, PromptReading
from sluice.tunes.composition.sampling import DrawnTune, TuneRequest
from sluice.tunes.composition.titles import generate_title
from sluice.tunes.composition.transposition import choose_tonic, transpose
from sluice.tunes.theory.dances import guess_rhythm, normalise_dance
from sluice.tunes.theory.keys import Key
from sluice.tunes.tune import Tune


@dataclass(frozen=True)
class TuneSpecification:
    """What a tune shall be like: what a model is asked for, and how its answer becomes a tune.

    Attributes:
        request: what the model is asked for.
        prompt: what it begins with.
        reading: the notes of the prompt, if it has some.
        key: the key asked for, or that of the prompt.
        dance: the dance asked for.
        title, tempo, chords, swing, instrument: as for `Composer.compose`.
    """

    request: TuneRequest
    prompt: Prompt | None = None
    reading: PromptReading | None = None
    key: Key | None = None
    dance: str | None = None
    title: str | None = None
    tempo: int | None = None
    chords: bool = False
    swing: float | None = None
    instrument: str = "flute"

    def begin_tune(self, drawn: DrawnTune, seed: int) -> Tune:
        """The tune as far as it is drawn, from dance, meter and mode on: its name, key and so on.

        It is in octave 0, without chords.
        """
        rhythm = normalise_dance(self.dance) if self.dance else drawn.rhythm
        tune = Tune(drawn.tokens, generate_title(seed), seed=seed)
        tune = replace(tune, rhythm=rhythm or guess_rhythm(tune.meter))
        tempo = self.prompt.read_tempo(tune.meter) if self.prompt else None
        tune = tune.with_presentation(
            self.title or (self.prompt.title if self.prompt else None),
            self.tempo or tempo,
            chords=False,
            swing=self.swing,
            instrument=self.instrument,
        )
        tonic = self.key.tonic if self.key else choose_tonic(tune.mode, seed)
        return replace(tune, tonic=tonic)

    def build_tune(self, drawn: DrawnTune, seed: int) -> Tune:
        """The tune when it is complete; a prompt stays in the octave that it was given in."""
        tune = replace(self.begin_tune(drawn, seed), chords=self.chords)
        if self.reading is not None:
            return replace(tune, annotations=self.reading.annotations)
        return transpose(tune, tune.tonic, seed)
