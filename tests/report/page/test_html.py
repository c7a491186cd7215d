"""The page's assets: all used, text escaped, and equations as text without matplotlib."""

from __future__ import annotations

import sys
from importlib.resources import files

import numpy as np
import pytest
import torch

from report.page.sample_models import lstm
from sluice.cells import LSTM
from sluice.report.page import html, look
from sluice.report.page.cell_figure import build_cell_figure
from sluice.report.page.pack import (
    dump_script_json,
    pack_magnitudes,
    pack_tensor,
    round_values,
    unpack_tensor,
)


def test_every_file_of_the_page_is_in_it() -> None:
    found = {file.name for file in (files("sluice.report.page") / "assets").iterdir()} - {"views"}
    assert found == {"page.html", *html._STYLES, *html._SCRIPTS, html._MAIN}


def test_text_is_escaped() -> None:
    ids = torch.randint(5, (20, 1))
    unsafe = "</script><script>alert(1)</script>"
    report = look(lstm(), ids, tokens=[[unsafe] * 20], title="<b>$style ${x}")
    assert unsafe not in report.html and "<h1>&lt;b&gt;$style ${x}</h1>" in report.html
    assert report.html.count("</script>") == 2
    assert "\u2028" not in dump_script_json({"a": "\u2028<"}) and "<" not in dump_script_json(
        {"a": "<!--"}
    )


def test_without_matplotlib_the_equations_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    found = build_cell_figure(LSTM().graph)
    assert "sketch" not in found and "matplotlib" in found["note"]
    assert "f_t = σ(" in html._render_cell(found)


def test_packed_numbers_round_trip() -> None:
    values = torch.randn(7, 5, dtype=torch.float64) * 100
    error = np.abs(unpack_tensor(pack_tensor(values)) - values.numpy()).max()
    assert error <= float(values.max() - values.min()) / (2 * 65535) * 1.001
    assert (unpack_tensor(pack_tensor(torch.full((3,), -2.5))) == -2.5).all()
    sizes = torch.tensor([0.0, 3e-250, 1e-24, 0.5, 4e20], dtype=torch.float64)
    np.testing.assert_allclose(unpack_tensor(pack_magnitudes(sizes)), sizes, rtol=0.00501)
    assert not unpack_tensor(pack_magnitudes(torch.zeros(3))).any()
    assert round_values(torch.tensor([1.23456, float("inf"), 0.0])) == [1.235, None, 0.0]
