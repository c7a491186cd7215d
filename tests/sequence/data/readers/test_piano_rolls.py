import json
from pathlib import Path

import pytest

from sluice.sequence import BucketBatches, DataError, Series, load_data


def write_json(folder: Path, content: object) -> Path:
    path = folder / "a.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_pieces_become_sets_of_sounding_keys(tmp_path: Path) -> None:
    content = {"train": [[[60, 64], [], [-1, 21, 108]], [[60]]], "test": [[[62]]]}
    read = load_data(write_json(tmp_path, content))
    assert isinstance(read, Series) and read.multi_hot
    assert len(read.features) == 88 and read.features[0] == "21"
    sounding = [[int(read.features[k]) for k in step.nonzero()[0]] for step in read.values[0]]
    assert sounding == [[60, 64], [], [21, 108]]
    split = read.split()
    assert [len(part) for part in (split.train, split.validation, split.test)] == [2, 0, 1]
    assert "3 pieces (2 train, 1 test), 5 steps of 88 keys" in read.report()
    (batch,) = BucketBatches(split.train.to_supervised(), batch_size=2, seed=0).batches(0)
    assert batch.inputs.shape == batch.targets.shape == (3, 2, 88)
    assert batch.lengths is not None and batch.lengths.tolist() == [1, 3]
    assert batch.targets.nansum() == 1 + 4 and batch.inputs.sum() == 2
    with pytest.raises(DataError, match="cannot be normalised"):
        split.normalise()


def test_pieces_without_parts(tmp_path: Path) -> None:
    read = load_data(write_json(tmp_path, [[[60]], [[61], [62]]]))
    assert len(read) == 2 and not read.predefined_split and read.names == ("0", "1")


def test_an_invalid_piece_is_reported(tmp_path: Path) -> None:
    content = {"train": [[[60]], [[60], [1]], [[60], "x"], [], [[True]], [[60.5]]]}
    read = load_data(write_json(tmp_path, content))
    assert [one.reason for one in read.skipped_items] == [
        "train 1: step 1 has 1, expected a pitch from 21 to 108",
        "train 2: step 1 is not a list of pitches",
        "train 3: expected a list of steps that is not empty",
        "train 4: step 0 has True, expected a pitch from 21 to 108",
        "train 5: step 0 has 60.5, expected a pitch from 21 to 108",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("3", "holds no piano rolls"),
        ({"a": 1}, "holds no piano rolls"),
        ({"train": ["a", "b"]}, "holds no piano rolls"),
        ([], "holds no piano rolls"),
        ([[[1]]], "no piece that could be read.* step 0 has 1"),
    ],
)
def test_json_without_chorales(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_data(write_json(tmp_path, content))
