"""Tune families, and a split that keeps each on one side.

In a collection of folk music variants of a tune stand side by side: a split at random would test
on what was memorised. A family is a connected component of tunes that share a passage or a title.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from sluice.tunes.errors import TuneError
from sluice.tunes.notation.score import Bar
from sluice.tunes.tune import Tune

BarContent = tuple[tuple[tuple[int, ...], Fraction], ...]
"""What a bar sounds: semitones above some C, and length in eighths, of each event."""
Passage = tuple[BarContent, BarContent]

_MIN_PITCHES = 4
_ASIDE = re.compile(r"\([^)]*\)|\bno\.? ?\d+|[^\w ]")
_ARTICLE = re.compile(r"\b(the|a|an)\b")


def iterate_passages(tune: Tune) -> Iterator[Passage]:
    """Every two neighbouring bars of a tune, as they sound on a root of C in any octave.

    Both bars are complete and they differ, and together they have at least four pitches: a held
    last note or a bar played twice is no kinship. The octave is left out because the same tune
    in G and in A may come to lie an octave apart.
    """
    for bars in pairwise(tune.score.bars):
        pitches = {pitch for bar in bars for event in bar.events for pitch in event.pitches}
        if len(pitches) < _MIN_PITCHES or any(bar.duration != bar.length for bar in bars):
            continue
        octave = min(pitches) // 12 * 12
        first, second = (_normalise_bar(bar, octave) for bar in bars)
        if first != second:
            yield first, second


def _normalise_bar(bar: Bar, octave: int) -> BarContent:
    return tuple(
        (tuple(pitch - octave for pitch in event.pitches), event.duration) for event in bar.events
    )


def normalise_title(title: str) -> str:
    """A title without case, punctuation, articles, numbers and asides.

    >>> normalise_title("The Boys of Bluehill, No. 2 (slowly)")
    'boys of bluehill'
    """
    return " ".join(_ARTICLE.sub(" ", _ASIDE.sub(" ", title.casefold())).split())


def group_families(tunes: Sequence[Tune]) -> list[list[int]]:
    """The places in `tunes` of each family's members, in order of the first."""
    leader = list(range(len(tunes)))

    def find_root(place: int) -> int:
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = leader[place]
        return place

    first: dict[object, int] = {}
    for place, tune in enumerate(tunes):
        title = normalise_title(tune.title)
        for mark in (*iterate_passages(tune), *([title] if title else [])):
            leader[find_root(place)] = find_root(first.setdefault(mark, place))
    members: defaultdict[int, list[int]] = defaultdict(list)
    for place in range(len(tunes)):
        members[find_root(place)].append(place)
    return sorted(members.values())


@dataclass(frozen=True)
class FamilySplit:
    """Training and validation tunes of different families, and figures of the families.

    `random_leak` is the part of the validation tunes that, in a split of the same size at
    random, would have a relative among the training tunes.
    """

    training: tuple[Tune, ...]
    validation: tuple[Tune, ...]
    num_families: int
    largest_family: int
    random_leak: float

    def report(self) -> str:
        """The figures in one sentence each."""
        return (
            f"{self.num_families} families, the largest of {self.largest_family} tunes. "
            f"{len(self.training)} tunes to train on, {len(self.validation)} of other families "
            f"to validate on; at random, {self.random_leak:.0%} of these would have a relative "
            "among the first."
        )


def split_by_family(tunes: Sequence[Tune], validation: float = 0.05, seed: int = 0) -> FamilySplit:
    """Split `tunes` by family; about the part `validation` of them is kept for validation.

    Raises:
        TuneError: fewer than two families, so that nothing could be kept apart.
    """
    groups = group_families(tunes)
    if len(groups) < 2:
        raise TuneError(
            f"All {len(tunes)} tunes are of one family, so none can be kept for validation; "
            "give more tunes."
        )
    wanted = max(1, round(validation * len(tunes)))
    order = random.Random(seed).sample(groups, len(groups))
    kept: list[int] = []
    for group in order:
        room = wanted - len(kept)
        if len(group) <= room or (not kept and group is order[-1]):
            kept += group
    kept = kept or min(groups, key=len)
    chosen = set(kept)
    return FamilySplit(
        tuple(tune for place, tune in enumerate(tunes) if place not in chosen),
        tuple(tunes[place] for place in sorted(chosen)),
        len(groups),
        max(map(len, groups)),
        _estimate_random_leak(groups, len(kept), random.Random(seed)),
    )


def split_at_random(tunes: Sequence[Tune], validation: float = 0.05, seed: int = 0) -> FamilySplit:
    """A split that ignores families, as in most of the literature.

    Raises:
        TuneError: fewer than two tunes.
    """
    if len(tunes) < 2:
        raise TuneError("One tune alone cannot be split; give more tunes.")
    groups = group_families(tunes)
    size = max(1, round(validation * len(tunes)))
    chosen = set(random.Random(seed).sample(range(len(tunes)), size))
    return FamilySplit(
        tuple(tune for place, tune in enumerate(tunes) if place not in chosen),
        tuple(tunes[place] for place in sorted(chosen)),
        len(groups),
        max(map(len, groups)),
        _estimate_random_leak(groups, size, random.Random(seed)),
    )


def split_by_choice(tunes: Sequence[Tune], validates: Callable[[Tune], bool]) -> FamilySplit:
    """Keep chosen tunes for validation, so that a split outlives changes of the collection; their
    relatives are left out of both sides.

    Raises:
        TuneError: no tune is chosen, or no other is left.
    """
    chosen = [place for place, tune in enumerate(tunes) if validates(tune)]
    groups = group_families(tunes)
    related = {place for group in groups if not set(chosen).isdisjoint(group) for place in group}
    training = [tune for place, tune in enumerate(tunes) if place not in related]
    if not chosen or not training:
        raise TuneError("A split needs tunes on both sides; choose some of several families.")
    return FamilySplit(
        tuple(training),
        tuple(tunes[place] for place in chosen),
        len(groups),
        max(map(len, groups)),
        _estimate_random_leak(groups, len(chosen), random.Random(0)),
    )


def _estimate_random_leak(groups: Sequence[Sequence[int]], size: int, rng: random.Random) -> float:
    """The mean over a hundred random splits."""
    family = {place: number for number, group in enumerate(groups) for place in group}
    leaked = 0
    for _ in range(100):
        drawn = Counter(family[place] for place in rng.sample(sorted(family), size))
        leaked += sum(count for number, count in drawn.items() if count < len(groups[number]))
    return leaked / (100 * size)
