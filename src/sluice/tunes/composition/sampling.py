"""Drawing tunes from a model: what a tune must begin with, and the grammar that fits it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from sluice.cached import cached_property
from sluice.sequence import Checkpoint, Grammar, GrammarError, Sampling
from sluice.sequence.generation.batched_sequence import BatchedSequence
from sluice.sequence.generation.continuous_batch import ContinuousBatch
from sluice.tunes.composition.monitor import GenerationMonitor
from sluice.tunes.corpus.statistics import is_valid_tune
from sluice.tunes.errors import TuneError
from sluice.tunes.grammar.bars import TuneGrammar
from sluice.tunes.grammar.form import BarGrammars, FormGrammar
from sluice.tunes.grammar.plans import draw_ending, draw_plan
from sluice.tunes.notation.model_tokens import RHYTHM, ModelTokens
from sluice.tunes.tune import Tune

MAX_LENGTH = 700
"""Tokens of a tune, at most."""

_MAX_ATTEMPTS = 20
_SEED_STRIDE = 0x9E3779B97F4A7C15
"""Between the attempts of one seed, so that other seeds draw nothing in common with them."""

Choices = Sequence[list[int]]
"""For each place the ids that may stand there."""


@dataclass(frozen=True)
class TuneRequest:
    """What a tune must be like.

    Attributes:
        head: the ids to choose from for dance (where the model knows dances), meter and mode.
        body: the same for the first places of the body.
        form: whether it has sections of eight bars by a plan.
        sampling: temperature and so on.
    """

    head: Choices
    body: Choices = ()
    form: bool = False
    sampling: Sampling = field(default_factory=lambda: Sampling(max_length=MAX_LENGTH))

    @property
    def prompt(self) -> list[list[int]]:
        return [*self.head, *self.body]


class Attempt(NamedTuple):
    """How one attempt at a tune is drawn."""

    seed: int
    request: TuneRequest
    grammar: Grammar[Any] | None


class DrawnTune(NamedTuple):
    """The dance that a model wrote, or nothing, and the tune's own tokens."""

    rhythm: str
    tokens: tuple[str, ...]


@dataclass(frozen=True)
class TuneSampler:
    """A trained model of tunes with the grammars of its vocabulary."""

    checkpoint: Checkpoint

    @cached_property
    def spelling(self) -> ModelTokens:
        """How the model spells tunes."""
        return ModelTokens.of_vocabulary(self.checkpoint.vocabulary)

    @cached_property
    def bar_grammar(self) -> TuneGrammar | None:
        """The grammar of bars; None where the vocabulary lacks its tokens."""
        try:
            return TuneGrammar(self.checkpoint.vocabulary)
        except TuneError:
            return None

    @cached_property
    def form_grammars(self) -> BarGrammars | None:
        """The grammars of sections; None where the vocabulary lacks their tokens."""
        try:
            return BarGrammars(self.checkpoint.vocabulary)
        except TuneError:
            return None

    def draw_tunes(
        self,
        request: TuneRequest,
        seeds: Iterable[int],
        monitor: GenerationMonitor | None = None,
    ) -> list[DrawnTune]:
        """A tune for each seed, the same for the same seed whatever the others are.

        Args:
            request: what they must be like.
            seeds: of the tunes.
            monitor: told after each step, and asked whether to stop.

        Raises:
            TuneError: no attempt of a seed is complete.
            SequenceError: a seed, temperature or prompt out of range.
            GenerationCancelledError: the monitor says to stop.
        """
        monitor = monitor or GenerationMonitor(MAX_LENGTH)
        monitor.begin_part(monitor.total)
        batch = ContinuousBatch(self.checkpoint.model)
        draws = [_Draw(TuneAttempts(self, request, seed), batch) for seed in seeds]
        while sum(draw.begin_attempt() for draw in draws):
            while batch.is_busy:
                batch.step()
                monitor.advance()
        monitor.finish()
        return [draw.get_tune() for draw in draws]

    def decode(self, ids: Iterable[int]) -> DrawnTune:
        """The tune that the model wrote."""
        return DrawnTune(*self.spelling.decode(self.checkpoint.vocabulary.decode(ids)))

    def is_complete(self, request: TuneRequest, ids: Sequence[int]) -> bool:
        """Whether the ids go beyond the prompt, end before the limit, and are a valid tune."""
        ended = len(request.prompt) < len(ids) < request.sampling.max_length
        return ended and is_valid_tune(Tune(self.decode(ids).tokens))

    def fits_bars(self, request: TuneRequest) -> bool:
        """Whether the bars of what a tune must begin with can add up; so where nothing says."""
        return self.bar_grammar is None or _accepts(self.bar_grammar, request.prompt)

    def choose_grammar(self, request: TuneRequest, seed: int) -> Grammar[Any] | None:
        """The grammar of the form that the seed draws if the prompt fits into it, else that of bars
        if the prompt's bars add up, else none."""
        for grammar in (self._make_form(request, seed), self.bar_grammar):
            if grammar is not None and _accepts(grammar, request.prompt):
                return grammar
        return None

    def _make_form(self, request: TuneRequest, seed: int) -> FormGrammar | None:
        grammars = self.form_grammars
        if grammars is None or not request.form:
            return None
        lines = grammars.alphabet.bar_lines
        body = request.body[1:] if self.spelling.has_counts else request.body
        prompt_bars = 1 + sum(ids[0] in lines for ids in body) if body else 0
        starts_with_repeat = (
            self.spelling.has_counts or not body or body[0][0] in grammars.opening_ids
        )
        counts: Mapping[str, Mapping[str, int]] = self.checkpoint.metadata.get("endings", {})
        return FormGrammar(
            grammars,
            draw_plan(seed),
            prompt_bars,
            starts_with_repeat,
            draw_ending(seed, counts.get("all", {})),
            {
                number: draw_ending(seed, counts.get(dance, {}))
                for number, dance in self._list_dances(request)
            },
        )

    def _list_dances(self, request: TuneRequest) -> Iterator[tuple[int, str]]:
        """The dances to choose from, with their ids; none where the model knows none."""
        first = request.head[0]
        for number, name in zip(first, self.checkpoint.vocabulary.decode(first), strict=True):
            if (match := RHYTHM.fullmatch(name)) is not None:
                yield number, match[1]


