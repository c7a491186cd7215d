"""Gaps in a given tune, filled by a model that only reads forwards.

Candidates for a gap are drawn from the model given what stands before, and weighed by the
probability of what follows (importance sampling, one gap after the other with the best kept, as in
sequential Monte Carlo: Doucet et al. 2001).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from sluice.sequence import Checkpoint
from sluice.sequence.vocabulary import END, PADDING, START
from sluice.tunes.errors import InvalidTokensError, TuneError
from sluice.tunes.notation import score
from sluice.tunes.notation.score import Bar
from sluice.tunes.notation.transcription import GAP
from sluice.tunes.theory.dances import bar_length
from sluice.tunes.tune import Tune

_NUM_PARTICLES, _NUM_DRAWS, _MAX_ROUNDS = 3, 16, 4
_SEED_STRIDE = 100_000
"""Neighbouring seeds draw nothing in common."""


@dataclass(frozen=True)
class Gap:
    """Music to be generated.

    Attributes:
        length: How long it lasts, in eighths.
        meter: Its meter.
        name: Gaps of one name are filled alike.
        original: The tokens that it must not be filled with.
    """

    length: Fraction
    meter: str
    name: int
    original: tuple[str, ...] = ()


Segment = Sequence[str] | Gap
ModelState = Tensor | tuple[Tensor, ...]
ContinuationSampler = Callable[[Sequence[str], Sequence[int], int], list[list[str]]]
"""From tokens before, seeds, and how many tokens at most, to as many continuations."""


def split_at_gaps(tune: Tune) -> list[Segment]:
    """A tune with the token `GAP` in it, as given tokens and gaps in turn.

    A gap lasts what its bar lacks; the last bar of a part lacks the upbeat as well.

    Raises:
        TuneError: two gaps in a bar, or a bar that is full already.
    """
    bars = score.parse(["z" if token == GAP else token for token in tune.tokens]).bars
    found: list[Segment] = []
    done = 0
    for place, bar in enumerate(bars):
        inside = [n for n in range(bar.start, bar.stop) if tune.tokens[n] == GAP]
        if not inside:
            continue
        if len(inside) > 1:
            raise TuneError(f"Bar {place + 1} has {len(inside)} gaps; write one * a bar at most.")
        length = _target_length(bars, place) - (bar.duration - 1)
        if length <= 0:
            raise TuneError(f"Bar {place + 1} is full without its *; leave out some notes of it.")
        found += [tune.tokens[done : inside[0]], Gap(length, _bar_meter(tune, bar), len(found))]
        done = inside[0] + 1
    return [*found, tune.tokens[done:]]


def _bar_meter(tune: Tune, bar: Bar) -> str:
    if bar_length(tune.meter) in (None, bar.length):
        return tune.meter
    return f"{bar.length.numerator}/{bar.length.denominator * 8}"


def _target_length(bars: Sequence[Bar], place: int) -> Fraction:
    """How long a bar should be: the last of a part makes up for the part's upbeat."""
    bar = bars[place]
    if not _ends_section(bars, place):
        return bar.length
    first = place
    while first and not _ends_section(bars, first - 1):
        first -= 1
    upbeat = bars[first].duration
    return bar.length - upbeat if first < place and upbeat < bars[first].length else bar.length


def _ends_section(bars: Sequence[Bar], place: int) -> bool:
    bar = bars[place]
    return bar.closes or bar.is_double or place == len(bars) - 1 or bars[place + 1].opens


def mask_bars(tune: Tune, strength: float, rng: random.Random) -> list[Segment]:
    """A tune with the part `strength` of its bars made gaps, bars that are alike together.

    Raises:
        TuneError: a strength outside (0, 1], or no bar that could change.
    """
    if not 0 < strength <= 1:
        raise TuneError(f"The strength must be above 0 and at most 1, got {strength}.")
    bars = tune.score.bars
    alike: dict[tuple[str, ...], list[int]] = {}
    for place in range(len(bars)):
        if _may_change(tune, bars, place):
            spelt = tune.tokens[bars[place].start : bars[place].stop]
            alike.setdefault(spelt, []).append(place)
    if not alike:
        raise TuneError("The tune has no bar that could change; give a longer one.")
    changed = rng.sample(list(alike), max(1, round(strength * len(alike))))
    loose = {place: spelt for spelt in changed for place in alike[spelt]}
    found: list[Segment] = []
    done = 0
    for place, spelt in sorted(loose.items()):
        bar = bars[place]
        gap = Gap(bar.duration, _bar_meter(tune, bar), changed.index(spelt), spelt)
        found += [tune.tokens[done : bar.start], gap]
        done = bar.stop
    return [*found, tune.tokens[done:]]


def _may_change(tune: Tune, bars: Sequence[Bar], place: int) -> bool:
    """Whether a bar is whole, closes no part, and hangs on no tie, meter or neighbour."""
    bar = bars[place]
    tied = bar.events[-1].is_tied or (place and bars[place - 1].events[-1].is_tied)
    changes = any(score.METER.fullmatch(token) for token in tune.tokens[bar.start : bar.stop])
    whole = bar.duration == bar.length and len(bar.events) > 1
    return whole and not (tied or changes or _ends_section(bars, place))


