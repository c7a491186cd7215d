"""Fields of the calendar beside those that pandas reads off the same times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sluice.sequence import DataError, Series, load_data
from sluice.sequence.data.calendar_fields import (
    add_calendar,
    choose_calendar_fields,
    compute_calendar,
)

STARTS = ("1965-11-30T22:15:30", "2024-02-28T00:00:00", "2024-10-26T21:30:00")


def circle(turns: pd.Series[float]) -> list[np.ndarray]:
    angles = 2 * np.pi * turns.to_numpy(float)
    return [np.sin(angles), np.cos(angles)]


@pytest.mark.parametrize("zone", ["", "UTC", "+05:30", "Europe/Berlin", "America/St_Johns"])
@pytest.mark.parametrize("start", STARTS)
def test_fields_are_those_of_pandas(start: str, zone: str) -> None:
    times = np.datetime64(start, "us") + np.arange(900) * np.timedelta64(97, "m")
    shown = pd.Series(times)
    if zone:
        shown = shown.dt.tz_localize("UTC").dt.tz_convert(zone)
    hours = shown.dt.hour + shown.dt.minute / 60 + shown.dt.second / 3600
    expected = [
        *circle((shown.dt.month - 1) / 12),
        *circle(shown.dt.day_of_week / 7),
        *circle(hours / 24),
    ]
    found = compute_calendar(times, zone, ("month", "weekday", "hour"))
    np.testing.assert_allclose(found, np.stack(expected, axis=1), atol=1e-9)


def load(folder: Path, times: pd.DatetimeIndex) -> Series:
    path = folder / "d.csv"
    path.write_text("time,level\n" + "".join(f"{one.isoformat()},1.5\n" for one in times))
    series = load_data(path, time="time")
    assert isinstance(series, Series)
    return series


@pytest.mark.parametrize(
    ("every", "rows", "fields"),
    [
        ("h", 72, ("hour",)),
        ("15min", 96 * 15, ("weekday", "hour")),
        ("D", 15, ("weekday",)),
        ("D", 800, ("month", "weekday")),
        ("B", 30, ("weekday",)),
        ("W", 120, ("month",)),
        ("MS", 24, ("month",)),
        ("QS", 12, ("month",)),
    ],
)
def test_fields_that_the_step_can_tell(
    every: str, rows: int, fields: tuple[str, ...], tmp_path: Path
) -> None:
    series = load(tmp_path, pd.date_range("2020-01-01", periods=rows, freq=every))
    assert choose_calendar_fields(series) == fields
    whole = add_calendar(series, fields)
    assert whole.features[0] == "level" and len(whole.features) == 1 + 2 * len(fields)
    np.testing.assert_array_equal(whole.values.flat[:, :1], series.values.flat)


@pytest.mark.parametrize(("every", "rows"), [("YS", 40), ("h", 30), ("MS", 20), ("D", 10)])
def test_nothing_to_tell_is_refused(every: str, rows: int, tmp_path: Path) -> None:
    series = load(tmp_path, pd.date_range("1990-01-01", periods=rows, freq=every))
    with pytest.raises(DataError, match="calendar=True has nothing to add"):
        choose_calendar_fields(series)


def test_series_without_dates_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("level\n1\n2\n3\n")
    series = load_data(path)
    assert isinstance(series, Series)
    with pytest.raises(DataError, match="there is no column of times; time= names a column"):
        choose_calendar_fields(series)
    path.write_text("time,level\n1,5\n2,6\n3,7\n")
    series = load_data(path)
    assert isinstance(series, Series)
    with pytest.raises(DataError, match="the times in 'time' are numbers"):
        choose_calendar_fields(series)


def test_a_column_of_the_same_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    rows = "".join(f"2024-01-0{day},1,2\n" for day in range(1, 5))
    path.write_text("time,level,hour (sin)\n" + rows)
    series = load_data(path)
    assert isinstance(series, Series)
    with pytest.raises(DataError, match="call it otherwise"):
        add_calendar(series, ("hour",))
