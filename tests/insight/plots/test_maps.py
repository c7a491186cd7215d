"""Heat maps and coloured text, and how they show recordings."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

import sluice
from sluice.insight import plots
from sluice.insight.plots.coloured_text import wrap_tokens


def test_a_tape_becomes_panels_that_share_a_scale() -> None:
    layer = sluice.nn.LSTM(3, 5)
    with sluice.record(layer) as tape:
        layer(torch.randn(7, 2, 3))
    picture = plots.plot_heat_map(tape, ["forget", "output"], sequence=1, tokens=list("letters"))
    forget, output, scale = picture.axes
    for axes, name in ((forget, "forget"), (output, "output")):
        assert axes.get_title(loc="left") == name
        np.testing.assert_allclose(axes.images[0].get_array(), tape[""][name][:, 1].T)
        assert axes.images[0].get_clim() == (0.0, 1.0)
    assert [label.get_text() for label in output.get_xticklabels()] == list("letters")
    assert scale.get_ylabel() == "value"
    assert len(plots.plot_heat_map(tape.layer(0)).axes) > 6  # all names, and scales of their own


def test_signed_values_diverge_from_zero() -> None:
    (image,) = plots.plot_heat_map(torch.tensor([[0.5, -2.0], [1.0, 0.0]])).axes[0].images
    assert image.get_clim() == (-2.0, 2.0)
    middle = image.cmap(0.5)[:3]
    assert min(middle) > 0.9
    (dark,) = plots.plot_heat_map(torch.tensor([[-1.0]]), theme="dark").axes[0].images
    assert max(dark.cmap(0.5)[:3]) < 0.2


def test_units_are_sorted_and_keep_their_numbers() -> None:
    values = torch.tensor([[0.1, 0.9, 0.2], [0.1, 0.1, 0.8], [0.2, 0.1, 0.3]])
    for sort, order in (("mean", [2, 1, 0]), ("peak", [1, 2, 0])):
        axes = plots.plot_heat_map({"a": values, "b": values + 1}, sort=sort).axes
        for panel, shift in zip(axes[:2], (0.0, 1.0), strict=True):
            expected = values.T[order] + shift
            np.testing.assert_allclose(panel.images[0].get_array(), expected, rtol=1e-6)
            assert [label.get_text() for label in panel.get_yticklabels()] == list(map(str, order))
            assert panel.get_ylabel() == f"unit, by {sort}"
    with pytest.raises(ValueError, match="sort must be None, 'mean' or 'peak', got 'size'"):
        plots.plot_heat_map(values, sort="size")


def test_tokens_are_replaced_by_numbers_where_there_is_no_room() -> None:
    axes = plots.plot_heat_map(torch.rand(300, 2), tokens=["x"] * 300).axes[0]
    assert axes.get_xlabel() == "step" and len(axes.get_xticks()) < 20


def test_invalid_arguments_are_refused() -> None:
    values = torch.rand(4, 3)
    values[2, 1] = torch.nan
    with pytest.raises(ValueError, match="'forget' is nan first at step 2, unit 1"):
        plots.plot_heat_map({"forget": values})
    with pytest.raises(ValueError, match=r"the array must be \(time, batch, units\) .*got \(4,\)"):
        plots.plot_heat_map(torch.rand(4))
    with pytest.raises(ValueError, match="for each of 4 steps, got 2"):
        plots.plot_heat_map(torch.rand(4, 3), tokens=["a", "b"])
    with pytest.raises(IndexError, match=r"sequence must be from 0 to 1 for .*, got 2"):
        plots.plot_heat_map(torch.rand(4, 2, 3), sequence=2)
    layer = sluice.nn.GRU(3, 4, num_layers=2)
    with sluice.record(layer) as tape:
        layer(torch.randn(4, 1, 3))
    with pytest.raises(ValueError, match=r"got 2 layers, l0, l1.*tape\.layer\(0\)"):
        plots.plot_heat_map(tape)
    with pytest.raises(KeyError, match="no value 'forget'"):
        plots.plot_heat_map(tape.layer(1), ["forget"])


@pytest.mark.parametrize("style", ["light", "dark"])
def test_text_is_coloured_by_value_and_readable(style: str) -> None:
    tokens, values = ["to", " ", "be", "\n", "or"], torch.tensor([-3.0, 0.0, 3.0, 1.0, -1.0])
    axes, _ = plots.plot_text(tokens, values, columns=9, theme=style).axes
    assert "".join(text.get_text() for text in axes.texts) == "to␣be↵or"
    assert [tuple(text.get_position()) for text in axes.texts][-1] == (1.5, 1.5)
    colours = [np.array(patch.get_facecolor()[:3]) for patch in axes.patches]
    widths = [patch.get_width() for patch in axes.patches]
    assert widths == [2, 1, 2, 1, 2]
    assert colours[0][2] > colours[0][0] and colours[2][0] > colours[2][2]
    owner = [0, 0, 1, 2, 2, 3, 4, 4]
    for text, patch in zip(axes.texts, owner, strict=True):
        assert contrast(np.array(to_rgb(text.get_color())), colours[patch]) >= 4.5


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """The contrast ratio of WCAG 2.2."""
    linear = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for c in (one, other)]
    low, high = sorted(float(c @ [0.2126, 0.7152, 0.0722]) for c in linear)
    return (high + 0.05) / (low + 0.05)


def test_lines_break_after_blanks_and_line_feeds() -> None:
    def lines(text: list[str], columns: int) -> list[str]:
        return ["".join(text[at] for at in line) for line in wrap_tokens(text, columns)]

    assert lines(list("the␣cat␣sat"), 8) == ["the␣cat␣", "sat"]
    assert lines(list("the␣cat␣sat"), 6) == ["the␣", "cat␣", "sat"]
    assert lines(list("abcdef"), 4) == ["abcd", "ef"]
    assert lines(["ab", "↵", "cd"], 80) == ["ab↵", "cd"]
    assert lines(["a", "longword"], 4) == ["a", "longword"]
    assert lines([*"ab␣cd", "efgh"], 5) == ["ab␣", "cd", "efgh"]


def test_importing_sluice_does_not_import_matplotlib() -> None:
    code = "import sys, sluice; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=600).returncode == 0
