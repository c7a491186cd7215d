"""The map of attention: what is drawn where, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from sluice.insight.plots import plot_attention


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_weights_stand_at_their_tokens(theme: str) -> None:
    weights = np.array([[0.7, 0.2, 0.1], [0.0, 0.5, 0.5]])
    figure = plot_attention(weights, ["a", "b", "c"], ["x", "y"], title="seen", theme=theme)
    axes = figure.axes[0]
    (image,) = axes.images
    np.testing.assert_array_equal(image.get_array(), weights)
    assert image.get_clim() == (0, 1)
    assert [one.get_text() for one in axes.get_yticklabels()] == ["x", "y"]
    low, high = sorted(axes.get_ylim())
    assert (low, high) == (-0.5, 1.5) and axes.get_ylim()[0] > axes.get_ylim()[1]  # first on top


@pytest.mark.parametrize("weights", [[[1.0]], [[0.5, np.nan]], [0.5, 0.5]])
def test_weights_of_another_shape_are_refused(weights: object) -> None:
    with pytest.raises(ValueError, match="weights must be"):
        plot_attention(weights, ["a", "b"], ["x"])  # type: ignore[arg-type]
