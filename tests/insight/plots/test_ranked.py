"""Bars by rank, and several runs as a line with a band."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from sluice.insight.plots import plot_ranking
from sluice.insight.plots.bands import plot_band

NAN = float("nan")


def test_the_largest_is_on_top_and_groups_are_sorted() -> None:
    harm = {"a": -0.5, "b": 2.0, "c": 1.0}
    bars, groups = plot_ranking(harm, {"l0": [1, 3, 2], "l1": np.zeros(50)}, label="nats").axes
    assert [label.get_text() for label in bars.get_yticklabels()] == ["b", "c", "a"]
    assert [bar.get_width() for bar in bars.patches] == [2.0, 1.0, -0.5]
    assert bars.yaxis_inverted() and bars.get_xlabel() == groups.get_ylabel() == "nats"
    l0, l1, _ = groups.lines
    assert l0.get_xdata().tolist() == [1, 2, 3] and l0.get_ydata().tolist() == [3, 2, 1]
    assert l1.get_label() == "l1" and l1.get_marker() == "None"


def test_one_panel_or_none() -> None:
    (alone,) = plot_ranking({}, {"l0": [1.0]}, label="nats", rank_label="heads", theme="dark").axes
    assert alone.get_xlabel() == "heads"
    assert len(plot_ranking({"a": 1.0}, {}, label="nats").axes) == 1
    with pytest.raises(ValueError, match="nothing to rank"):
        plot_ranking({}, {}, label="nats")


def test_a_band_has_gaps_and_zeros() -> None:
    axes = Figure().subplots()
    runs = np.array([[1.0, NAN, 0.0, 4.0], [3.0, NAN, 0.0, NAN], [5.0, NAN, 9.0, 2.0]])
    plot_band(axes, np.arange(4.0), runs, {"color": "k"}, log=True, label="runs")
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [3.0, NAN, NAN, 3.0])
    assert axes.get_yscale() == "log"
    corners = axes.collections[0].get_paths()[0].vertices
    for x, low, high in ((0, 1.0, 5.0), (2, 0.0, 9.0), (3, 2.0, 4.0)):
        heights = corners[corners[:, 0] == x][:, 1]
        assert (heights.min(), heights.max()) == (low, high)
    linear = Figure().subplots()
    plot_band(linear, np.arange(4.0), runs, {"color": "k"})
    np.testing.assert_array_equal(linear.lines[0].get_ydata(), [3.0, NAN, 0.0, 3.0])
