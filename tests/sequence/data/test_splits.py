from pathlib import Path

import numpy as np
import pytest

from sluice.sequence import DataError, Series, Tokens, Vocabulary
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.splits import split_from_names


def tokens(number: int = 40, **more: object) -> Tokens:
    vocabulary = Vocabulary(tuple("abc"), "characters")
    ids = RaggedArray.of([[3 + place % 3] * (1 + place) for place in range(number)])
    names = tuple(f"speaker{place % 8}-{place}" for place in range(number))
    return Tokens(vocabulary, ids, names=names, **more)  # type: ignore[arg-type]


def test_by_sequences_at_random() -> None:
    split = tokens().split(validation=0.1, test=0.2, seed=1)
    parts = [set(part.names) for part in (split.train, split.validation, split.test)]
    assert [len(part) for part in parts] == [28, 4, 8]
    assert set.union(*parts) == set(tokens().names)
    again, other = (tokens().split(validation=0.1, test=0.2, seed=seed) for seed in (1, 2))
    assert again.validation.names == split.validation.names != other.validation.names
    assert "28 train, 4 validation, 8 test" in split.report()
    place = int(split.validation.names[0].split("-")[1])
    assert len(split.validation.ids[0]) == place + 1


def test_groups_stay_on_one_side() -> None:
    split = tokens().split(by=lambda name: name.split("-")[0], validation=0.2, test=0.2)
    speakers = [
        {name.split("-")[0] for name in part.names}
        for part in (split.train, split.validation, split.test)
    ]
    assert sum(map(len, speakers)) == len(set.union(*speakers)) == 8
    assert all(speakers)
    families = tokens(groups=tuple(place // 4 for place in range(40)))
    split = families.split(validation=0.2)
    assert not set(split.train.groups) & set(split.validation.groups)
    assert "10 groups" in split.description and len(split.validation) == 8


def test_a_split_by_time_keeps_the_end_for_validation() -> None:
    split = tokens(3).split(validation=0.25, test=0.25)
    assert split.train.ids.lengths.tolist() == [0, 1, 2]
    assert len(split.validation) == len(split.test) == 3
    ids = [part.ids for part in (split.train, split.validation, split.test)]
    whole = [np.concatenate(parts) for parts in zip(*ids, strict=True)]
    assert [one.tolist() for one in whole] == [one.tolist() for one in tokens(3).ids]
    assert len(tokens(3).split(by="time").test) == 0


def test_splits_given_by_the_caller() -> None:
    split = tokens(predefined_split={"train": (0, 2), "validation": (1,)}).split()
    assert split.train.names == ("speaker0-0", "speaker2-2")
    assert (len(split.validation), len(split.test)) == (1, 0)
    assert split_from_names([Path("train/a.txt"), Path("dev/a.txt"), Path("test/b.txt")]) == {
        "train": (0,),
        "validation": (1,),
        "test": (2,),
    }
    assert split_from_names([Path("train.txt"), Path("other.txt")]) == {}


def test_normalisation_uses_the_training_part_alone() -> None:
    rng = np.random.default_rng(0)
    values = RaggedArray.of([rng.normal(5, 3, (200, 2)) for _ in range(4)], np.float32)
    values.flat[::7, 1] = np.nan
    values.flat[150:200] += 1000
    split = Series(("a", "b"), values).split(validation=0.25).normalise()
    train = np.concatenate(list(split.train.values))
    np.testing.assert_allclose(np.nanmean(train, axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.nanstd(train, axis=0), 1, atol=1e-5)
    assert np.nanmean(split.validation.values[0]) > 100
    assert split.statistics is not None
    restored = split.statistics.denormalise(split.validation.values[0][:, 1:], ["b"])
    np.testing.assert_allclose(restored, values[0][150:, 1:], rtol=1e-4)


def test_constant_columns() -> None:
    values = RaggedArray.of([[[3.0, np.nan]] * 20], np.float32)
    split = Series(("a", "b"), values).split().normalise()
    assert split.train.values[0][0, 0] == 0 and np.isnan(split.train.values[0][0, 1])


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"by": "given"}, "by='given' needs data that contain a split"),
        ({"by": "groups"}, "without groups"),
        ({"by": "chance"}, "got 'chance'"),
        ({"validation": 1.0}, "a sum below 1"),
        ({"by": lambda name: "one"}, "at least 2 sequences or groups, got 1"),
        ({"by": lambda name: name == "speaker0-0", "validation": 0.01}, None),
        ({"by": lambda name: int(name.split("-")[1]) % 2, "validation": 0.1}, "small enough"),
    ],
)
def test_invalid_splits_are_refused(how: dict[str, object], message: str | None) -> None:
    if message is None:
        assert len(tokens().split(**how).validation) == 1  # type: ignore[arg-type]
        return
    with pytest.raises(DataError, match=message):
        tokens().split(**how)  # type: ignore[arg-type]


def test_one_label_a_sequence_cannot_be_split_by_time() -> None:
    labelled = Series(("a",), RaggedArray.of([[[1.0]] * 9] * 3, np.float32), labels=(0, 1, 0))
    with pytest.raises(DataError, match="cannot be split by time"):
        labelled.split(by="time")
    assert labelled.split(validation=0.3).train.labels in {(0, 1), (0, 0), (1, 0)}
