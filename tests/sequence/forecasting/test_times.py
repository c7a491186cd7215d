import numpy as np
import pandas as pd
import pytest

from sluice.sequence import DataError
from sluice.sequence.forecasting.times import continue_times, format_times


@pytest.mark.parametrize("rule", ["h", "15min", "D", "W", "MS", "ME", "QS", "YS", "B"])
def test_times_go_on_as_in_pandas(rule: str) -> None:
    whole = pd.date_range("2023-01-02 00:00", periods=60, freq=rule).to_numpy("datetime64[us]")
    np.testing.assert_array_equal(continue_times(whole[:40], 20, "s"), whole[40:])


def test_numbers_go_on_by_their_usual_step() -> None:
    assert continue_times(np.array([0.1, 0.2, 0.3]), 2, "s") == pytest.approx([0.4, 0.5])
    assert continue_times(np.array([1, 2, 3, 7, 8]), 2, "s").tolist() == [9, 10]  # a gap


def test_irregular_times_are_refused() -> None:
    with pytest.raises(DataError, match="irregular: their distance is 1 to 4"):
        continue_times(np.array([0.0, 1.0, 3.0, 6.0, 10.0]), 1, "s")
    with pytest.raises(DataError, match="fewer than two times"):
        continue_times(np.array([1.0]), 1, "s")


def test_times_are_written_in_the_shortest_form_of_the_data() -> None:
    hours = np.array(["2024-01-01T23:00", "2024-01-02T00:00"], "datetime64[us]")
    assert format_times(hours[1:], hours) == ["2024-01-02T00:00"]
    assert format_times(hours[1:], hours[1:]) == ["2024-01-02"]
    assert format_times(hours[:1], hours, "Europe/Berlin") == ["2024-01-02T00:00:00+01:00"]
    assert format_times(np.array([3.0, 4.5]), np.array([2.0])) == ["3", "4.5"]
