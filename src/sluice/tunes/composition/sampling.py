"""Drawing the tokens of tunes from a model, under the grammar that fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sluice.cached import cached_property
from sluice.sequence import Checkpoint, Grammar, GrammarError, Sampling, generate
from sluice.sequence.generation.grammar import State
from sluice.tunes.corpus.statistics import is_valid_tune
from sluice.tunes.errors import TuneError
from sluice.tunes.grammar.bars import TuneGrammar
from sluice.tunes.grammar.form import BarGrammars, FormGrammar
from sluice.tunes.grammar.plans import draw_plan, draw_tonic_ending
from sluice.tunes.tune import Tune

_MAX_ATTEMPTS = 20
_BATCH_SIZE, _FORM_BATCH_SIZE = 32, 256

Prompt = Sequence[list[int]]
"""For each first position the ids that may stand there."""
DrawFunction = Callable[[Sequence[int], Prompt, Sampling], list[list[str]]]
"""From seeds, a prompt and how to sample to as many sequences of tokens."""


@dataclass(frozen=True)
class TuneSampler:
    """A trained model of tunes with the grammars of its vocabulary."""

    checkpoint: Checkpoint

    @cached_property
    def _grammar(self) -> TuneGrammar | None:
        """The grammar of bars; None where the vocabulary lacks its tokens."""
        try:
            return TuneGrammar(self.checkpoint.vocabulary)
        except TuneError:
            return None

    @cached_property
    def _bar_grammars(self) -> BarGrammars | None:
        """The grammars of sections; None where the vocabulary lacks their tokens."""
        try:
            return BarGrammars(self.checkpoint.vocabulary)
        except TuneError:
            return None

    def draw(
        self,
        seeds: Sequence[int],
        prompt: Prompt,
        sampling: Sampling,
        grammar: Grammar[State] | None = None,
    ) -> list[list[str]]:
        """Tokens from the model, one sequence per seed."""
        model = self.checkpoint.model
        drawn = generate(model, seeds, prompt=prompt, sampling=sampling, grammar=grammar)
        return [self.checkpoint.vocabulary.decode(ids) for ids in drawn]

    def _draw_with_grammar(
        self, seeds: Sequence[int], prompt: Prompt, sampling: Sampling
    ) -> list[list[str]]:
        """Tokens whose bars add up, if those of the prompt do; else without a grammar."""
        try:
            return self.draw(seeds, prompt, sampling, self._grammar)
        except GrammarError:
            return self.draw(seeds, prompt, sampling)

    def _draw_in_form(
        self, seeds: Sequence[int], prompt: Prompt, sampling: Sampling
    ) -> list[list[str]]:
        """Tokens in sections by a plan that each seed draws, if the prompt fits into one."""
        grammars = self._bar_grammars
        if grammars is None:
            return self._draw_with_grammar(seeds, prompt, sampling)
        body = prompt[2:]
        num_lines = sum(ids[0] in grammars.alphabet.bar_lines for ids in body)
        prompt_bars = 1 + num_lines if body else 0
        starts_with_repeat = not body or body[0][0] in grammars.opening_ids
        found: dict[int, list[str]] = {}
        for (plan, on_tonic), some in _group_by_form(seeds).items():
            grammar = FormGrammar(grammars, plan, prompt_bars, starts_with_repeat, on_tonic)
            try:
                drawn = self.draw(some, prompt, sampling, grammar)
            except GrammarError:
                drawn = self._draw_with_grammar(some, prompt, sampling)
            found |= zip(some, drawn, strict=True)
        return [found[seed] for seed in seeds]

    def draw_tunes(
        self,
        count: int,
        seed: int,
        prompt: Prompt,
        sampling: Sampling,
        form: bool = False,
    ) -> Iterator[tuple[str, ...]]:
        """The tokens of `count` tunes.

        The first attempts of many are drawn as a batch. An attempt that is no complete tune is
        repeated with the next seed.

        Raises:
            TuneError: no attempt of a tune is complete.
        """
        draw = self._draw_in_form if form else self._draw_with_grammar
        seeds = [seed + number * _MAX_ATTEMPTS for number in range(count)]
        batch_size = _FORM_BATCH_SIZE if form else _BATCH_SIZE
        for first in range(0, count, batch_size):
            some = seeds[first : first + batch_size]
            for first_seed, tokens in zip(some, draw(some, prompt, sampling), strict=True):
                if _is_complete(tokens, prompt, sampling):
                    yield tuple(tokens)
                else:
                    yield _retry(draw, first_seed + 1, prompt, sampling)


def _group_by_form(seeds: Sequence[int]) -> dict[tuple[str, bool], list[int]]:
    """Seeds by the plan they draw, and whether the tune ends on the root."""
    found: dict[tuple[str, bool], list[int]] = {}
    for seed in seeds:
        found.setdefault((draw_plan(seed), draw_tonic_ending(seed)), []).append(seed)
    return found


def _retry(draw: DrawFunction, seed: int, prompt: Prompt, sampling: Sampling) -> tuple[str, ...]:
    for attempt in range(_MAX_ATTEMPTS - 1):
        (tokens,) = draw([seed + attempt], prompt, sampling)
        if _is_complete(tokens, prompt, sampling):
            return tuple(tokens)
    raise TuneError(
        f"None of {_MAX_ATTEMPTS} attempts gave a complete tune; train longer, or lower the "
        "temperature."
    )


def _is_complete(tokens: Sequence[str], prompt: Prompt, sampling: Sampling) -> bool:
    """Whether the tokens go beyond the prompt, end before the limit, and are a valid tune."""
    ended = len(prompt) < len(tokens) < sampling.max_length
    return ended and is_valid_tune(Tune(tuple(tokens)))