class _Particle(NamedTuple):
    """A tune so far: its tokens, the log-probability of what was given, the fillings by name.

    `state` and `next_logits`, (vocabulary,), are the model's after the first `num_read` tokens.
    """

    tokens: tuple[str, ...]
    num_read: int
    state: ModelState
    next_logits: Tensor
    weight: float = 0.0
    fillings: Mapping[int, tuple[str, ...]] = MappingProxyType({})


def fill_gaps(
    checkpoint: Checkpoint, segments: Sequence[Segment], draw: ContinuationSampler, seed: int
) -> tuple[str, ...]:
    """The tokens of all parts, every gap filled; the same for the same seed.

    Raises:
        TuneError: nothing drawn fits a gap.
    """
    with torch.inference_mode():
        logits, state = checkpoint.model(torch.tensor([[START]]))
        ways = [_Particle((), 0, state, logits[-1, 0])]
        for number, part in enumerate(segments):
            if isinstance(part, Gap):
                ways = _fill_gap(ways, part, draw, _SEED_STRIDE * seed + 1000 * number)
            else:
                ways = _select_likeliest(checkpoint, ways, part, number == len(segments) - 1)
    return ways[0].tokens


def _select_likeliest(
    checkpoint: Checkpoint, ways: Sequence[_Particle], segment: Sequence[str], last: bool
) -> list[_Particle]:
    """The ways after which `part` is likeliest, and it behind them; `last` says the tune ends."""
    weights = _weigh_particles(checkpoint, ways, segment, last)
    best = sorted(range(len(ways)), key=lambda n: -weights[n])[:_NUM_PARTICLES]
    found = []
    for way in (ways[number]._replace(weight=weights[number]) for number in best):
        tokens = (*way.tokens, *segment)
        ids = checkpoint.vocabulary.encode(tokens[way.num_read :])
        logits, state = checkpoint.model(torch.tensor(ids)[:, None], way.state)
        found.append(
            way._replace(
                tokens=tokens, num_read=len(tokens), state=state, next_logits=logits[-1, 0]
            )
        )
    return found


def _weigh_particles(
    checkpoint: Checkpoint, ways: Sequence[_Particle], segment: Sequence[str], last: bool
) -> list[float]:
    """Each way's weight, and the log-probability of `part` after it."""
    rows = [checkpoint.vocabulary.encode([*way.tokens[way.num_read :], *segment]) for way in ways]
    inputs = pad_sequence([torch.tensor(row) for row in rows], padding_value=PADDING)
    logits, _ = checkpoint.model(inputs, _concatenate_states([way.state for way in ways]))
    ahead = torch.stack([way.next_logits for way in ways])[None]
    odds = torch.cat([ahead, logits]).log_softmax(dim=2)
    found = []
    for place, (way, row) in enumerate(zip(ways, rows, strict=True)):
        targets = torch.tensor([*row, END] if last else row)
        each = odds[: len(targets), place].gather(1, targets[:, None])
        found.append(way.weight + float(each[len(way.tokens) - way.num_read :].sum()))
    return found


def _concatenate_states(states: Sequence[ModelState]) -> ModelState:
    """States of one sequence each as the state of a batch."""
    if isinstance(states[0], Tensor):
        return torch.cat([state for state in states if isinstance(state, Tensor)], dim=1)
    hidden, cell = zip(*states, strict=True)
    return torch.cat(hidden, dim=1), torch.cat(cell, dim=1)


def _fill_gap(
    ways: Sequence[_Particle], gap: Gap, draw: ContinuationSampler, seed: int
) -> list[_Particle]:
    """The ways on through a gap: all fillings that fit, or the one that it must repeat."""
    known = [way for way in ways if gap.name in way.fillings]
    if known:
        return [_append_filling(way, way.fillings[gap.name], gap.name) for way in known]
    longest = ceil(3 * gap.length) + 8
    found: list[_Particle] = []
    for attempt in range(_MAX_ROUNDS):
        for place, way in enumerate(ways):
            first = seed + 100 * place + _NUM_DRAWS * attempt
            drawn = draw(way.tokens, range(first, first + _NUM_DRAWS), longest)
            fitting = dict.fromkeys(
                cut for tokens in drawn for cut in _find_fitting_prefix(tokens, gap)
            )
            found += [_append_filling(way, cut, gap.name) for cut in fitting if cut != gap.original]
        if found:
            return found
    raise TuneError("Nothing that the model draws fits a gap; try another seed or temperature.")


def _append_filling(way: _Particle, filling: tuple[str, ...], name: int) -> _Particle:
    return way._replace(tokens=way.tokens + filling, fillings={**way.fillings, name: filling})


def _find_fitting_prefix(tokens: Sequence[str], gap: Gap) -> Iterator[tuple[str, ...]]:
    """The beginning of what was drawn that lasts as long as the gap, where there is one."""
    for stop in range(1, len(tokens) + 1):
        if score.BAR_LINE.fullmatch(tokens[stop - 1]) or score.METER.fullmatch(tokens[stop - 1]):
            return
        after = tokens[stop] if stop < len(tokens) else "|"
        if after == "-" or score.DURATION.fullmatch(after):
            continue
        try:
            music = score.parse([f"M:{gap.meter}", "K:Cmaj", *tokens[:stop]])
        except InvalidTokensError:
            continue
        if sum(bar.duration for bar in music.bars) >= gap.length:
            if music.bars[0].duration == gap.length and not music.events[-1].is_tied:
                yield tuple(tokens[:stop])
            return
