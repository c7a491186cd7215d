"""Data parted for training, validation and test."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Generic, Literal, Protocol, Self, TypeVar

from sluice.files import StrPaths, to_paths
from sluice.sequence.data.feature_statistics import FeatureStatistics
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.errors import DataError

By = Literal["sequences", "time", "given", "groups"] | Callable[[str], Hashable]
_PARTS = ("train", "valid", "test")
_PART_ALIASES = {"training": "train", "validation": "valid", "val": "valid", "dev": "valid"}


class Dataset(Protocol):
    """What can be split: sequences that can be chosen, and each cut at a time."""

    @property
    def names(self) -> Sequence[str]: ...
    @property
    def groups(self) -> Sequence[Hashable]: ...
    @property
    def predefined_split(self) -> Mapping[str, Sequence[int]]: ...
    def __len__(self) -> int: ...
    def select(self, indices: Sequence[int]) -> Self: ...
    def slice_fraction(self, first: float, last: float) -> Self: ...


class NumericDataset(Dataset, Protocol):
    """What can be normalised: sequences of numbers in one array."""

    @property
    def values(self) -> RaggedArray: ...
    def compute_statistics(self) -> FeatureStatistics: ...
    def with_values(self, values: RaggedArray) -> Self: ...


D = TypeVar("D", bound=Dataset)
N = TypeVar("N", bound=NumericDataset)
T = TypeVar("T")


@dataclass(frozen=True)
class Split(Generic[D]):
    """Three parts of one data set; `test` may be empty. `how` says how it was split.

    `statistics` are the training part's, once `normalised` has been called.
    """

    train: D
    valid: D
    test: D
    description: str
    statistics: FeatureStatistics | None = None

    def report(self) -> str:
        """How it was split, and how many sequences each part has."""
        sizes = ", ".join(f"{len(getattr(self, part))} {part}" for part in _PARTS)
        return f"Split {self.description}: {sizes}."

    def normalise(self: Split[N]) -> Split[N]:
        """The same with mean 0 and deviation 1 in every feature of the training part.

        All parts are moved and scaled alike, by the training part's figures.

        Raises:
            DataError: values that are only on and off.
        """
        statistics = self.train.compute_statistics()
        flat = statistics.normalise(self.train.values.flat)
        train, valid, test = (
            part.with_values(replace(part.values, flat=flat))
            for part in (self.train, self.valid, self.test)
        )
        return Split(train, valid, test, self.description, statistics)


def split(data: D, by: By, *, valid: float, test: float, seed: int) -> Split[D]:
    """Split by whole sequences or groups at random, as the files have it, or by time.

    Args:
        data: tokens or series.
        by: `"sequences"`; `"time"`, where of each sequence the end is kept; `"given"`;
            `"groups"` that the format found; or a function from a sequence's name to its group.
        valid: the part to validate on, between 0 and 1.
        test: the part to test on.
        seed: decides what is kept at random.

    Raises:
        DataError: parts that leave nothing to train on, or a way that the data do not offer.
    """
    if not (valid >= 0 and test >= 0 and valid + test < 1):
        raise DataError(
            f"valid and test are parts of the whole that leave something to train on, but {valid} "
            f"and {test} came."
        )
    if by == "time":
        ends = (0.0, 1 - valid - test, 1 - test, 1.0)
        parts = [
            data.slice_fraction(*cut) if cut[0] < cut[1] else data.select(())
            for cut in pairwise(ends)
        ]
        how = "by time, the end of each sequence kept"
    else:
        places, how = _assign_parts(data, by, valid, test, seed)
        parts = [data.select(places.get(part, ())) for part in _PARTS]
    train, validation, tested = parts
    return Split(train, validation, tested, how)


def _assign_parts(
    data: Dataset, by: By, valid: float, test: float, seed: int
) -> tuple[Mapping[str, Sequence[int]], str]:
    if by == "sequences":
        alone = [[place] for place in range(len(data))]
        return _split_randomly(alone, valid, test, seed), "by sequences at random"
    if by == "given":
        if not data.predefined_split:
            raise DataError("These data have no split of their own; split them by another way.")
        return data.predefined_split, "as the data have it"
    if by == "groups":
        keys = data.groups
        missing = "These data have no groups of their own; give a function from name to group."
    elif callable(by):
        keys = [by(name) for name in data.names]
        missing = "These sequences have no names to group them by; split them by another way."
    else:
        raise DataError(f"Split by sequences, time, given, groups or a function; {by!r} came.")
    if not keys:
        raise DataError(missing)
    groups: dict[Hashable, list[int]] = {}
    for place, key in enumerate(keys):
        groups.setdefault(key, []).append(place)
    how = f"by {len(groups)} groups at random, each on one side"
    return _split_randomly(list(groups.values()), valid, test, seed), how


def _split_randomly(
    groups: Sequence[Sequence[int]], valid: float, test: float, seed: int
) -> dict[str, list[int]]:
    """Groups in random order, each to the first part that has room for it; the rest trains."""
    total = sum(map(len, groups))
    room = {
        part: max(1, round(share * total)) if share else 0
        for part, share in (("valid", valid), ("test", test))
    }
    wanted = 1 + sum(size > 0 for size in room.values())
    if len(groups) < wanted:
        raise DataError(
            f"A split into {wanted} parts needs as many sequences or groups, but there "
            f"{'is' if len(groups) == 1 else 'are'} {len(groups)}; split by time, or give more."
        )
    parts: dict[str, list[int]] = {part: [] for part in _PARTS}
    order = random.Random(seed).sample(range(len(groups)), len(groups))
    for group in sorted(order, key=lambda place: len(groups[place]) > 1):
        fits = [part for part in room if len(parts[part]) + len(groups[group]) <= room[part]]
        parts[fits[0] if fits else "train"] += groups[group]
    for part in room:
        if room[part] and not parts[part]:
            raise DataError(
                f"No group is small enough for the part {part} ({room[part]} of {total} "
                "sequences); ask for a larger part."
            )
    return {part: sorted(places) for part, places in parts.items()}


def parse_part(name: str) -> str:
    """The part of a split that a name means, or nothing.

    >>> parse_part("Validation"), parse_part("speech")
    ('valid', '')
    """
    part = _PART_ALIASES.get(name.lower(), name.lower())
    return part if part in _PARTS else ""


def split_from_names(files: StrPaths) -> dict[str, tuple[int, ...]]:
    """The split that file names (train.txt) or their folders (train/a.txt) tell, if all do.

    >>> split_from_names(["a/train.txt", "a/val.txt"])
    {'train': (0,), 'valid': (1,)}
    """
    found: dict[str, list[int]] = {}
    for place, file in enumerate(to_paths(files)):
        part = parse_part(file.stem) or parse_part(file.parent.name)
        found.setdefault(part, []).append(place)
    if "" in found or "train" not in found or len(found) < 2:
        return {}
    return {part: tuple(found[part]) for part in _PARTS if part in found}


def select_items(items: Sequence[T], indices: Sequence[int]) -> tuple[T, ...]:
    """What is kept of the sequences at `places`, where anything is."""
    return tuple(items[place] for place in indices) if items else ()
