"""Validation drawn by class: hand counts, and the properties of a stratified split."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from sluice.sequence import DataError, Series
from sluice.sequence.data.class_counts import count_classes, describe_classes
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.stratification import split_by_class


def count(strata: str, parts: dict[str, list[int]], part: str) -> dict[str, int]:
    return dict(Counter(strata[place] for place in parts[part]))


@pytest.mark.parametrize(
    ("strata", "validation", "held_out"),
    [
        ("A" * 50 + "B" * 30 + "C" * 20, 0.1, {"A": 5, "B": 3, "C": 2}),
        # Quotas of 4 of 10: 2.4, 1.2, 0.4. Floors 2, 1, 0, and C must have one.
        ("A" * 6 + "B" * 3 + "C", 0.4, {"A": 3, "B": 1}),
        ("A" * 12 + "B" * 6 + "C" * 2, 0.2, {"A": 2, "B": 1, "C": 1}),
        # Ten classes of two: one of each, though a tenth would be two sequences.
        ("AABBCCDDEEFFGGHHIIJJ", 0.1, dict.fromkeys("ABCDEFGHIJ", 1)),
        # A class of one trains.
        ("A" * 10 + "BCDE", 0.1, {"A": 1}),
        ("AAB", 0.9, {"A": 1}),
        ("AA", 0.01, {"A": 1}),
    ],
)
def test_counts_by_hand(strata: str, validation: float, held_out: dict[str, int]) -> None:
    parts = split_by_class(strata, validation, 0.0, seed=3)
    assert count(strata, parts, "validation") == held_out
    rest = Counter(strata)
    rest.subtract(held_out)
    assert count(strata, parts, "train") == {key: n for key, n in rest.items() if n}
    assert parts["test"] == []


def test_random_classes_keep_their_shares() -> None:
    generator = random.Random(0)
    for seed in range(200):
        names = "ABCDEFGH"[: generator.randint(1, 8)]
        strata = "".join(generator.choices(names, [2**-k for k in range(len(names))], k=300))
        share = generator.choice((0.05, 0.1, 0.25, 0.5))
        test = generator.choice((0.0, 0.1, 0.2))
        parts = split_by_class(strata, share, test, seed)
        assert sorted(place for of in parts.values() for place in of) == list(range(300))
        sizes = Counter(strata)
        for part, fraction in (("validation", share), ("test", test)):
            found = count(strata, parts, part)
            floor = sum(size >= 3 for size in sizes.values()) if fraction else 0
            assert len(parts[part]) >= round(300 * fraction)
            assert len(parts[part]) <= max(round(300 * fraction), floor) + len(names)
            for name, size in sizes.items():
                exact = fraction * size
                if fraction and size >= 3:
                    assert found.get(name, 0) >= 1
                if exact >= 1:  # not raised to one: within one of its share
                    assert abs(found.get(name, 0) - exact) <= 1 + len(names) / 2
        assert set(count(strata, parts, "train")) == set(names) & set(strata)


def test_the_choice_depends_on_the_seed_alone() -> None:
    strata = "ABC" * 30
    first = split_by_class(strata, 0.2, 0.1, seed=1)
    assert first == split_by_class(strata, 0.2, 0.1, seed=1)
    assert first["validation"] != split_by_class(strata, 0.2, 0.1, seed=2)["validation"]


def labelled(strata: str, **more: object) -> Series:
    classes = tuple(sorted(set(strata)))
    values = RaggedArray.of([[[float(k)]] * 2 for k in range(len(strata))], np.float32)
    labels = tuple(classes.index(one) for one in strata)
    names = tuple(map(str, range(len(strata))))
    return Series(("x",), values, labels=labels, classes=classes, names=names, **more)  # type: ignore[arg-type]


def test_a_series_is_split_by_class() -> None:
    split = labelled("A" * 90 + "B" * 10).split(validation=0.1)
    assert count_classes(split.train).tolist() == [81, 9]
    assert count_classes(split.validation).tolist() == [9, 1]
    assert split.description == "by sequences at random, drawn by class"


def test_classes_of_one_sequence_each_are_split_as_others() -> None:
    split = labelled("ABCDEFGHIJ").split(validation=0.2)
    assert len(split.validation) == 2
    assert split.description == "by sequences at random"


def test_groups_and_given_splits_come_first() -> None:
    strata = "AABB" * 5
    split = labelled(strata, groups=tuple(k // 4 for k in range(20))).split(validation=0.2)
    assert not set(split.train.groups) & set(split.validation.groups)
    given = {"train": (0, 2), "validation": (1,)}
    assert labelled(strata, predefined_split=given).split().validation.names == ("1",)


def test_a_test_part_needs_three_of_a_class() -> None:
    with pytest.raises(DataError, match="a class with at least three sequences"):
        labelled("AABB").split(validation=0.25, test=0.25)


def test_the_report_on_classes() -> None:
    split = labelled("A" * 97 + "BBC").split(validation=0.1)
    told = describe_classes(split)
    assert told == (
        "Labels to train on + to validate on: A 88 + 9, B 1 + 1, C 1 + 0.",
        "Validation has none of C, and says nothing of how they do.",
        "The classes are imbalanced: 98% of the training labels are A, so that always saying A is "
        "right about as often.",
    )
    given = labelled("AAB", predefined_split={"train": (0, 1), "validation": (2,)}).split()
    assert "Training has none of B, which the model cannot learn." in describe_classes(given)
    even = describe_classes(labelled("A" * 20 + "B" * 20).split())
    assert even == ("Labels to train on + to validate on: A 18 + 2, B 18 + 2.",)


def test_labels_of_steps_are_counted_without_missing_ones() -> None:
    values = RaggedArray.of([[[0.0]] * 3, [[0.0]] * 2], np.float32)
    steps = RaggedArray.of([[1, 0, 2], [2, 2]])
    series = Series(("x",), values, labels=steps, classes=("a", "b", "c"))
    assert count_classes(series).tolist() == [1, 3, 0]
