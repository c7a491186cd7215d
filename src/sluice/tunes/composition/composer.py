"""New tunes, and changes to given ones, from weights that `learn.train` wrote."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from sluice.files import StrPath
from sluice.sequence import Checkpoint, Grammar, GrammarError, Sampling, generate
from sluice.sequence.generation.grammar import State
from sluice.tunes.composition import infilling
from sluice.tunes.composition.inputs import find_checkpoint, strip_last_bar_line
from sluice.tunes.composition.titles import generate_title as made_up
from sluice.tunes.composition.transposition import parse_key, transpose
from sluice.tunes.corpus.statistics import TuneIndex, TuneStatistics, from_dict, is_valid_tune
from sluice.tunes.errors import AbcSyntaxError, TuneError
from sluice.tunes.grammar.bars import TuneGrammar
from sluice.tunes.grammar.form import BarGrammars, FormGrammar, draw_plan, draw_tonic_ending
from sluice.tunes.notation import abc_file
from sluice.tunes.theory.dances import find_dance as dance_named
from sluice.tunes.theory.dances import guess_rhythm
from sluice.tunes.theory.keys import Key
from sluice.tunes.tune import Tune, from_abc

_TRIES = 20
_MAX_LENGTH = 700
_BATCH_SIZE, _FORM_BATCH_SIZE = 32, 256

_DrawFunction = Callable[[Sequence[int], Sequence[list[int]], Sampling], list[list[str]]]


@dataclass(frozen=True)
class Composer:
    """A trained model of tunes.

    `corpus` holds the measures of the tunes that it was validated on.
    """

    checkpoint: Checkpoint
    corpus: TuneStatistics

    @classmethod
    def load(cls, checkpoint: StrPath | None = None, precision: str = "float32") -> Composer:
        """Read a file of weights, `find_checkpoint()` if none is named.

        `precision` is what the kernels multiply in, `"float32"`, `"bfloat16"` or `"int8"`,
        whatever the weights were trained in.

        Raises:
            ValueError: an unknown precision.
            CheckpointError: no such file, truncated, or not a language model.
            TuneError: a language model, but not of tunes; or no file is at hand.
        """
        loaded = Checkpoint.load(checkpoint or find_checkpoint())
        loaded.model.layers.precision = precision
        return cls(loaded, from_dict(loaded.metadata.get("corpus", {})))

    @cached_property
    def index(self) -> TuneIndex:
        """The training tunes, to look for copies in."""
        lines: list[str] = self.checkpoint.metadata.get("training", [])
        return TuneIndex([line.split(" ")[2:] for line in lines])

    def compose(
        self,
        count: int = 1,
        temperature: float = 0.9,
        seed: int = 0,
        meter: str | None = None,
        mode: str | None = None,
        prompt: str | None = None,
        *,
        dance: str | None = None,
        key: str | None = None,
        title: str | None = None,
        tempo: int | None = None,
        chords: bool = False,
        form: bool = True,
    ) -> list[Tune]:
        """Compose `count` tunes; the same seed gives the same tunes.

        What the model draws that spells no tune is drawn again, from the next seed.

        Args:
            count: how many tunes.
            temperature: below 1 tamer, above 1 wilder.
            seed: from 0 on.
            meter: as in `6/8`; any that it learnt if None.
            mode: `maj`, `min`, `dor`, `mix`, ...; any that it learnt if None.
            start: notes in ABC, in eighths and in `key` (else on a root of C), to go on from.
            dance: `jig`, `reel`, ... (`dances.DANCES`): decides meter and tempo.
            key: as in `D`, `Em`, `Ador`; a usual one of the mode if None.
            title: a made-up one if None.
            tempo: beats a minute; that of the dance if None.
            chords: write chords above and play them along.
            form: parts of eight bars, each repeated, in which bars come back by a plan
                (`sluice.tunes.form`); where a start does not fit, or without it, all is the
                model's.

        Raises:
            TuneError: a wish that is none, or that the model never met, a start that is not ABC,
                or nothing that spells a tune in twenty tries.
            SequenceError: a temperature or seed out of range.
        """
        asked = None if key is None else parse_key(key, mode)
        mode = asked.mode if asked else mode
        rhythm, meters = self._choose_meters(dance, meter)
        opening = [meters, self._choose_modes(mode)]
        root = asked or (Key.of("C", mode or "maj") if prompt else None)
        if prompt and root:
            opening += [[n] for n in self._encode_prompt(prompt, meter or "4/4", root)]
        sampling = Sampling(temperature=temperature, max_length=_MAX_LENGTH)
        tunes: list[Tune] = []
        for number, tokens in enumerate(self._draw_tunes(count, seed, opening, sampling, form)):
            tune = Tune(tokens, made_up(seed + number))
            tune = replace(tune, rhythm=rhythm or guess_rhythm(tune.meter))
            tune = tune.with_presentation(title, tempo, chords)
            tonic = root.tonic if root else None
            if prompt:  # what was typed stays in its octave
                tunes.append(replace(tune, tonic=tonic or "C"))
            else:
                tunes.append(transpose(tune, tonic, seed + number))
        return tunes

    def extend(self, tune: Tune, temperature: float = 0.9, seed: int = 0) -> Tune:
        """Go on from what is there of a tune, in its key.

        Raises:
            TuneError: notes that the model never met, or nothing that spells a tune.
            SequenceError: a temperature or seed out of range.
        """
        opening = [[number] for number in self.encode(tune.tokens)]
        sampling = Sampling(temperature=temperature, max_length=_MAX_LENGTH)
        (tokens,) = self._draw_tunes(1, seed, opening, sampling)
        return replace(tune, tokens=tokens)

    def fill(self, tune: Tune, temperature: float = 0.9, seed: int = 0) -> Tune:
        """Fill each gap (`*`) of a tune with what makes its bar complete.

        Of many candidates for a gap those stay after which what follows is likeliest.

        Raises:
            TuneError: no gap, one that is too short, notes that the model never met, or
                nothing that fits.
            SequenceError: a temperature or seed out of range.
        """
        parts = infilling.split_at_gaps(tune)
        return replace(tune, tokens=self._infill(parts, temperature, seed))

    def vary(
        self, tune: Tune, strength: float = 0.3, temperature: float = 0.9, seed: int = 0
    ) -> Tune:
        """Write some bars anew and leave the rest, bars that were alike staying alike.

        `strength`, in (0, 1], is the part of the bars that change; last bars of parts do not.

        Raises:
            TuneError: a strength out of range, no bar that could change, notes that the model
                never met, or nothing that fits.
            SequenceError: a temperature or seed out of range.
        """
        parts = infilling.mask_bars(tune, strength, random.Random(seed))
        return replace(tune, tokens=self._infill(parts, temperature, seed))

    def _infill(
        self, segments: Sequence[infilling.Segment], temperature: float, seed: int
    ) -> tuple[str, ...]:
        for part in segments:
            if not isinstance(part, infilling.Gap):
                self.encode(part)

        def draw(prefix: Sequence[str], seeds: Sequence[int], longest: int) -> list[list[str]]:
            opening = [[number] for number in self.encode(prefix)]
            sampling = Sampling(temperature=temperature, max_length=len(prefix) + longest)
            return [tokens[len(prefix) :] for tokens in self._draw(seeds, opening, sampling)]

        return infilling.fill_gaps(self.checkpoint, segments, draw, seed)

    @cached_property
    def _grammar(self) -> TuneGrammar | None:
        """What makes bars add up; none where the vocabulary lacks what that takes."""
        try:
            return TuneGrammar(self.checkpoint.vocabulary)
        except TuneError:
            return None

    @cached_property
    def _bar_grammars(self) -> BarGrammars | None:
        """What makes parts; none where the vocabulary lacks what that takes."""
        try:
            return BarGrammars(self.checkpoint.vocabulary)
        except TuneError:
            return None

    def _draw(
        self,
        seeds: Sequence[int],
        prompt: Sequence[list[int]],
        sampling: Sampling,
        grammar: Grammar[State] | None = None,
    ) -> list[list[str]]:
        """Tokens from the model."""
        model = self.checkpoint.model
        drawn = generate(model, seeds, prompt=prompt, sampling=sampling, grammar=grammar)
        return [self.checkpoint.vocabulary.decode(ids) for ids in drawn]

    def _draw_with_grammar(
        self, seeds: Sequence[int], prompt: Sequence[list[int]], sampling: Sampling
    ) -> list[list[str]]:
        """Tokens whose bars add up, if those of the opening do; else as the model would."""
        try:
            return self._draw(seeds, prompt, sampling, self._grammar)
        except GrammarError:
            return self._draw(seeds, prompt, sampling)

    def _draw_in_form(
        self, seeds: Sequence[int], prompt: Sequence[list[int]], sampling: Sampling
    ) -> list[list[str]]:
        """Tokens in parts after a plan drawn by each seed, if the opening fits into one."""
        if self._bar_grammars is None:
            return self._draw_with_grammar(seeds, prompt, sampling)
        lines = sum(ids[0] in self._bar_grammars.alphabet.bar_lines for ids in prompt[2:])
        opens = len(prompt) < 3 or prompt[2][0] in self._bar_grammars.opening_ids
        given = 0 if len(prompt) < 3 else 1 + lines
        alike: dict[tuple[str, bool], list[int]] = {}
        for seed in seeds:
            alike.setdefault((draw_plan(seed), draw_tonic_ending(seed)), []).append(seed)
        found: dict[int, list[str]] = {}
        for (plan, home), some in alike.items():
            grammar = FormGrammar(self._bar_grammars, plan, given, opens, home)
            try:
                found |= zip(some, self._draw(some, prompt, sampling, grammar), strict=True)
            except GrammarError:
                found |= zip(some, self._draw_with_grammar(some, prompt, sampling), strict=True)
        return [found[seed] for seed in seeds]

    def _draw_tunes(
        self,
        count: int,
        seed: int,
        prompt: Sequence[list[int]],
        sampling: Sampling,
        form: bool = False,
    ) -> Iterator[tuple[str, ...]]:
        """The bodies of so many tunes, the first try of many at once."""
        draw = self._draw_in_form if form else self._draw_with_grammar
        seeds = [seed + number * _TRIES for number in range(count)]
        at_once = _FORM_BATCH_SIZE if form else _BATCH_SIZE
        for first in range(0, count, at_once):
            some = seeds[first : first + at_once]
            for own, tokens in zip(some, draw(some, prompt, sampling), strict=True):
                good = _is_complete(tokens, prompt, sampling)
                yield tuple(tokens) if good else self._retry(draw, own + 1, prompt, sampling)

    def _retry(
        self, draw: _DrawFunction, seed: int, prompt: Sequence[list[int]], sampling: Sampling
    ) -> tuple[str, ...]:
        for attempt in range(_TRIES - 1):
            (tokens,) = draw([seed + attempt], prompt, sampling)
            if _is_complete(tokens, prompt, sampling):
                return tuple(tokens)
        raise TuneError(
            f"None of {_TRIES} tries spelt a tune; train longer, or lower the temperature."
        )

    def _choose_meters(self, dance: str | None, meter: str | None) -> tuple[str, list[int]]:
        """The name of the dance, or none, and the ids of the meters that it may stand in."""
        if dance is None:
            return "", self._find_token_ids("M:", None if meter is None else [meter], "meter")
        named = dance_named(dance)
        if meter is not None and meter not in named.meters:
            known = " or ".join(named.meters)
            raise TuneError(f"A {dance} stands in {known}, but the meter {meter!r} came.")
        name = " ".join(dance.lower().replace("-", " ").split())
        return name, self._find_token_ids("M:", [meter] if meter else list(named.meters), "meter")

    def _choose_modes(self, mode: str | None) -> list[int]:
        return self._find_token_ids("K:C", None if mode is None else [mode], "mode")

    def _find_token_ids(self, prefix: str, values: list[str] | None, what: str) -> list[int]:
        """The ids that may stand for a meter or a mode."""
        known = [t for t in self.checkpoint.vocabulary.tokens if t.startswith(prefix)]
        chosen = [t for t in known if values is None or t.removeprefix(prefix) in values]
        if not chosen:
            names = ", ".join(token.removeprefix(prefix) for token in known)
            asked = " or ".join(map(repr, values or []))
            raise TuneError(f"The model knows no {what} {asked}; it learnt {names}.")
        return self.checkpoint.vocabulary.encode(chosen)

    def _encode_prompt(self, notes: str, meter: str, key: Key) -> list[int]:
        text = f"X:1\nT:start\nM:{meter}\nL:1/8\nK:{key.tonic}{key.mode}\n{notes}\n"
        try:
            tokens = from_abc(abc_file.split_blocks(text, "the start")[0]).tokens[2:]
        except AbcSyntaxError as error:
            raise TuneError(f"The start {notes!r} is not notes in ABC: {error}.") from None
        return self.encode(strip_last_bar_line(tokens, notes))

    def encode(self, tokens: Sequence[str]) -> list[int]:
        """The ids of tokens.

        Raises:
            TuneError: one that the model never met.
        """
        strange = [token for token in tokens if token not in self.checkpoint.vocabulary]
        if strange:
            raise TuneError(
                f"The model never met {strange[0]!r} (on a root of C); use other notes."
            )
        return self.checkpoint.vocabulary.encode(tokens)


def _is_complete(tokens: Sequence[str], prompt: Sequence[list[int]], sampling: Sampling) -> bool:
    """Whether what was drawn goes on from the opening, ended by itself, and spells a tune."""
    ended = len(prompt) < len(tokens) < sampling.max_length
    return ended and is_valid_tune(Tune(tuple(tokens)))
