"""Common to all plots: docstrings match signatures."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from sluice.insight import plots
from sluice.insight.plots.canvas import Canvas

PLOTS = {name: plot for name, plot in vars(plots).items() if name.startswith("plot_")}


@pytest.mark.parametrize("name", PLOTS)
def test_docstrings_have_every_parameter_once(name: str) -> None:
    plot: Any = PLOTS[name]
    doc = inspect.getdoc(plot) or ""
    sections = re.split(r"\n\n(Args|Returns|Raises|Example):\n", doc)
    assert sections[1::2] == ["Args", "Returns", "Raises", "Example"]
    documented = re.findall(r"^    (\w+):", sections[2], re.M)
    assert documented == list(inspect.signature(plot).parameters)
    assert "MissingExtraError:" in sections[6]


def test_panels_are_rows_of_axes_below_a_title() -> None:
    canvas = Canvas("dark", 4.0, 3.0)
    grid = canvas.add_panels(2, 3, title="Above", heights=[1, 2])
    assert [len(row) for row in grid] == [3, 3]
    assert canvas.figure._suptitle.get_text() == "Above"  # type: ignore[attr-defined]
    assert canvas.figure.get_size_inches().tolist() == [4.0, 3.0]
    with pytest.raises(ValueError, match="theme must be 'light' or 'dark', got 'grey'"):
        Canvas("grey", 4.0, 3.0)
