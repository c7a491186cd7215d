"""Plots of lines and points: their data, their scales, and the arguments they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import sluice
from sluice.insight import plots

STYLES = ("light", "dark")


def test_traces_show_the_most_variable_units_of_a_sequence() -> None:
    c = torch.zeros(6, 2, 4)
    c[:, 1, 2] = torch.tensor([0.0, 5, 0, 5, 0, 5])
    c[:, 1, 0] = torch.arange(6.0)
    (axes,) = plots.plot_traces(c, units=2, sequence=1, tokens=list("ab c\nd")).axes
    lines = {line.get_label(): line.get_ydata() for line in axes.lines[:2]}
    assert list(lines) == ["unit 2", "unit 0"]
    np.testing.assert_array_equal(lines["unit 0"], np.arange(6.0))
    assert [label.get_text() for label in axes.get_xticklabels()] == list("ab␣c↵d")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("token", "c")
    with pytest.raises(IndexError, match=r"unit must be from 0 to 3 for .*, got 4"):
        plots.plot_traces(c, units=[4])


def test_gradient_flow_is_logarithmic_with_bands_and_gaps() -> None:
    runs = torch.tensor([[1e-4, 1e-2, 1.0], [1e-6, 1e-3, 2.0], [1e-5, 1e-1, 4.0]])
    norms = {"LSTM": runs, "Elman": [0.0, 0.0, 1.0]}
    (axes,) = plots.plot_gradient_flow(norms, title="Flow").axes
    lstm, elman = axes.lines
    np.testing.assert_allclose(lstm.get_ydata(), [1e-5, 1e-2, 2.0], rtol=1e-6)
    np.testing.assert_array_equal(elman.get_ydata(), [np.nan, np.nan, 1.0])
    assert elman.get_label() == "Elman (0 at 2 steps)" and axes.get_yscale() == "log"
    assert lstm.get_linestyle() != elman.get_linestyle()
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    for step in range(3):
        heights = corners[corners[:, 0] == step][:, 1]
        np.testing.assert_allclose([heights.min(), heights.max()], [*runs[:, step].aminmax()])


@pytest.mark.parametrize("bad", [[1.0, -1.0], [1.0, float("nan")], [1.0, float("inf")]])
def test_invalid_norms_are_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match=r"'a' must be finite and not negative, got \S+ at step 1"):
        plots.plot_gradient_flow({"a": bad})
    with pytest.raises(ValueError, match="at least one model's"):
        plots.plot_gradient_flow({})
    with pytest.raises(ValueError, match=r"\(runs, time\), got \(1, 2, 3\)"):
        plots.plot_gradient_flow({"a": torch.ones(1, 2, 3)})


def test_saturation_sets_open_against_shut() -> None:
    gates = {"forget": [0.2, 0.7], "input": torch.tensor([0.0, 1.0])}
    right = {"forget": [0.8, 0.1], "input": torch.tensor([0.5, 0.0])}
    first, second = plots.plot_saturation(gates, right).axes
    np.testing.assert_allclose(first.collections[0].get_offsets(), [[0.8, 0.2], [0.1, 0.7]])
    np.testing.assert_allclose(second.collections[0].get_offsets(), [[0.5, 0.0], [0.0, 1.0]])
    assert first.get_ylabel() == "shut (< 0.1), share of steps"
    with pytest.raises(ValueError, match="same gates and units"):
        plots.plot_saturation(gates, {"forget": [0.1, 0.1]})
    with pytest.raises(ValueError, match="'forget' must be from 0 to 1 and add to at most 1"):
        plots.plot_saturation({"forget": [0.6]}, {"forget": [0.6]})


def test_timescales_are_counted_in_logarithmic_bins() -> None:
    tau = torch.tensor([1.0, 10.0, 10.5, 100.0, torch.inf])
    (axes,) = plots.plot_timescales({"LSTM": tau}, bins=3).axes
    outline = axes.patches[1].get_data()
    np.testing.assert_array_equal(outline.values, [1, 2, 1])
    ratios = outline.edges[1:] / outline.edges[:-1]
    np.testing.assert_allclose(ratios, ratios[0])
    assert axes.get_xscale() == "log" and axes.get_xlabel() == "timescale τ (steps)"
    assert axes.get_legend().get_texts()[0].get_text() == "LSTM (1 infinite)"
    with pytest.raises(ValueError, match="positive numbers of steps"):
        plots.plot_timescales([0.0, 1.0])


def test_eigenvalues_lie_in_the_plane_around_the_unit_circle() -> None:
    turn = torch.tensor([[0.0, -2.0], [2.0, 0.0]])
    (axes,) = plots.plot_eigenvalues({"turn": torch.linalg.eigvals(turn), "half": [0.5]}).axes
    circle = axes.lines[0]
    np.testing.assert_allclose(np.hypot(circle.get_xdata(), circle.get_ydata()), 1.0)
    points = [np.asarray(one.get_offsets()) for one in axes.collections]
    np.testing.assert_allclose(np.sort(points[0][:, 1]), [-2.0, 2.0], atol=1e-6)
    np.testing.assert_allclose(points[1], [[0.5, 0.0]])
    assert axes.get_xlim()[1] > 2 and axes.get_aspect() == 1.0
    with pytest.raises(ValueError, match="not finite"):
        plots.plot_eigenvalues([float("nan")])


@pytest.mark.parametrize("style", STYLES)
def test_letters_are_large_and_stand_out(style: str) -> None:
    from matplotlib.colors import to_rgb
    from matplotlib.text import Text

    figures: list[Any] = [
        plots.plot_heat_map(torch.rand(5, 4), tokens=list("abcde"), title="T", theme=style),
        plots.plot_traces(torch.rand(5, 4), title="T", theme=style),
        plots.plot_gradient_flow({"a": [1.0, 2.0]}, title="T", theme=style),
        plots.plot_saturation({"a": [0.1]}, {"a": [0.2]}, title="T", theme=style),
        plots.plot_timescales({"a": [1.0, 20.0]}, title="T", theme=style),
        plots.plot_eigenvalues({"a": [1.0]}, title="T", theme=style),
    ]
    for picture in figures:
        picture.draw_without_rendering()
        page = sum(to_rgb(picture.get_facecolor())) / 3
        for text in picture.findobj(Text):
            if text.get_text():
                assert text.get_fontsize() >= 8
                assert abs(sum(to_rgb(text.get_color())) / 3 - page) > 0.6, text


def test_nothing_is_shown_and_no_global_state_touched() -> None:
    import matplotlib
    from matplotlib import _pylab_helpers

    before = dict(matplotlib.rcParams)
    plots.plot_gradient_flow({"a": [1.0]}, theme="dark").draw_without_rendering()
    assert dict(matplotlib.rcParams) == before and not _pylab_helpers.Gcf.figs


def test_an_unknown_style_and_a_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="theme must be 'light' or 'dark', got 'sepia'"):
        plots.plot_eigenvalues([1.0], theme="sepia")
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(
        sluice.insight.MissingExtraError, match=r"pip install 'sluice-rnn\[plots\]'"
    ):
        plots.plot_eigenvalues([1.0])
