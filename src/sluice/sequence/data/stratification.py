"""Splits at random in which each class has its share of every part."""

from __future__ import annotations

import heapq
import random
from collections.abc import Hashable, Sequence

from sluice.sequence.errors import DataError


def split_by_class(
    strata: Sequence[Hashable], validation: float, test: float, seed: int
) -> dict[str, list[int]]:
    """The indices of each part; classes have their shares of it by largest remainders.

    A class with two items is in training and validation, one with three in the test part too; a
    single item trains.

    Args:
        strata: the class of each item; at least one class has two.
        validation, test: fractions of the items; a part that is asked for gets at least one.
        seed: for the choice within a class.

    Raises:
        DataError: a test part is asked for, but no class has three items.

    >>> parts = split_by_class("AAAAAABBBC", validation=0.3, test=0.0, seed=0)
    >>> {part: "".join("AAAAAABBBC"[place] for place in of) for part, of in parts.items()}
    {'train': 'AAAABBC', 'validation': 'AAB', 'test': ''}
    """
    members: dict[Hashable, list[int]] = {}
    for place, key in enumerate(strata):
        members.setdefault(key, []).append(place)
    sizes = [len(of) for of in members.values()]
    tested = _apportion(test, sizes, [max(0, size - 2) for size in sizes])
    held_out = _apportion(
        validation, sizes, [size - taken - 1 for size, taken in zip(sizes, tested, strict=True)]
    )
    if test and not any(tested):
        raise DataError(
            "A test part needs a class with at least three sequences; leave test out, or add more."
        )
    parts: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    generator = random.Random(seed)
    for of, first, second in zip(members.values(), held_out, tested, strict=True):
        order = generator.sample(of, len(of))
        parts["validation"] += order[:first]
        parts["test"] += order[first : first + second]
        parts["train"] += order[first + second :]
    return {part: sorted(places) for part, places in parts.items()}


def _apportion(share: float, sizes: Sequence[int], most: Sequence[int]) -> list[int]:
    """Of each class its share of the items, rounded so that the sum is right (Hamilton's method).

    A class that can give one gives at least one, and none more than `most`.
    """
    if not share:
        return [0] * len(sizes)
    total = max(1, round(share * sum(sizes)))
    quotas = [total * size / sum(sizes) for size in sizes]
    taken = [min(1, one) for one in most]
    floors = [
        max(least, min(int(quota), one))
        for least, quota, one in zip(taken, quotas, most, strict=True)
    ]
    if sum(floors) <= total:
        taken = floors
    needs = [(taken[place] - quota, place) for place, quota in enumerate(quotas)]
    heapq.heapify(needs)
    missing = total - sum(taken)
    while missing > 0 and needs:
        need, place = heapq.heappop(needs)
        if taken[place] < most[place]:
            taken[place] += 1
            missing -= 1
            heapq.heappush(needs, (need + 1, place))
    return taken
