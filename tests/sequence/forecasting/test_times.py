import numpy as np

from sluice.sequence.forecasting.times import format_times


def test_times_are_written_in_the_shortest_form_of_the_data() -> None:
    hours = np.array(["2024-01-01T23:00", "2024-01-02T00:00"], "datetime64[us]")
    assert format_times(hours[1:], hours) == ["2024-01-02T00:00"]
    assert format_times(hours[1:], hours[1:]) == ["2024-01-02"]
    assert format_times(hours[:1], hours, "Europe/Berlin") == ["2024-01-02T00:00:00+01:00"]
    assert format_times(np.array([3.0, 4.5]), np.array([2.0])) == ["3", "4.5"]
