import sys
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet as written_by_pyarrow

from sluice.extras import MissingExtraError
from sluice.sequence import BucketBatches, DataError, Series, WindowBatches, load_data
from sluice.sequence.data.ragged import RaggedArray


def csv(folder: Path, text: str, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def series(path: Path, **options: object) -> Series:
    read = load_data(path, **options)
    assert isinstance(read, Series)
    return read


def test_one_series_with_a_header_and_missing_values(tmp_path: Path) -> None:
    read = series(csv(tmp_path, "t;x\n1;2.5\n2;\n3;NA\n4;1e2\n"), target="x")
    np.testing.assert_array_equal(
        read.values[0], np.array([[1, 2.5], [2, np.nan], [3, np.nan], [4, 100]], np.float32)
    )
    assert (read.features, read.targets) == (("t", "x"), ("x",))
    assert "2 values missing of 8" in read.report()
    inputs, targets = read.to_supervised(horizon=2).read(0, 0, 3)
    assert inputs[:, 1].tolist() == [2.5, 2.5, 2.5]
    np.testing.assert_array_equal(targets, [[np.nan, np.nan], [np.nan, 100], [100, np.nan]])
    window = read.to_supervised(indicate=True).read(0, 0, 3)[0]
    assert window[:, 2:].tolist() == [[0, 0], [0, 1], [0, 1]]


def test_without_a_header(tmp_path: Path) -> None:
    read = series(csv(tmp_path, "1,2\n3,4\n"))
    assert read.features == ("column 1", "column 2") and read.values[0].tolist() == [[1, 2], [3, 4]]


def test_several_ragged_series_out_of_order(tmp_path: Path) -> None:
    rows = ["unique_id,ds,y", "b,2020-01-03,3", "a,2020-01-02,20", "b,2020-01-01,1"]
    rows += ["a,2020-01-01,10", "b,2020-01-02,2"]
    read = series(csv(tmp_path, "\n".join(rows)))
    assert read.names == ("b", "a") and read.features == ("y",)
    assert [one[:, 0].tolist() for one in read.values] == [[1, 2, 3], [10, 20]]
    assert "2 series of 2 to 3 steps" in read.report()
    split = read.split(validation=1 / 3)
    assert [one[:, 0].tolist() for one in split.validation.values] == [[3], [20]]
    batch = next(
        iter(WindowBatches(read.to_supervised(), seq_len=5, batch_size=2, seed=0).batches(0))
    )
    assert batch.targets.shape == (2, 2, 1)


def test_one_label_a_sequence(tmp_path: Path) -> None:
    rows = ["id,v,label"]
    for one, label in enumerate(["10", "9", "10", ""]):
        rows += [f"s{one},{step},{label}" for step in range(2)]
    read = series(csv(tmp_path, "\n".join(rows)), label_per="sequence")
    assert (read.classes, read.labels) == (("9", "10"), (1, 0, 1))
    assert [str(one).rpartition(": ")[2] for one in read.skipped_items] == [
        "no labels, expected one"
    ]
    assert "series s3" in read.report()
    (batch,) = BucketBatches(read.to_supervised(), batch_size=8, seed=0).batches(0)
    assert batch.targets.shape == (3,) and sorted(batch.targets.tolist()) == [0, 1, 1]


def test_one_label_a_step(tmp_path: Path) -> None:
    text = "id,v,class\nx,1,run\nx,2,sit\nx,3,\ny,4,sit\n"
    read = series(csv(tmp_path, text))
    assert isinstance(read.labels, RaggedArray) and read.classes == ("run", "sit")
    assert [one.tolist() for one in read.labels] == [[1, 2, 0], [2]]
    assert "Classes, one per step: run, sit." in read.report()
    half = read.select([1])
    assert half.to_supervised().read(0, 0, 1)[1].tolist() == [2]


def test_a_few_bad_rows_are_skipped_and_reported(tmp_path: Path) -> None:
    rows = ["a,b", *["1,2"] * 40, "x,3", "4", "inf,1", "5,6"]
    read = series(csv(tmp_path, "\n".join(rows)))
    assert read.values.lengths.tolist() == [41] and read.values[0][-1].tolist() == [5, 6]
    assert [(one.line, one.reason) for one in read.skipped_items] == [
        (42, "column 'a' has 'x', expected a number"),
        (43, "expected 2 cells as in the first row, got 1"),
        (44, "column 'a' has 'inf', expected a number"),
    ]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a,b\n1,2\n3\n4,5,6\n7,8\n", {}, r"2 of 4 rows cannot be read \(lines 3, 4\)"),
        ("a,b\n1,2\n", {"target": "c"}, r"column must be one of a, b, got 'c'\."),
        ("a,b,c\nx,y,z\n", {}, "None of the columns a, b, c is numeric"),
        ("a,b\n", {}, "no rows of values"),
        ("\n\n", {}, "has no rows; give"),
        ("a,a\n1,2\n", {}, "two columns are named 'a'"),
        ('a,b\n"1,2\n', {}, r"line 2 is not CSV"),
        ("time,a\nnoon,1\n", {}, "'noon' is neither a number nor an ISO date"),
        ("a\n1\n", {"columns": "a"}, "csv has no option columns="),
    ],
)
def test_invalid_files_are_refused(
    tmp_path: Path, text: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_data(csv(tmp_path, text), **options)


def test_files_of_other_columns(tmp_path: Path) -> None:
    csv(tmp_path, "a\n1\n2\n", "x.csv")
    csv(tmp_path, "a\n3\n", "y.csv")
    assert series(tmp_path).names == ("x", "y")
    csv(tmp_path, "b\n3\n", "z.csv")
    with pytest.raises(DataError, match=r"z\.csv has other columns"):
        load_data(tmp_path)


def test_parquet_reads_as_csv_does(tmp_path: Path) -> None:
    rows = {
        "id": ["b", "a", "b", "a"],
        "time": np.array(["2020-01-02", "2020-01-01", "2020-01-01", "2020-01-03"], "M8[s]"),
        "x": [1.5, None, 3.0, 4.0],
        "n": [1, 2, 3, 4],
        "note": ["u", "v", "w", "x"],
    }
    path = tmp_path / "a.parquet"
    written_by_pyarrow.write_table(pyarrow.table(rows), path)
    lines = zip(*rows.values(), strict=True)
    text = "\n".join(",".join("" if c is None else str(c) for c in line) for line in lines)
    other = series(csv(tmp_path, ",".join(rows) + "\n" + text))
    read = series(path)
    assert (read.features, read.names) == (other.features, other.names) == (("x", "n"), ("b", "a"))
    for one, two in zip(read.values, other.values, strict=True):
        np.testing.assert_array_equal(one, two)
    assert "Not used: note (text)." in read.report()
    with pytest.raises(DataError, match="column must be one of id, time, x, n, note, got 'c'"):
        load_data(path, target="c")
    with pytest.raises(DataError, match=r"'note' holds text \('u', 'v', 'w'\), expected numbers"):
        load_data(path, inputs=["note"])


def test_a_file_that_is_not_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match="is not a valid Parquet file"):
        load_data(path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match="pyarrow"):
        load_data(path)
