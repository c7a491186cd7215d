"""Gaps in a given tune, filled by a model that only reads forwards.

Candidates for a gap are drawn from the model given what stands before, under a grammar by which
they fit, and weighed by how likely the model finds what fits and what follows; one gap after the
other with the best kept (importance sampling, sequential Monte Carlo: Doucet et al. 2001). All
candidates of a gap are drawn and weighed as one batch, which goes on from the states after what
stands before; those far behind are dropped before all that follows has been read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

import torch

from sluice.cached import cached_property
from sluice.sequence import Checkpoint, Sampling, Vocabulary
from sluice.sequence.generation.engine import Engine
from sluice.sequence.generation.packed_model import (
    PackedLanguageModel,
    refuse_recording,
    share_weights,
)
from sluice.sequence.generation.random_numbers import UniformNumbers
from sluice.sequence.vocabulary import END, START
from sluice.tunes.composition.candidates import Candidate, CandidateSampler
from sluice.tunes.composition.gaps import Gap
from sluice.tunes.composition.model_rows import ModelRows, read_beginning, read_given
from sluice.tunes.composition.monitor import (
    GenerationMonitor,
    ProgressCallback,
    StopCallback,
)
from sluice.tunes.errors import InvalidTokensError, TuneError
from sluice.tunes.grammar.alphabet import TuneAlphabet
from sluice.tunes.grammar.gap_grammar import GapGrammar
from sluice.tunes.notation import score
from sluice.tunes.notation.model_tokens import split_count

NUM_PARTICLES, NUM_DRAWS = 3, 14
"""Beginnings that are kept, and candidates of a gap."""
_MAX_ROUNDS = 4
LIMITS = ((2, 5), (6, NUM_PARTICLES))
"""From which token behind a gap on how many candidates are read on."""
FINAL_LIMITS = (*LIMITS, (12, 1))
"""The same behind the last gap."""
_GAP_STEPS = 12
"""About how many a gap takes, for the display of progress."""
_OTHER_LINES = {"||": ("|",), "::": (":|",), ":|": ("|",), "|:": ("|",)}


class _Particle(NamedTuple):
    """A tune so far: the logarithm of its importance weight, and the ids in its gaps by name."""

    weight: float = 0.0
    fillings: Mapping[int, tuple[int, ...]] = MappingProxyType({})


class GapFiller:
    """Fills gaps with a trained model, whose packed weights it keeps."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._packed: PackedLanguageModel | None = None
        self._find_grammar = lru_cache(maxsize=64)(
            lambda length: GapGrammar(self._alphabet, length)
        )

    def fill(
        self,
        segments: Sequence[Sequence[int]],
        gaps: Sequence[Gap],
        sampling: Sampling,
        seed: int,
        on_progress: ProgressCallback | None = None,
        should_stop: StopCallback | None = None,
    ) -> dict[int, list[str]]:
        """The tokens for each name of a gap; the same for the same seed.

        Args:
            segments: the ids before, between and behind the gaps, as the model reads them.
            gaps: in order.
            sampling: of which the temperature counts.
            seed: of the random numbers.
            on_progress: called with the fraction that is done.
            should_stop: asked between two tokens whether to stop.

        Raises:
            TuneError: nothing drawn fits a gap, or the model's notes cannot fill it.
            GenerationCancelledError: `should_stop` returned true.
            SequenceError: a negative seed.
        """
        refuse_recording(self._checkpoint.model)
        self._packed = share_weights(self._checkpoint.model)
        parts = [len(segment) + 1 for segment in segments]
        monitor = GenerationMonitor(sum(parts) + _GAP_STEPS * len(gaps), on_progress, should_stop)
        with torch.inference_mode():
            run = _Infilling(
                self._packed.make_engine(), sampling.temperature, UniformNumbers(seed), monitor
            )
            run.begin(segments[0])
            for number, gap in enumerate(gaps, 1):
                is_last = number == len(gaps)
                following = [*segments[number], *([END] if is_last else [])]
                run.fill_gap(gap, self._find_grammar(gap.length), following[0], self._fits)
                run.read_on(following, FINAL_LIMITS if is_last else LIMITS)
        monitor.finish()
        return {name: self._checkpoint.vocabulary.decode(ids) for name, ids in run.fillings.items()}

    @cached_property
    def _alphabet(self) -> TuneAlphabet:
        return TuneAlphabet(self._checkpoint.vocabulary)

    def _fits(self, ids: Sequence[int], gap: Gap) -> bool:
        """Whether there is a note, and not what stood there before."""
        tokens = self._checkpoint.vocabulary.decode(ids)
        try:
            music = score.parse([f"M:{gap.meter}", "K:Cmaj", *tokens])
        except InvalidTokensError:
            return False
        return tuple(music.events) != gap.original


