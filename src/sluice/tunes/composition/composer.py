"""New tunes, and changes to given ones, by a trained model."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from sluice.cached import cached_property
from sluice.files import StrPath
from sluice.sequence import Checkpoint, GenerationServer, LanguageModel, Sampling
from sluice.sequence.generation.random_numbers import check_seed
from sluice.tunes.composition import gaps, infilling
from sluice.tunes.composition.fingerprint import compute_fingerprint
from sluice.tunes.composition.heads import HeadChooser
from sluice.tunes.composition.inputs import find_checkpoint
from sluice.tunes.composition.live import TuneStream
from sluice.tunes.composition.monitor import GenerationMonitor, ProgressCallback, StopCallback
from sluice.tunes.composition.prompts import Prompt, merge_fields
from sluice.tunes.composition.sampling import MAX_LENGTH, TuneRequest, TuneSampler
from sluice.tunes.composition.specification import TuneSpecification
from sluice.tunes.composition.transposition import parse_key
from sluice.tunes.composition.tune_encoder import TuneEncoder
from sluice.tunes.corpus.index import TuneIndex
from sluice.tunes.corpus.statistics import TuneStatistics, from_dict
from sluice.tunes.errors import TuneError
from sluice.tunes.notation.annotation_edits import replace_tokens
from sluice.tunes.theory.keys import Key
from sluice.tunes.tune import Tune, check_performance

_USUAL_LENGTH = 150
"""Tokens of a tune."""


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
        loaded = Checkpoint.load(checkpoint or find_checkpoint(), kind=LanguageModel)
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
            prompt: the first notes, in ABC (`sluice.tunes.composition.prompts`); the tune continues
                them. They are in eighths and in `key` (else on a root of C), unless fields in front
                say otherwise, as in `[M:6/8][K:Em] G2 E`. Without a meter it is the commonest whose
                bars they fill. A `*` is any one note or rest.
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
                a prompt that is not ABC or contradicts an option, or no complete tune in twenty
                attempts.
            SequenceError: a temperature or seed out of range.
        """
        seed = check_seed(seed)
        specification = self._specify(
            temperature,
            dance,
            meter,
            key,
            mode,
            prompt,
            form,
            title,
            tempo,
            chords,
            swing,
            instrument,
        )
        seeds = range(seed, seed + count)
        drawn = self.sampler.draw_tunes(specification.request, seeds)
        return [
            specification.build_tune(one, number) for number, one in zip(seeds, drawn, strict=True)
        ]

    def stream(
        self,
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
        server: GenerationServer | None = None,
        deadline: float | None = None,
    ) -> TuneStream:
        """Compose a tune live: what `compose` gives for the same arguments, event by event.

        Args:
            server: samples this tune beside others, of `self.checkpoint.model`; alone if None.
            deadline: the seconds from now after which it fails with a `DeadlineError`.

        Returns:
            An iterator of `sluice.tunes.composition.live_events`. It raises what `compose` raises.

        Raises:
            TuneError: an invalid option, as for `compose`.
            SequenceError: a temperature, seed or deadline out of range.
        """
        seed = check_seed(seed)
        specification = self._specify(
            temperature,
            dance,
            meter,
            key,
            mode,
            prompt,
            form,
            title,
            tempo,
            chords,
            swing,
            instrument,
        )
        return TuneStream(self.sampler, specification, seed, server, deadline)

    def _specify(
        self,
        temperature: float,
        dance: str | None,
        meter: str | None,
        key: str | None,
        mode: str | None,
        prompt: str | None,
        form: bool,
        title: str | None,
        tempo: int | None,
        chords: bool,
        swing: float | None,
        instrument: str,
    ) -> TuneSpecification:
        check_performance(tempo, swing, instrument)
        given = None if prompt is None else Prompt.parse(prompt)
        if given is not None:
            dance, meter, key = merge_fields(given, dance, meter, key, mode, tempo)
        asked = None if key is None else parse_key(key, mode)
        if asked is None and given is not None and given.has_notes:
            asked = Key.of("C", mode or "maj")
        read = None
        if given is not None and given.has_notes and asked is not None:
            meter = meter or self._find_meter(given, asked, dance)
            read = given.read(meter or "4/4", asked)
        head = self.heads.choose(dance, meter, asked.mode if asked else mode)
        body = [] if read is None else self._encoder.encode_prompt(read)
        sampling = Sampling(temperature=temperature, max_length=MAX_LENGTH)
        request = TuneRequest(head, body, form, sampling)
        if len(request.prompt) >= MAX_LENGTH:
            raise TuneError(
                f"The prompt has {len(body)} notes, lengths and bar lines, too many for a tune: "
                f"it and what follows may have {MAX_LENGTH}."
            )
        return TuneSpecification(
            request, given, read, asked, dance, title, tempo, chords, swing, instrument
        )

    def extend(
        self,
        tune: Tune,
        temperature: float = 0.9,
        seed: int = 0,
        *,
        on_progress: ProgressCallback | None = None,
        should_stop: StopCallback | None = None,
    ) -> Tune:
        """Continue a tune, in its key.

        Args:
            tune: the beginning (`bar_selection.keep_bars` gives that of a longer one).
            temperature: sampling temperature.
            seed: of the random numbers, from 0.
            on_progress: as for `fill`; how long the tune becomes is known at its end only, so the
                fractions before count the tokens of a usual tune.
            should_stop: as for `fill`.

        Raises:
            TuneError: notes that are not in the training data, or no complete tune in twenty
                attempts.
            SequenceError: a temperature or seed out of range.
            GenerationCancelledError: `should_stop` returned true.
        """
        known = self._encoder.adapt_bar_lines(tune).tokens
        spelling = self.sampler.spelling
        spelt = (
            *spelling.encode_head(known[:2], tune.rhythm),
            *self._encoder.encode_beginning(known),
        )
        sampling = Sampling(temperature=temperature, max_length=MAX_LENGTH)
        request = TuneRequest([[number] for number in self.encode(spelt)], sampling=sampling)
        monitor = GenerationMonitor(_USUAL_LENGTH, on_progress, should_stop)
        (drawn,) = self.sampler.draw_tunes(request, [seed], monitor)
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
        bars: Sequence[int] | None = None,
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
            bars: the numbers of the bars that change, from 1 as they are written, pickups counted,
                whatever the strength; others stay, also where they are equal to one of these.
            on_progress, should_stop: as for `fill`.

        Raises:
            TuneError: a strength out of range, gaps, no bar that could change, a bar that cannot,
                notes not in the training data, or no candidate that fits.
            SequenceError: a temperature or seed out of range.
            GenerationCancelledError: `should_stop` returned true.
        """
        seed = check_seed(seed)
        found = (
            gaps.choose_bars(tune, strength, random.Random(seed))
            if bars is None
            else gaps.mark_bars(tune, bars)
        )
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

    def _find_meter(self, prompt: Prompt, key: Key, dance: str | None) -> str | None:
        """The commonest meter whose bars the prompt fills; None where all are or none is."""
        names = self.checkpoint.vocabulary.decode(self.heads.choose(dance, None, key.mode)[-2])
        meters = [name.removeprefix("M:") for name in names]
        fitting = [meter for meter in meters if self._fits_meter(prompt, key, dance, meter)]
        return fitting[0] if fitting and fitting != meters else None

    def _fits_meter(self, prompt: Prompt, key: Key, dance: str | None, meter: str) -> bool:
        body = self._encoder.encode_prompt(prompt.read(meter, key))
        head = self.heads.choose(dance, meter, key.mode)
        return self.sampler.fits_bars(TuneRequest(head, body))

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits of the model, its precision and the way in which it composes.

        Seed and options of `compose` give the same tune wherever this is the same, but for
        differences of rounding between kinds of processor.
        """
        return compute_fingerprint(self.checkpoint)

    def encode(self, tokens: Sequence[str]) -> list[int]:
        """The ids of tokens.

        Raises:
            TuneError: one that is not in the training data.
        """
        return self._encoder.encode(tokens)

    @cached_property
    def _encoder(self) -> TuneEncoder:
        return TuneEncoder(self.checkpoint.vocabulary, self.sampler.spelling)
