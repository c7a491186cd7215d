"""Tapes in xarray: places as nodes, dimensions by name."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import nn

import sluice


def test_places_are_nodes_and_dimensions_have_names() -> None:
    model = nn.ModuleDict(
        {"a": sluice.nn.LSTM(3, 5, proj_size=2, bidirectional=True), "b": sluice.nn.GRU(4, 3)}
    )
    with sluice.record(model) as tape:
        with pytest.raises(RuntimeError, match="recorded nothing"):
            tape.xarray()
        y, _ = model["a"](torch.randn(7, 2, 3))
        model["b"](y[::2])[0].sum().backward()
    tree = tape.xarray()
    assert set(tree) == {"a", "b"} and set(tree["a"]) == {"l0", "l0_reverse"}
    node = tree["a/l0_reverse"]
    assert node.forget.dims == ("time", "batch", "unit") and node.sizes["unit"] == 5
    assert node.h.dims == ("time", "batch", "projection") and node.sizes["projection"] == 2
    assert tree["b/l0"].sizes["time"] == 4
    place = tape["a"].layer(0, reverse=True)
    np.testing.assert_array_equal(node.forget.sel(batch=1), place.forget[:, 1])
    np.testing.assert_array_equal(node["gradient"].c, place.gradient.c)


def test_a_lone_layer_without_derivatives() -> None:
    layer = sluice.nn.GRU(3, 4)
    with torch.no_grad(), sluice.record(layer) as tape:
        layer(torch.randn(5, 2, 3))
    node = tape.xarray()["l0"]
    assert list(node.data_vars) == ["h", "reset", "update", "candidate"] and not node.children


def test_maps_have_the_width_of_what_they_read() -> None:
    layer = sluice.nn.LSTM(3, 5, proj_size=2)
    with sluice.record(layer, maps=True, pre=True) as tape:
        layer(torch.randn(4, 2, 3))[0].sum().backward()
    node = tape.xarray()["l0"]
    assert dict(node["gradient"].sizes) == {
        "time": 4, "batch": 2, "unit": 5, "projection": 2, "input": 3,
    }  # fmt: skip
    np.testing.assert_array_equal(node["pre.forget"], tape.pre.forget)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(
        sluice.insight.MissingExtraError, match=r"pip install 'sluice-rnn\[xarray\]'"
    ):
        sluice.record(sluice.nn.GRU(3, 4)).xarray()