class _Infilling:
    """The likeliest beginnings of one tune, filled gap by gap."""

    def __init__(
        self,
        engine: Engine,
        temperature: float,
        numbers: UniformNumbers,
        monitor: GenerationMonitor,
    ) -> None:
        self._engine, self._temperature = engine, temperature
        self._numbers, self._monitor = numbers, monitor
        self._particles = [_Particle()]
        self._rows: ModelRows

    @property
    def fillings(self) -> Mapping[int, tuple[int, ...]]:
        """Those of the likeliest."""
        return self._particles[0].fillings

    def begin(self, ids: Sequence[int]) -> None:
        """Read what stands before the first gap."""
        self._monitor.begin_part(len(ids) + 1)
        self._rows = read_beginning(self._engine, [START, *ids], self._monitor)

    def fill_gap(
        self,
        gap: Gap,
        grammar: GapGrammar,
        after: int,
        fits: Callable[[Sequence[int], Gap], bool],
    ) -> None:
        """Go on through a gap in all ways that fit, or in the one that it must repeat."""
        self._monitor.begin_part(_GAP_STEPS)
        known = [one.fillings[gap.name] for one in self._particles if gap.name in one.fillings]
        if known:
            self._read(known)
            return
        draw = CandidateSampler(
            self._engine, grammar, after, self._temperature, self._numbers, self._monitor
        ).draw
        parents = [n * len(self._particles) // NUM_DRAWS for n in range(NUM_DRAWS)]
        start = grammar.begin(gap.meter, gap.tied_pitches)
        for _ in range(_MAX_ROUNDS):
            candidates, rows = draw(self._rows, parents, start)
            different = {(one.parent, one.ids): row for row, one in enumerate(candidates)}
            chosen = [row for (_, ids), row in different.items() if fits(ids, gap)]
            if chosen:
                self._rows = rows.select(chosen)
                self._particles = [self._extend(candidates[row], gap.name) for row in chosen]
                return
        raise TuneError("Nothing that the model draws fits a gap; try another seed or temperature.")

    def _extend(self, candidate: Candidate, name: int) -> _Particle:
        weight, fillings = self._particles[candidate.parent]
        return _Particle(weight + candidate.weight, {**fillings, name: candidate.ids})

    def read_on(self, ids: Sequence[int], limits: Sequence[tuple[int, int]]) -> None:
        """Read what follows a gap; the likeliest ways are kept, the best first."""
        self._monitor.begin_part(len(ids))
        self._read([ids] * len(self._particles), limits)
        weights = [one.weight for one in self._particles]
        best = sorted(range(len(weights)), key=lambda row: -weights[row])[:NUM_PARTICLES]
        self._particles = [self._particles[row] for row in best]
        self._rows = self._rows.select(best)

    def _read(self, given: Sequence[Sequence[int]], limits: Sequence[tuple[int, int]] = ()) -> None:
        weights = [one.weight for one in self._particles]
        kept, weights, self._rows = read_given(
            self._engine, self._rows, given, weights, self._monitor, limits
        )
        self._particles = [
            self._particles[row]._replace(weight=weight)
            for row, weight in zip(kept, weights, strict=True)
        ]


def find_known_line(token: str, vocabulary: Vocabulary) -> str:
    """The bar line of a model that says most of what this one does; another token as it is.

    A line whose count of bars the model does not know has the nearest one that it knows; a double
    bar is a plain one where it knows none, and a third ending is a second one.
    """
    line, count = split_count(token)
    if token in vocabulary or not score.BAR_LINE.fullmatch(line):
        return token
    ending = {"1": "|1"}.get(line[1:2], "|2") if line[-1].isdigit() else line
    known = [(*split_count(other), other) for other in vocabulary.tokens]
    for wanted in (line, ending, *_OTHER_LINES.get(line, ()), "|"):
        far = len(known)
        found = [
            (far if count is None or other is None else abs(count - other), spelt)
            for name, other, spelt in known
            if name == wanted
        ]
        if found:
            return min(found)[1]
    return token