def _accepts(grammar: TuneGrammar | FormGrammar, prompt: Choices) -> bool:
    """Whether some choice for each place of the prompt is allowed, one after the other."""
    state: Any = grammar.start()
    for ids in prompt:
        allowed = grammar.get_allowed_tokens(state)
        fitting = [number for number in ids if allowed[number]]
        if not fitting:
            return False
        state = grammar.advance(state, fitting[0])
    return True


class TuneAttempts:
    """The attempts at the tune of one seed, of which each follows one that gave no complete tune.

    Later attempts keep the dance, meter and mode of the first into which the prompt fits.
    """

    def __init__(self, sampler: TuneSampler, request: TuneRequest, seed: int) -> None:
        self._sampler, self._request, self._seed = sampler, request, seed
        self.count = 0

    @property
    def has_more(self) -> bool:
        """Whether another one may begin."""
        return self.count < _MAX_ATTEMPTS

    def begin(self) -> Attempt:
        """The next attempt.

        Raises:
            TuneError: there were twenty.
        """
        if not self.has_more:
            raise TuneError(
                f"None of {_MAX_ATTEMPTS} attempts gave a complete tune; train longer, or lower "
                "the temperature."
            )
        seed = self._seed + self.count * _SEED_STRIDE
        self.count += 1
        return Attempt(seed, self._request, self._sampler.choose_grammar(self._request, seed))

    def finish(self, ids: Sequence[int], has_failed: bool = False) -> DrawnTune | None:
        """The tune that an attempt gave, if it gave one.

        Args:
            ids: what was drawn, the prompt included.
            has_failed: whether the grammar allowed nothing more.
        """
        if not has_failed and self._sampler.is_complete(self._request, ids):
            return self._sampler.decode(ids)
        if len(ids) - has_failed >= len(self._request.prompt):
            head = [[number] for number in ids[: len(self._request.head)]]
            self._request = replace(self._request, head=head)
        return None


class _Draw:
    """The tune of one seed, attempt after attempt in a batch with others."""

    def __init__(self, attempts: TuneAttempts, batch: ContinuousBatch) -> None:
        self._attempts, self._batch = attempts, batch
        self._sequence: BatchedSequence | None = None
        self._tune: DrawnTune | None = None

    def begin_attempt(self) -> bool:
        """Begin an attempt if the last one gave no tune; whether there is something to draw."""
        if self._tune is not None:
            return False
        if self._sequence is not None:
            error = self._sequence.error
            if error is not None and not isinstance(error, GrammarError):
                raise error
            self._tune = self._attempts.finish(self._sequence.tokens, error is not None)
            if self._tune is not None:
                return False
        seed, request, grammar = self._attempts.begin()
        self._sequence = self._batch.add(
            seed, prompt=request.prompt, sampling=request.sampling, grammar=grammar
        )
        return True

    def get_tune(self) -> DrawnTune:
        assert self._tune is not None
        return self._tune
