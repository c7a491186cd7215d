"""Files of RTNeural, read as its ``RTNeural/model_loader.h`` reads them, beside torch's layers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import sluice
from sluice.export import ExportError
from sluice.nn import Recurrent
from sluice.sequence.models import LanguageModel, LanguageModelConfig

Array = np.ndarray[Any, Any]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def fill(rows: list[list[float]], count: int, width: int) -> Array:
    """Rows of a document in an array of the size that the reader allocates."""
    found = np.full((count, width), np.nan)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            found[i, j] = value
    return found


def run_lstm(weights: list[Any], size: int, x: Array) -> Array:
    """Gates i, f, c, o of a kernel [in][4 × out], a recurrent one [out][4 × out], a bias."""
    w, u = fill(weights[0], x.shape[1], 4 * size), fill(weights[1], size, 4 * size)
    b = np.array(weights[2], dtype=np.float64).reshape(4 * size)
    h, c, found = np.zeros(size), np.zeros(size), []
    for step in x:
        i, f, g, o = np.split(step @ w + h @ u + b, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        found.append(h)
    return np.array(found)


def run_gru(weights: list[Any], size: int, x: Array) -> Array:
    """Gates z, r, c; the second row of the bias is inside the reset."""
    w, u = fill(weights[0], x.shape[1], 3 * size), fill(weights[1], size, 3 * size)
    b = fill(weights[2], 2, 3 * size)
    h, found = np.zeros(size), []
    for step in x:
        az, ar, ac = np.split(step @ w + b[0], 3)
        rz, rr, rc = np.split(h @ u + b[1], 3)
        z = sigmoid(az + rz)
        h = (1 - z) * np.tanh(ac + sigmoid(ar + rr) * rc) + z * h
        found.append(h)
    return np.array(found)


ACTIVATIONS: dict[str, Any] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": sigmoid,
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
}


def run_file(path: Path, x: Array) -> Array:
    """What ``parseJson`` makes of the file, called step by step."""
    parent = json.loads(path.read_text())
    assert isinstance(parent["in_shape"], list) and parent["in_shape"][-1] == x.shape[1]
    for layer in parent["layers"]:
        kind, weights, size = layer["type"], layer["weights"], layer["shape"][-1]
        if kind == "dense":
            kernel = fill(weights[0], x.shape[1], size)
            x = x @ kernel + np.array(weights[1], dtype=np.float64).reshape(size)
        elif kind == "lstm":
            x = run_lstm(weights, size, x)
        elif kind == "gru":
            x = run_gru(weights, size, x)
        else:
            assert kind == "activation"
        if kind in ("dense", "activation") and layer["activation"]:
            x = ACTIVATIONS[layer["activation"]](x)
    return x


@pytest.mark.parametrize(
    "made",
    [
        lambda: sluice.nn.LSTM(1, 16, output_size=1),
        lambda: sluice.nn.GRU(2, 5, num_layers=2, output_size=3, output_activation="softmax"),
        lambda: sluice.nn.GRU(2, 5, bias=False, batch_first=True),
        lambda: nn.LSTM(2, 5, bias=False),
        lambda: Recurrent("lstm", 2, (6, 4), output_activation="relu"),
    ],
)
def test_layers(made: Any, tmp_path: Path) -> None:
    layer = made()
    done = sluice.export.rtneural(layer, tmp_path / "a.json")
    assert done.difference is not None and done.difference < 1e-5
    x = torch.randn(11, layer.input_size)
    with torch.no_grad():
        y = layer(x[None] if layer.batch_first else x[:, None])[0].flatten(0, 1)
    found = run_file(done.path, x.numpy().astype(np.float64))
    np.testing.assert_allclose(found, y.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: sluice.nn.RNN(1, 4), "no layer for a simple RNN"),
        (lambda: Recurrent("reset-before-gru", 1, 4), "with the reset before the product"),
        (lambda: Recurrent("matrix-lstm", 1, 4), "RTNeural has no layer for the equations of"),
        (lambda: sluice.nn.LSTM(1, 4, activation="relu"), "tanh and sigmoid alone"),
        (
            lambda: sluice.nn.LSTM(1, 4, bidirectional=True),
            "layers that read from the end",
        ),
        (lambda: sluice.nn.LSTM(1, 4, dtype=torch.float64), r"call \.float\(\)"),
        (
            lambda: LanguageModel(LanguageModelConfig(5, hidden_size=4)),
            "an embedding of ids",
        ),
        (lambda: nn.Linear(3, 4), "not of a Linear"),
    ],
)
def test_what_rtneural_lacks(layer: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=message):
        sluice.export.rtneural(layer(), tmp_path / "a.json")
    assert not list(tmp_path.iterdir())
