"""Which pairs a split keeps together, and a vocabulary of both sides."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from sluice.sequence import DataError
from sluice.sequence.data.readers.pair_groups import group_pairs
from sluice.sequence.data.readers.pairs import read_pairs


def find_components(sources: list[str], targets: list[str]) -> set[frozenset[int]]:
    """Pairs that hang together by equal sources or targets, grown until nothing changes."""
    left, found = set(range(len(sources))), set()
    while left:
        group = {left.pop()}
        while True:
            more = {
                k
                for k in left
                if any(sources[k] == sources[j] or targets[k] == targets[j] for j in group)
            }
            if not more:
                break
            group |= more
            left -= more
        found.add(frozenset(group))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_no_text_of_either_side_stands_in_two_groups(seed: int) -> None:
    draw = random.Random(seed)
    sources, targets = ([str(draw.randrange(60)) for _ in range(50)] for _ in range(2))
    groups = group_pairs(sources, targets, "both").groups
    found: dict[str, set[int]] = {}
    for place, group in enumerate(groups):
        found.setdefault(group, set()).add(place)
    assert set(map(frozenset, found.values())) == find_components(sources, targets)
    assert group_pairs(sources, targets, "source").groups == tuple(sources)
    assert group_pairs(sources, targets, "target").groups == tuple(targets)


def test_targets_that_are_like_labels_hold_nothing_together() -> None:
    sources = [f"{number}" for number in range(40)]
    found = group_pairs(sources, ["yes", "no"] * 20)
    assert found.groups == tuple(sources)
    assert "Equal targets may stand in several parts" in found.notes[-1]
    assert len(set(group_pairs(sources, ["yes", "no"] * 20, "both").groups)) == 2
    with pytest.raises(DataError, match="group_by= must be one of source, target, both"):
        group_pairs(["a"], ["b"], "english")  # type: ignore[arg-type]


def write_pairs(folder: Path) -> Path:
    """Twenty targets, each with two sources; ten of the sources have a second target."""
    rows = [(f"Satz {n} {word}", f"sentence {n}") for n in range(20) for word in ("hier", "da")]
    rows += [(f"Satz {n} da", f"another {n}") for n in range(10)]
    path = folder / "pairs.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in rows))
    return path


def test_a_split_leaks_neither_side(tmp_path: Path) -> None:
    pairs = read_pairs([write_pairs(tmp_path)], unit="characters")
    report = pairs.report()
    assert "10 sources stand in several pairs, 20 in all" in report
    assert "20 targets stand in several pairs, 40 in all" in report
    split = pairs.split(validation=0.3, seed=1)
    sides = [
        [{tuple(ids.tolist()) for ids in side} for side in (part.sources, part.targets)]
        for part in (split.train, split.validation)
    ]
    assert len(split.validation) > 0
    for one, other in zip(*sides, strict=True):
        assert not one & other


@pytest.mark.parametrize("unit", ["characters", "words", "subwords"])
def test_a_joint_vocabulary_is_of_both_sides(tmp_path: Path, unit: str) -> None:
    path = write_pairs(tmp_path)
    pairs = read_pairs([path], unit=unit, joint_vocabulary=True, vocabulary_size=300)  # type: ignore[arg-type]
    assert pairs.vocabulary == pairs.target_vocabulary
    read = [
        pairs.vocabulary.decode_text(ids.tolist()) for ids in (pairs.sources[0], pairs.targets[0])
    ]
    assert [text.replace(" ", "") for text in read] == ["Satz0hier", "sentence0"]
    with pytest.raises(DataError, match="vocabulary_size= must be 1 to 1,000,000, got 0"):
        read_pairs([path], vocabulary_size=0)
