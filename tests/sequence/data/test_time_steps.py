"""Usual steps of times and the times after them, against pandas and hand-worked dates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sluice.sequence.data.clocks import format_time, from_local, to_local
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.time_findings import describe_steps
from sluice.sequence.data.time_steps import find_step, next_times
from sluice.sequence.errors import DataError


@pytest.mark.parametrize(
    ("frequency", "named"),
    [
        ("min", "1 minute"),
        ("15min", "15 minutes"),
        ("h", "1 hour"),
        ("D", "1 day"),
        ("W", "1 week"),
        ("2W", "2 weeks"),
        ("B", "1 weekday"),
        ("MS", "1 month"),
        ("ME", "1 month"),
        ("QS", "1 quarter"),
        ("QE", "1 quarter"),
        ("YS", "1 year"),
        ("YE", "1 year"),
        ("YE-JUN", "1 year"),
    ],
)
def test_steps_and_the_next_times_are_those_of_pandas(frequency: str, named: str) -> None:
    whole = pd.date_range("2023-01-05 00:00", periods=60, freq=frequency).to_numpy()
    for end in (37, 44, 50):  # ends in different months, before and after a leap day
        times = whole[:end]
        assert str(find_step(times)) == named
        np.testing.assert_array_equal(next_times(times, 10), whole[end : end + 10])


@pytest.mark.parametrize("frequency", ["h", "30min", "D", "W", "MS"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_next_times_follow_the_clock_of_a_zone_through_its_changes(
    frequency: str, zone: str
) -> None:
    """Days, weeks and months go by the clock; hours and minutes go by time that has passed."""
    periods = {"h": 6000, "30min": 12000, "D": 300, "W": 80, "MS": 24}[frequency]
    whole = pd.date_range("2024-01-01 09:00", periods=periods, freq=frequency, tz=zone)
    utc = whole.tz_convert("UTC").tz_localize(None).to_numpy()
    for share in (0.4, 0.55, 0.7):
        end = int(periods * share)
        found = next_times(utc[:end], 8, zone)
        np.testing.assert_array_equal(found, utc[end : end + 8])


def test_a_month_at_the_30th_ends_in_february_and_returns() -> None:
    times = np.array(["2023-10-30", "2023-11-30", "2023-12-30", "2024-01-30"], "datetime64[us]")
    expected = ["2024-02-29", "2024-03-30", "2024-04-30"]
    assert next_times(times, 3).astype("datetime64[D]").astype(str).tolist() == expected


def test_numbers_go_on_by_their_step() -> None:
    assert next_times(np.array([0, 1, 2, 4, 5]), 2).tolist() == [6.0, 7.0]
    assert next_times(np.arange(10) * 0.1, 2).tolist() == pytest.approx([1.0, 1.1], rel=1e-12)


@pytest.mark.parametrize("times", [[1.0, 2.0, 4.0, 8.0, 16.0], [3.0], [3.0, 3.0]])
def test_no_next_time_without_a_usual_step(times: list[float]) -> None:
    with pytest.raises(DataError, match=r"no usual step.*regular="):
        next_times(np.array(times), 1)


def _describe(*sequences: np.ndarray, zone: str = "") -> str:
    names = [f"s{number}" for number in range(len(sequences))]
    return " ".join(describe_steps(RaggedArray.of(sequences, sequences[0].dtype), names, zone))


def test_repeats_gaps_and_odd_steps_are_counted_with_the_first_place() -> None:
    hours = np.datetime64("2024-01-01T00:00", "us") + np.arange(100) * np.timedelta64(1, "h")
    assert _describe(hours) == "Usual step: 1 hour."
    with_gap = np.delete(hours, [10, 11, 50])
    assert "2 gaps, 3 steps missing, the first after 2024-01-01T09:00:00" in _describe(with_gap)
    doubled = np.repeat(hours, 2)
    said = _describe(doubled)
    assert "100 rows with the time of the row before, the first at 2024-01-01T00:00:00" in said
    assert "id= names" in said
    late = hours.copy()
    late[7] += np.timedelta64(5, "m")
    assert "2 irregular steps, the first after 2024-01-01T06:00:00" in _describe(late)


def test_weekdays_and_months_have_no_gaps_at_weekends_and_in_february() -> None:
    weekdays = pd.bdate_range("2024-01-01", periods=50).to_numpy()
    assert _describe(weekdays) == "Usual step: 1 weekday."
    holiday = np.delete(weekdays, 20)
    assert "1 gap, 1 step missing, the first after 2024-01-26" in _describe(holiday)
    months = pd.date_range("2020-01-31", periods=40, freq="ME").to_numpy()
    assert _describe(months) == "Usual step: 1 month."
    assert "1 gap, 2 steps missing" in _describe(np.delete(months, [5, 6]))


def test_the_first_place_names_its_series() -> None:
    steps = np.arange(10.0)
    said = _describe(steps, np.delete(steps, 4))
    assert "1 gap, 1 step missing, the first after 3 of series s1" in said
    assert "No usual step in series s1" in _describe(steps, 2.0 ** np.arange(8))


def test_clocks_of_zones_are_those_of_pandas() -> None:
    utc = pd.date_range("2024-10-26 20:00", periods=20, freq="30min")
    local = utc.tz_localize("UTC").tz_convert("Europe/Berlin").tz_localize(None)
    np.testing.assert_array_equal(to_local(utc.to_numpy(), "Europe/Berlin"), local.to_numpy())
    fixed = np.array(["2024-10-27T02:30", "2024-03-31T02:30"], "datetime64[us]")  # twice, never
    expected = np.array(["2024-10-27T00:30", "2024-03-31T01:30"], "datetime64[us]")
    np.testing.assert_array_equal(from_local(fixed, "Europe/Berlin"), expected)


@pytest.mark.parametrize(
    ("zone", "pattern", "expected"),
    [
        ("", "", "2024-07-01T22:30:00"),
        ("", "%d.%m.%Y %H:%M", "01.07.2024 22:30"),
        ("", "%Y-Q%q", "2024-Q3"),
        ("+05:30", "", "2024-07-02T04:00:00+05:30"),
        ("Europe/Berlin", "%Y-%m-%d %H:%M%:z", "2024-07-02 00:30+02:00"),
        ("UTC", "%Y-%m-%dT%H:%MZ", "2024-07-01T22:30Z"),
    ],
)
def test_times_are_written_as_asked(zone: str, pattern: str, expected: str) -> None:
    assert format_time(np.datetime64("2024-07-01T22:30", "us"), zone, pattern) == expected


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(DataError, match="'Mars/Base' is no time zone"):
        format_time(np.datetime64("2024-07-01"), "Mars/Base")
