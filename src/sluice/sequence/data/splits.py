"""Splits of data into parts for training, validation and test."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Generic, Literal, Protocol, Self, TypeVar

from sluice.files import StrPaths, to_paths
from sluice.sequence.data.feature_statistics import FeatureStatistics
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.stratification import split_by_class
from sluice.sequence.errors import DataError

By = Literal["sequences", "time", "given", "groups"] | Callable[[str], Hashable]
_PARTS = ("train", "validation", "test")
_PART_ALIASES = {
    "training": "train",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
}


class Dataset(Protocol):
    """What can be split: sequences to select from, each sliced in time."""

    @property
    def names(self) -> Sequence[str]: ...
    @property
    def groups(self) -> Sequence[Hashable]: ...
    @property
    def predefined_split(self) -> Mapping[str, Sequence[int]]: ...
    @property
    def strata(self) -> Sequence[Hashable]: ...
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
    """The three parts of a data set; `test` may be empty. `description` says how it was split.

    `statistics` are the training part's, after `normalise`.
    """

    train: D
    validation: D
    test: D
    description: str
    statistics: FeatureStatistics | None = None

    def report(self) -> str:
        """A sentence: how it was split, and the number of sequences in each part."""
        sizes = ", ".join(f"{len(getattr(self, part))} {part}" for part in _PARTS)
        return f"Split {self.description}: {sizes}."

    def normalise(self: Split[N], statistics: FeatureStatistics | None = None) -> Split[N]:
        """The same split with mean 0 and deviation 1 in every feature of the training part.

        All parts are normalised with the training part's statistics, or those that are given.

        Raises:
            DataError: multi-hot values.
        """
        statistics = statistics or self.train.compute_statistics()
        flat = statistics.normalise(self.train.values.flat)
        train, valid, test = (
            part.with_values(replace(part.values, flat=flat))
            for part in (self.train, self.validation, self.test)
        )
        return Split(train, valid, test, self.description, statistics)


def split(data: D, by: By, *, validation: float, test: float, seed: int) -> Split[D]:
    """Split by sequences or groups at random, as the files are split, or by time.

    Args:
        data: tokens or series.
        by: `"sequences"`, at random, with one class per sequence in proportion to its frequency (as
            scikit-learn's `StratifiedShuffleSplit`; a class of two or more is in both parts);
            `"time"`, the end of each sequence for validation and test;
            `"given"`, as the files are split; `"groups"`, as the format groups sequences; or a
            function from a sequence's name to its group.
        validation: the fraction for validation.
        test: the fraction for test.
        seed: for the random choice.

    Raises:
        DataError: fractions that leave nothing to train on, or a split that the data do not
            offer.
    """
    if not (validation >= 0 and test >= 0 and validation + test < 1):
        raise DataError(
            "validation and test must be fractions with a sum below 1, "
            f"got {validation} and {test}."
        )
    if by == "time":
        ends = (0.0, 1 - validation - test, 1 - test, 1.0)
        parts = [
            data.slice_fraction(*cut) if cut[0] < cut[1] else data.select(())
            for cut in pairwise(ends)
        ]
        how = "by time, the end of each sequence held out"
    else:
        places, how = _assign_parts(data, by, validation, test, seed)
        parts = [data.select(places.get(part, ())) for part in _PARTS]
    train, held_out, tested = parts
    return Split(train, held_out, tested, how)


def _assign_parts(
    data: Dataset, by: By, validation: float, test: float, seed: int
) -> tuple[Mapping[str, Sequence[int]], str]:
    if by == "sequences" and len(set(data.strata)) < len(data.strata):
        how = "by sequences at random, drawn by class"
        return split_by_class(data.strata, validation, test, seed), how
    if by == "sequences":
        singles = [[place] for place in range(len(data))]
        return _split_randomly(singles, validation, test, seed), "by sequences at random"
    if by == "given":
        if not data.predefined_split:
            raise DataError(
                "by='given' needs data that contain a split, and these do not; use "
                "by='sequences', 'time' or 'groups'."
            )
        return data.predefined_split, "as given with the data"
    if by == "groups":
        keys = data.groups
        missing = "These data come without groups; give a function from name to group."
    elif callable(by):
        keys = [by(name) for name in data.names]
        missing = "These sequences have no names to group by; choose another way to split."
    else:
        raise DataError(f"by must be sequences, time, given, groups or a function, got {by!r}.")
    if not keys:
        raise DataError(missing)
    groups: dict[Hashable, list[int]] = {}
    for place, key in enumerate(keys):
        groups.setdefault(key, []).append(place)
    how = f"by {len(groups)} groups at random, each on one side"
    return _split_randomly(list(groups.values()), validation, test, seed), how


def _split_randomly(
    groups: Sequence[Sequence[int]], validation: float, test: float, seed: int
) -> dict[str, list[int]]:
    """Groups in random order, each to the first part that has room for it; the rest trains."""
    total = sum(map(len, groups))
    room = {
        part: max(1, round(share * total)) if share else 0
        for part, share in (("validation", validation), ("test", test))
    }
    wanted = 1 + sum(size > 0 for size in room.values())
    if len(groups) < wanted:
        raise DataError(
            f"A split into {wanted} parts needs at least {wanted} sequences or groups, got "
            f"{len(groups)}; split by time, or add more."
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
                "sequences); choose a larger fraction."
            )
    return {part: sorted(places) for part, places in parts.items()}


def parse_part(name: str) -> str:
    """The part of a split that a name stands for, or an empty string.

    >>> parse_part("Validation"), parse_part("speech")
    ('validation', '')
    """
    part = _PART_ALIASES.get(name.lower(), name.lower())
    return part if part in _PARTS else ""


def split_from_names(files: StrPaths) -> dict[str, tuple[int, ...]]:
    """The split by file names (train.txt) or folders (train/a.txt), if it covers all files.

    >>> split_from_names(["a/train.txt", "a/val.txt"])
    {'train': (0,), 'validation': (1,)}
    """
    found: dict[str, list[int]] = {}
    for place, file in enumerate(to_paths(files)):
        part = parse_part(file.stem) or parse_part(file.parent.name)
        found.setdefault(part, []).append(place)
    if "" in found or "train" not in found or len(found) < 2:
        return {}
    return {part: tuple(found[part]) for part in _PARTS if part in found}


def select_items(items: Sequence[T], indices: Sequence[int]) -> tuple[T, ...]:
    """The items at `indices`, or none if there are no items."""
    return tuple(items[place] for place in indices) if items else ()
