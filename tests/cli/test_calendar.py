"""`--calendar`: beside a table in which pandas wrote the same columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from command import run, sentence
from sluice.sequence import Checkpoint, forecast_series, load_known_ahead, load_model_series

FIT = ("--hidden", 4, "--layers", 1, "--steps", 3, "--seq-len", 30, "--horizon", 4)


def make_times(rows: int) -> pd.DatetimeIndex:
    return pd.date_range("2024-03-01T05:00", periods=rows, freq="h", tz="Europe/Berlin")


def write_columns(times: pd.DatetimeIndex) -> pd.DataFrame:
    """What the calendar says, as pandas reads it."""
    found = pd.DataFrame({"time": [one.isoformat() for one in times]})
    for name, turns in (("weekday", times.day_of_week / 7), ("hour", times.hour / 24)):
        for wave in (np.sin, np.cos):
            found[f"{name} ({wave.__name__})"] = wave(2 * np.pi * np.asarray(turns)).round(12)
    return found


@pytest.fixture
def table(tmp_path: Path) -> Path:
    times = make_times(24 * 16)
    level = np.where(times.day_of_week < 5, 8.0, 3.0) + times.hour * 0.25
    path = tmp_path / "d.csv"
    pd.DataFrame({"time": [one.isoformat() for one in times], "level": level}).to_csv(
        path, index=False
    )
    return path


def test_the_calendar_is_that_of_pandas(table: Path, tmp_path: Path) -> None:
    said = run("train", table, "--calendar", *FIT, "--out", tmp_path / "own")
    assert said.exit_code == 0, said.output
    words = " ".join(said.stdout.split())
    assert "Read from the calendar, as sine and cosine: day of the week, hour of the day" in words
    assert "not month of the year (the series cover 0.044 of its cycles, 2 needed)" in words
    assert "--future" not in words
    own = tmp_path / "own" / "model.safetensors"
    assert Checkpoint.load(own).columns[0] == "level"

    written, future = tmp_path / "written.csv", tmp_path / "future.csv"
    frame = pd.read_csv(table)
    columns = write_columns(make_times(len(frame) + 8))
    names = [name for name in columns if name != "time"]
    frame[names] = columns[names].iloc[: len(frame)]
    frame.to_csv(written, index=False)
    columns.iloc[len(frame) :].to_csv(future, index=False)
    known = [part for name in names for part in ("--known", name)]
    said = run("train", written, "--target", "level", *known, *FIT, "--out", tmp_path / "w")
    assert said.exit_code == 0, said.output
    other = tmp_path / "w" / "model.safetensors"

    plain = Checkpoint.load(other)
    given, ahead = load_model_series(plain, written), load_known_ahead(plain, future)
    for steps in (2, 8):  # within the horizon of 4, and beyond it
        out = tmp_path / f"{steps}.csv"
        said = run("forecast", own, table, "--steps", steps, "--out", out)
        assert said.exit_code == 0, said.output
        (expected,) = forecast_series(plain, given, steps=steps, future=ahead).series
        frame = pd.read_csv(out)
        np.testing.assert_allclose(frame["forecast"], expected.values[:, 0], rtol=1e-6)
        np.testing.assert_allclose(frame.filter(regex="^q"), expected.quantiles[:, 0], rtol=1e-6)
    scores = [
        run("evaluate", model, data, "--origins", 5, "--out", tmp_path / f"{model.parent.name}.csv")
        for model, data in ((own, table), (other, written))
    ]
    assert [one.exit_code for one in scores] == [0, 0], scores[0].output
    assert (tmp_path / "own.csv").read_text() == (tmp_path / "w.csv").read_text()
    assert "data that the model was trained on" in " ".join(scores[0].stdout.split())
    assert "of no use" in sentence(
        run("forecast", own, table, "--future", future, "--out", tmp_path / "x.csv")
    )


def test_a_training_goes_on_with_its_calendar(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "own"
    assert run("train", table, "--calendar", *FIT, "--out", out).exit_code == 0
    said = run("train", table, "--out", out, "--resume", "--steps", 5)
    assert said.exit_code == 0, said.output
    model = out / "model.safetensors"
    columns = Checkpoint.load(model).columns
    said = run("train", table, "--from", model, "--steps", 2, "--out", tmp_path / "on")
    assert said.exit_code == 0, said.output
    again = Checkpoint.load(tmp_path / "on" / "model.safetensors")
    assert again.columns == columns and again.preprocessing["calendar"] == ["weekday", "hour"]
    series = load_model_series(again, table)
    assert series.features == columns
    assert np.isfinite(forecast_series(again, series).series[0].values).all()
    refused = run("train", table, "--from", model, "--calendar", "--out", tmp_path / "no")
    assert "--calendar does not apply to --from" in sentence(refused)


def test_refusals(table: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "o")
    said = sentence(run("train", table, "--calendar", "--no-time", *FIT, *out))
    assert "--calendar needs the dates of the rows, but there is no column of times" in said
    labels = tmp_path / "labels.csv"
    labels.write_text("time,level,label\n" + "".join(f"{n},1,{'ab'[n % 2]}\n" for n in range(60)))
    assert "--calendar" in sentence(run("train", labels, "--calendar", "--steps", 1, *out))
    assert not (tmp_path / "o" / "model.safetensors").exists()
    text = tmp_path / "t.txt"
    text.write_text("tyger tyger " * 50)
    assert "--calendar does not apply to text" in sentence(run("train", text, "--calendar", *out))
