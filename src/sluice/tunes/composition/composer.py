"""New tunes, and changes to given ones, by a trained model."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sluice.cached import cached_property
from sluice.files import StrPath
from sluice.sequence import Checkpoint, Sampling
from sluice.sequence.generation.random_numbers import check_seed
from sluice.tunes.composition import gaps, infilling
from sluice.tunes.composition.heads import HeadChooser
from sluice.tunes.composition.inputs import find_checkpoint, strip_last_bar_line
from sluice.tunes.composition.monitor import ProgressCallback, StopCallback
from sluice.tunes.composition.sampling import MAX_LENGTH, TuneRequest, TuneSampler
from sluice.tunes.composition.titles import generate_title
from sluice.tunes.composition.transposition import parse_key, transpose
from sluice.tunes.corpus.index import TuneIndex
from sluice.tunes.corpus.statistics import TuneStatistics, from_dict
from sluice.tunes.errors import AbcSyntaxError, TuneError
from sluice.tunes.notation import abc_file
from sluice.tunes.notation.annotation_edits import replace_tokens
from sluice.tunes.notation.model_tokens import suggest_open_bars
from sluice.tunes.theory.dances import FREE_METER, guess_rhythm, normalise_dance
from sluice.tunes.theory.keys import Key
from sluice.tunes.tune import Tune, check_performance, from_abc


@dataclass(frozen=True)
class Composer:
    """A trained model of tunes.

    Attributes:
        checkpoint: the model and its vocabulary.
        corpus: statistics of the tunes that it was validated on.
    """

    checkpoint: Checkpoint
    corpus: TuneStatistics

    @classmethod
    def load(cls, checkpoint: StrPath | None = None, precision: str = "float32") -> Composer:
        """Read a trained model.

        Args:
            checkpoint: the file; `find_checkpoint()` if None.
            precision: of the kernels' products, `"float32"`, `"bfloat16"` or `"int8"`, whatever
                the model was trained in.

        Raises:
            ValueError: an unknown precision.
            CheckpointError: no such file, truncated, or not a language model.
            TuneError: a language model, but not of tunes; or there is no default file.
        """
        loaded = Checkpoint.load(checkpoint or find_checkpoint())
        loaded.model.layers.precision = precision
        return cls(loaded, from_dict(loaded.metadata.get("corpus", {})))

    @cached_property
    def index(self) -> TuneIndex:
        """An index of the training tunes, to search for copies."""
        lines: list[str] = self.checkpoint.metadata.get("training", [])
        titles: list[str] = self.checkpoint.metadata.get("titles", [])
        return TuneIndex([line.split(" ")[2:] for line in lines], titles)

    def compose(
        self,
        count: int = 1,
        *,
        seed: int = 0,
        temperature: float = 0.9,
        dance: str | None = None,
        meter: str | None = None,
        key: str | None = None,
        mode: str | None = None,
        prompt: str | None = None,
        form: bool = True,
        title: str | None = None,
        tempo: int | None = None,
        chords: bool = False,
        swing: float | None = None,
        instrument: str = "flute",
    ) -> list[Tune]:
        """Compose `count` tunes; the same seed gives the same tunes.

        Each tune has a seed of its own, from `seed` on: `compose(seed=s + 1)` is the second tune of
        `compose(2, seed=s)`. An attempt that gives no complete tune is repeated.

        Args:
            count: how many tunes.
            seed: of the random numbers, from 0.
            temperature: sampling temperature; below 1 safer, above 1 more varied.
            dance: `jig`, `reel`, ... (`dances.DANCES`): sets meter and tempo.
            meter: as in `6/8`; any from the training data if None.
            key: as in `D`, `Em`, `Ador`; a common one of the mode if None.
            mode: `maj`, `min`, `dor`, `mix`, ...; any from the training data if None.
            prompt: the first notes, in ABC, in eighths and in `key` (else on a root of C); the
                tune continues them.
            form: whether the tune has sections of eight bars, each repeated, in which bars recur
                by a plan (`sluice.tunes.grammar.form`). Without it, or where the prompt does not
                fit, the model alone decides.
            title: a generated one if None.
            tempo: beats per minute; that of the dance if None.
            chords: write chords above the notes and play them along.
            swing: how many times longer the first of two even notes is played than the second,
                from 1 (even) to 4; that of the dance if None. The notation stays even.
            instrument: what plays the melody, `flute` or `fiddle`.

        Raises:
            TuneError: an invalid option, a meter, mode or note that is not in the training data,
                a prompt that is not ABC, or no complete tune in twenty attempts.
            SequenceError: a temperature or seed out of range.
        """
        seed = check_seed(seed)
        check_performance(tempo, swing, instrument)
        asked = None if key is None else parse_key(key, mode)
        root = asked or (Key.of("C", mode or "maj") if prompt else None)
        request = TuneRequest(
            self.heads.choose(dance, meter, asked.mode if asked else mode),
            self._encode_prompt(prompt, meter or "4/4", root) if prompt and root else [],
            form,
            Sampling(temperature=temperature, max_length=MAX_LENGTH),
        )
        seeds = range(seed, seed + count)
        tunes = []
        for number, drawn in zip(seeds, self.sampler.draw_tunes(request, seeds), strict=True):
            tune = Tune(drawn.tokens, generate_title(number))
            rhythm = normalise_dance(dance) if dance else drawn.rhythm
            tune = replace(tune, rhythm=rhythm or guess_rhythm(tune.meter))
            tune = tune.with_presentation(title, tempo, chords, swing, instrument)
            if prompt and root:  # the prompt stays in the octave it was given in
                tunes.append(replace(tune, tonic=root.tonic))
            else:
                tunes.append(transpose(tune, root.tonic if root else None, number))
        return tunes

    def extend(self, tune: Tune, temperature: float = 0.9, seed: int = 0) -> Tune:
        """Continue a tune, in its key.

        Raises:
            TuneError: notes that are not in the training data, or no complete tune in twenty
                attempts.
            SequenceError: a temperature or seed out of range.
        """
        known = self._adapt_bar_lines(tune).tokens
        spelling = self.sampler.spelling
        spelt = spelling.encode(known, tune.rhythm, suggest_open_bars(known))
        sampling = Sampling(temperature=temperature, max_length=MAX_LENGTH)
        request = TuneRequest([[number] for number in self.encode(spelt)], sampling=sampling)
        (drawn,) = self.sampler.draw_tunes(request, [seed])
        return replace_tokens(tune, drawn.tokens)

    def fill(
        self,
        tune: Tune,
        temperature: float = 0.9,
        seed: int = 0,
        *,
        on_progress: ProgressCallback | None = None,
        should_stop: StopCallback | None = None,
    ) -> Tune:
        """Fill each gap (`*`) of a tune so that its bar is complete.

        Of many candidates for a gap those are kept after which the rest of the tune is most
        likely.

        Args:
            tune: the tune, with one gap a bar at most.
            temperature: sampling temperature.
            seed: of the random numbers, from 0.
            on_progress: called with the fraction that is done, from 0 to 1.
            should_stop: asked between two tokens whether to stop.

        Raises:
            TuneError: no gap, one in a tuplet, in free meter or in a bar that is full, notes that
                are not in the training data, or no candidate that fits.
            SequenceError: a temperature or seed out of range.
            GenerationCancelledError: `should_stop` returned true.
        """
        seed = check_seed(seed)
        found = gaps.find_gaps(tune)
        return self._infill(tune, found, temperature, seed, on_progress, should_stop)

    def vary(
        self,
        tune: Tune,
        strength: float = 0.3,
        temperature: float = 0.9,
        seed: int = 0,
        *,
        on_progress: ProgressCallback | None = None,
        should_stop: StopCallback | None = None,
    ) -> Tune:
        """Replace some bars of a tune; bars that were equal stay equal.

        Args:
            tune: the tune.
            strength: the share of the bars that change, in (0, 1]. Pickups, last bars of sections,
                and what is tied to another bar do not, nor do bars that are like one of these.
            temperature: sampling temperature.
            seed: of the random numbers, from 0.
            on_progress, should_stop: as for `fill`.

        Raises:
            TuneError: a strength out of range, no bar that could change, notes that are not in
                the training data, or no candidate that fits.
            SequenceError: a temperature or seed out of range.
            GenerationCancelledError: `should_stop` returned true.
        """
        found = gaps.choose_bars(tune, strength, random.Random(check_seed(seed)))
        return self._infill(tune, found, temperature, seed, on_progress, should_stop)

    def _infill(
        self,
        tune: Tune,
        found: Sequence[gaps.Gap],
        temperature: float,
        seed: int,
        on_progress: ProgressCallback | None,
        should_stop: StopCallback | None,
    ) -> Tune:
        vocabulary = self.checkpoint.vocabulary
        spelt = self.sampler.spelling.encode(tune.tokens, tune.rhythm)
        known = [infilling.find_known_line(token, vocabulary) for token in spelt]
        segments = [self.encode(part) for part in gaps.split_at_gaps(known, tune, found)]
        sampling = Sampling(temperature=temperature)
        fillings = self._gap_filler.fill(segments, found, sampling, seed, on_progress, should_stop)
        return replace_tokens(tune, gaps.insert_fillings(tune.tokens, found, fillings))

    @cached_property
    def _gap_filler(self) -> infilling.GapFiller:
        return infilling.GapFiller(self.checkpoint)

    @cached_property
    def sampler(self) -> TuneSampler:
        """Draws tunes from the model under the grammars of its vocabulary."""
        return TuneSampler(self.checkpoint)

    @cached_property
    def heads(self) -> HeadChooser:
        """The dances, meters and modes that the model offers."""
        return HeadChooser(self.checkpoint)

    def _encode_prompt(self, notes: str, meter: str, key: Key) -> list[list[int]]:
        text = f"X:1\nT:prompt\nM:{meter}\nL:1/8\nK:{key.tonic}{key.mode}\n{notes}\n"
        try:
            read = from_abc(abc_file.split_blocks(text, "the prompt")[0])
        except AbcSyntaxError as error:
            raise TuneError(f"The prompt must be notes in ABC, got {notes!r}: {error}.") from None
        tokens = strip_last_bar_line(self._adapt_bar_lines(read).tokens, notes)
        spelt = self.sampler.spelling.encode_body(tokens, suggest_open_bars(tokens))
        return [[number] for number in self.encode(spelt)]

    def _adapt_bar_lines(self, tune: Tune) -> Tune:
        """With plain bar lines for double ones where the model knows none."""
        if "||" in self.checkpoint.vocabulary:
            return tune
        return replace(tune, tokens=tuple("|" if t == "||" else t for t in tune.tokens))

    def encode(self, tokens: Sequence[str]) -> list[int]:
        """The ids of tokens.

        Raises:
            TuneError: one that is not in the training data.
        """
        unknown = [token for token in tokens if token not in self.checkpoint.vocabulary]
        if unknown:
            raise TuneError(_describe_unknown(unknown[0]))
        return self.checkpoint.vocabulary.encode(tokens)


def _describe_unknown(token: str) -> str:
    if not token.startswith("M:"):
        return f"The model was not trained on {token!r} (on a root of C); use other notes."
    meter = token.removeprefix("M:")
    meter = "free meter (M:none)" if meter == FREE_METER else meter
    return f"The model was not trained on tunes in {meter}; use another meter."
