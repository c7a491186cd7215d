"""New tunes, and changes to given ones, from weights that `learn.train` wrote."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from sluice.sequence import Checkpoint, NotAllowed, Sampling, generate
from sluice.tunes import abc, revising
from sluice.tunes.dances import dance as dance_named
from sluice.tunes.dances import guess_rhythm
from sluice.tunes.errors import BadMusic, TuneError
from sluice.tunes.form import Bars, FormGrammar, drawn, drawn_home
from sluice.tunes.given import open_ended, weights_at_hand
from sluice.tunes.grammar import TuneGrammar
from sluice.tunes.keys import Key
from sluice.tunes.measures import Index, Measures, from_figures, spells_a_tune
from sluice.tunes.placing import parse_key, placed
from sluice.tunes.titles import title as made_up
from sluice.tunes.tokens import Tune, from_abc

_TRIES = 20
_LONGEST = 700
_AT_ONCE, _AT_ONCE_IN_FORM = 32, 256

_Drawing = Callable[[Sequence[int], Sequence[list[int]], Sampling], list[list[str]]]


@dataclass(frozen=True)
class Composer:
    """A trained model of tunes.

    `corpus` holds the measures of the tunes that it was validated on.
    """

    checkpoint: Checkpoint
    corpus: Measures

    @classmethod
    def load(cls, weights: Path | None = None, precision: str = "float32") -> Composer:
        """Read a file of weights, `weights_at_hand()` if none is named.

        `precision` is what the kernels multiply in, `"float32"`, `"bfloat16"` or `"int8"`,
        whatever the weights were trained in.

        Raises:
            ValueError: an unknown precision.
            CheckpointError: no such file, truncated, or not a language model.
            TuneError: a language model, but not of tunes; or no file is at hand.
        """
        checkpoint = Checkpoint.load(weights or weights_at_hand())
        checkpoint.model.layers.precision = precision
        return cls(checkpoint, from_figures(checkpoint.figures.get("corpus", {})))

    @cached_property
    def index(self) -> Index:
        """The training tunes, to look for copies in."""
        lines: list[str] = self.checkpoint.figures.get("training", [])
        return Index([line.split(" ")[2:] for line in lines])

    def compose(
        self,
        count: int = 1,
        temperature: float = 0.9,
        seed: int = 0,
        meter: str | None = None,
        mode: str | None = None,
        start: str | None = None,
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
        rhythm, meters = self._meters(dance, meter)
        opening = [meters, self._modes(mode)]
        root = asked or (Key.of("C", mode or "maj") if start else None)
        if start and root:
            opening += [[n] for n in self._start(start, meter or "4/4", root)]
        sampling = Sampling(temperature=temperature, max_length=_LONGEST)
        tunes: list[Tune] = []
        for number, tokens in enumerate(self._several(count, seed, opening, sampling, form)):
            tune = Tune(tokens, made_up(seed + number))
            tune = replace(tune, rhythm=rhythm or guess_rhythm(tune.meter))
            tune = tune.with_looks(title, tempo, chords)
            tonic = root.tonic if root else None
            if start:  # what was typed stays in its octave
                tunes.append(replace(tune, tonic=tonic or "C"))
            else:
                tunes.append(placed(tune, tonic, seed + number))
        return tunes

    def resume(self, given: Tune, temperature: float = 0.9, seed: int = 0) -> Tune:
        """Go on from what is there of a tune, in its key.

        Raises:
            TuneError: notes that the model never met, or nothing that spells a tune.
            SequenceError: a temperature or seed out of range.
        """
        opening = [[number] for number in self.encode(given.tokens)]
        sampling = Sampling(temperature=temperature, max_length=_LONGEST)
        (tokens,) = self._several(1, seed, opening, sampling)
        return replace(given, tokens=tokens)

    def fill(self, given: Tune, temperature: float = 0.9, seed: int = 0) -> Tune:
        """Fill each gap (`*`) of a tune with what makes its bar complete.

        Of many candidates for a gap those stay after which what follows is likeliest.

        Raises:
            TuneError: no gap, one that is too short, notes that the model never met, or
                nothing that fits.
            SequenceError: a temperature or seed out of range.
        """
        parts = revising.gaps(given)
        return replace(given, tokens=self._revised(parts, temperature, seed))

    def vary(
        self, given: Tune, strength: float = 0.3, temperature: float = 0.9, seed: int = 0
    ) -> Tune:
        """Write some bars anew and leave the rest, bars that were alike staying alike.

        `strength`, in (0, 1], is the part of the bars that change; last bars of parts do not.

        Raises:
            TuneError: a strength out of range, no bar that could change, notes that the model
                never met, or nothing that fits.
            SequenceError: a temperature or seed out of range.
        """
        parts = revising.loosened(given, strength, random.Random(seed))
        return replace(given, tokens=self._revised(parts, temperature, seed))

    def _revised(
        self, parts: Sequence[revising.Part], temperature: float, seed: int
    ) -> tuple[str, ...]:
        for part in parts:
            if not isinstance(part, revising.Gap):
                self.encode(part)

        def draw(prefix: Sequence[str], seeds: Sequence[int], longest: int) -> list[list[str]]:
            opening = [[number] for number in self.encode(prefix)]
            sampling = Sampling(temperature=temperature, max_length=len(prefix) + longest)
            return [tokens[len(prefix) :] for tokens in self._draw(seeds, opening, sampling)]

        return revising.filled(self.checkpoint, parts, draw, seed)

    @cached_property
    def _grammar(self) -> TuneGrammar | None:
        """What makes bars add up; none where the vocabulary lacks what that takes."""
        try:
            return TuneGrammar(self.checkpoint.vocabulary)
        except TuneError:
            return None

    @cached_property
    def _bars(self) -> Bars | None:
        """What makes parts; none where the vocabulary lacks what that takes."""
        try:
            return Bars(self.checkpoint.vocabulary)
        except TuneError:
            return None

    def _draw(
        self,
        seeds: Sequence[int],
        opening: Sequence[list[int]],
        sampling: Sampling,
        grammar: TuneGrammar | FormGrammar | None = None,
    ) -> list[list[str]]:
        """Tokens from the model."""
        model = self.checkpoint.model
        drawn = generate(model, seeds, opening=opening, sampling=sampling, grammar=grammar)
        return [self.checkpoint.vocabulary.decode(ids) for ids in drawn]

    def _lawful(
        self, seeds: Sequence[int], opening: Sequence[list[int]], sampling: Sampling
    ) -> list[list[str]]:
        """Tokens whose bars add up, if those of the opening do; else as the model would."""
        try:
            return self._draw(seeds, opening, sampling, self._grammar)
        except NotAllowed:
            return self._draw(seeds, opening, sampling)

    def _formed(
        self, seeds: Sequence[int], opening: Sequence[list[int]], sampling: Sampling
    ) -> list[list[str]]:
        """Tokens in parts after a plan drawn by each seed, if the opening fits into one."""
        if self._bars is None:
            return self._lawful(seeds, opening, sampling)
        lines = sum(ids[0] in self._bars.words.lines for ids in opening[2:])
        opens = len(opening) < 3 or opening[2][0] in self._bars.opening
        given = 0 if len(opening) < 3 else 1 + lines
        alike: dict[tuple[str, bool], list[int]] = {}
        for seed in seeds:
            alike.setdefault((drawn(seed), drawn_home(seed)), []).append(seed)
        found: dict[int, list[str]] = {}
        for (plan, home), some in alike.items():
            grammar = FormGrammar(self._bars, plan, given, opens, home)
            try:
                found |= zip(some, self._draw(some, opening, sampling, grammar), strict=True)
            except NotAllowed:
                found |= zip(some, self._lawful(some, opening, sampling), strict=True)
        return [found[seed] for seed in seeds]

    def _several(
        self,
        count: int,
        seed: int,
        opening: Sequence[list[int]],
        sampling: Sampling,
        form: bool = False,
    ) -> Iterator[tuple[str, ...]]:
        """The bodies of so many tunes, the first try of many at once."""
        draw = self._formed if form else self._lawful
        seeds = [seed + number * _TRIES for number in range(count)]
        at_once = _AT_ONCE_IN_FORM if form else _AT_ONCE
        for first in range(0, count, at_once):
            some = seeds[first : first + at_once]
            for own, tokens in zip(some, draw(some, opening, sampling), strict=True):
                good = _is_whole(tokens, opening, sampling)
                yield tuple(tokens) if good else self._one(draw, own + 1, opening, sampling)

    def _one(
        self, draw: _Drawing, seed: int, opening: Sequence[list[int]], sampling: Sampling
    ) -> tuple[str, ...]:
        for attempt in range(_TRIES - 1):
            (tokens,) = draw([seed + attempt], opening, sampling)
            if _is_whole(tokens, opening, sampling):
                return tuple(tokens)
        raise TuneError(
            f"None of {_TRIES} tries spelt a tune; train longer, or lower the temperature."
        )

    def _meters(self, dance: str | None, meter: str | None) -> tuple[str, list[int]]:
        """The name of the dance, or none, and the ids of the meters that it may stand in."""
        if dance is None:
            return "", self._choice("M:", None if meter is None else [meter], "meter")
        named = dance_named(dance)
        if meter is not None and meter not in named.meters:
            known = " or ".join(named.meters)
            raise TuneError(f"A {dance} stands in {known}, but the meter {meter!r} came.")
        name = " ".join(dance.lower().replace("-", " ").split())
        return name, self._choice("M:", [meter] if meter else list(named.meters), "meter")

    def _modes(self, mode: str | None) -> list[int]:
        return self._choice("K:C", None if mode is None else [mode], "mode")

    def _choice(self, prefix: str, wanted: list[str] | None, what: str) -> list[int]:
        """The ids that may stand for a meter or a mode."""
        known = [t for t in self.checkpoint.vocabulary.tokens if t.startswith(prefix)]
        chosen = [t for t in known if wanted is None or t.removeprefix(prefix) in wanted]
        if not chosen:
            names = ", ".join(token.removeprefix(prefix) for token in known)
            asked = " or ".join(map(repr, wanted or []))
            raise TuneError(f"The model knows no {what} {asked}; it learnt {names}.")
        return self.checkpoint.vocabulary.encode(chosen)

    def _start(self, notes: str, meter: str, key: Key) -> list[int]:
        text = f"X:1\nT:start\nM:{meter}\nL:1/8\nK:{key.tonic}{key.mode}\n{notes}\n"
        try:
            tokens = from_abc(abc.blocks(text, "the start")[0]).tokens[2:]
        except BadMusic as error:
            raise TuneError(f"The start {notes!r} is not notes in ABC: {error}.") from None
        return self.encode(open_ended(tokens, notes))

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


def _is_whole(tokens: Sequence[str], opening: Sequence[list[int]], sampling: Sampling) -> bool:
    """Whether what was drawn goes on from the opening, ended by itself, and spells a tune."""
    ended = len(opening) < len(tokens) < sampling.max_length
    return ended and spells_a_tune(Tune(tuple(tokens)))
