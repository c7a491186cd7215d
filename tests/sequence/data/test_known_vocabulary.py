"""Text split by a vocabulary that a model already has, options that data keep, and times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sluice.sequence import Series, Tokens, Vocabulary, load_data, make_task
from sluice.sequence.data.readers.token_encoders import encode_lines
from sluice.sequence.errors import DataError

TEXT = "to be,\nor not to be?\n"


@pytest.mark.parametrize("unit", ["characters", "words", "subwords"])
def test_a_text_is_split_as_the_one_that_was_learnt(unit: str, tmp_path: Path) -> None:
    learnt, other = tmp_path / "learnt.txt", tmp_path / "other.txt"
    learnt.write_text(TEXT * 9)
    other.write_text(TEXT)
    tokens = load_data(learnt, unit=unit)
    assert isinstance(tokens, Tokens)
    again = load_data(other, vocabulary=tokens.vocabulary)
    assert isinstance(again, Tokens) and again.vocabulary is not None
    steps = len(again.ids[0])
    assert again.ids[0].tolist() == tokens.ids[0][:steps].tolist()
    assert steps * 9 == len(tokens.ids[0])
    assert encode_lines(tokens.vocabulary, TEXT) == again.ids[0].tolist()


def test_unknown_tokens(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("to bé to")
    letters = load_data(file, vocabulary=Vocabulary(tuple(" bot"), "characters"))
    words = load_data(file, vocabulary=Vocabulary(("be", "to")))
    assert isinstance(letters, Tokens) and isinstance(words, Tokens)
    assert letters.ids[0].tolist() == [6, 5, 3, 4, 1, 3, 6, 5]
    assert words.ids[0].tolist() == [4, 1, 4]


def test_a_checkpoint_knows_how_its_data_were_read(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    rows = [f"s{n},{n * 9 + t},{t * n},{'ab'[n % 2]}" for n in range(12) for t in range(5)]
    file.write_text("series,when,x,kind\n" + "\n".join(rows))
    data = load_data(file, id="series", time="when", label="kind")
    checkpoint = make_task(data, hidden_size=4, num_layers=1).checkpoint
    expected = {"kind": "csv", "id": "series", "time": "when", "label": "kind"}
    assert checkpoint.preprocessing["load_options"] == expected


def test_times_are_in_order_beside_their_steps(tmp_path: Path) -> None:
    numbers, dates = tmp_path / "numbers.csv", tmp_path / "dates.csv"
    numbers.write_text("id,time,x\nb,3,30\na,2,2\na,1,1\nb,1.5,15\n")
    dates.write_text("date,x\n2025-03-01T12:30,2\n2025-02-28,1\n")
    series, dated = load_data(numbers), load_data(dates)
    assert isinstance(series, Series) and series.times is not None
    found = dict(zip(series.names, map(np.ndarray.tolist, series.times), strict=True))
    assert found == {"b": [1.5, 3.0], "a": [1.0, 2.0]} and series.time_name == "time"
    part = series.select([1]).slice_fraction(0.5, 1.0)
    assert part.times is not None and part.times[0].tolist() == [2.0]
    assert part.values[0].tolist() == [[2.0]]
    assert isinstance(dated, Series) and dated.times is not None
    assert [str(one) for one in dated.times[0]] == [
        "2025-02-28T00:00:00.000000", "2025-03-01T12:30:00.000000",
    ]  # fmt: skip
    numbers.write_text("x\n1\n2\n")
    bare = load_data(numbers)
    assert isinstance(bare, Series) and bare.times is None


def test_parquet_has_times_too(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    when = np.array(["2025-01-02T03:04:05", "2025-01-01"], "datetime64[us]")
    table = pa.table({"time": when, "x": [2.0, 1.0]})
    parquet.write_table(table, tmp_path / "a.parquet")
    series = load_data(tmp_path / "a.parquet")
    assert isinstance(series, Series) and series.times is not None
    assert (series.times[0] == np.sort(when)).all()


def test_numbers_too_large_to_scale_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("id,x,y\na,1,2\nb,1,2\nb,1,-4e38\nb,1,1e309\n")
    with pytest.raises(DataError, match=r"a\.csv:5: column 'y' is infinite or beyond"):
        load_data(file)
