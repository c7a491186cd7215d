"""Modules of torch alone, beside torch's layers, and run where there is no Sluice."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sluice
from sluice.export import ExportError
from sluice.nn import Recurrent
from sluice.sequence.models import Classifier, LabelsConfig, LanguageModel, LanguageModelConfig


def load(path: Path) -> nn.Module:
    """The network of a written file, imported as Python imports it."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network: nn.Module = module.load()
    return network


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_layers_are_torchs(kind: str, tmp_path: Path) -> None:
    options = {"num_layers": 2, "bidirectional": True, "dropout": 0.3}
    options |= {"nonlinearity": "relu"} if kind == "RNN" else {}
    layer = getattr(sluice.nn, kind)(3, 5, **options)
    other = getattr(nn, kind)(3, 5, **options).eval()
    other.load_state_dict(layer.state_dict())
    sluice.export.torch(layer, tmp_path / "net.py")
    network = load(tmp_path / "net.py")
    assert repr(network.layers) == repr(other) and not network.training
    x = torch.randn(6, 4, 3)
    for own, one in zip(flatten(network(x)), flatten(other(x)), strict=True):
        assert torch.equal(own, one)


def flatten(result: Any) -> list[Tensor]:
    y, states = result
    return [y, *(states if isinstance(states, tuple) else (states,))]


def test_a_language_model_without_sluice(tmp_path: Path) -> None:
    model = LanguageModel(LanguageModelConfig(20, embedding_size=8, hidden_size=8)).eval()
    made = sluice.export.torch(model, tmp_path / "net.py")
    assert made.difference is not None and made.difference < 1e-5
    tokens = torch.randint(20, (6, 2))
    torch.save(tokens, tmp_path / "in.pt")
    code = (
        "import sys; sys.modules['sluice'] = None; import torch; from net import load;"
        "n, x = load(), torch.load('in.pt'); y, s = n(x[:2]);"
        "torch.save(torch.cat([y, n(x[2:], s)[0]]), 'y.pt')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    with torch.no_grad():
        expected = model(tokens)[0]
    torch.testing.assert_close(torch.load(tmp_path / "y.pt"), expected)


def test_a_classifier_and_a_readout(tmp_path: Path) -> None:
    config = LabelsConfig(classes=3, features=2, embedding_size=5, hidden_size=4, cell="gru")
    model = Classifier(config).eval()
    made = sluice.export.torch(model, tmp_path / "a.py", check=False)
    assert made.outputs == {"output": ("batch", 3)}
    x = torch.randn(6, 4, 2)
    x[2, 1] = torch.nan
    torch.testing.assert_close(load(made.path)(x)[0], model(x)[0])
    layer = sluice.nn.GRU(
        3, 4, batch_first=True, output_size=2, output_activation="softmax", dtype=torch.float64
    )
    made = sluice.export.torch(layer, tmp_path / "b.py")
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    torch.testing.assert_close(load(made.path)(x)[0], layer(x)[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: Recurrent("cifg", 3, 4), "torch has no layer for"),
        (lambda: sluice.nn.LSTM(3, 4, cell_clip=1.0), "no other activations or bounds"),
        (lambda: nn.Linear(3, 4), r"not of a Linear; in Python sluice\.nn\.convert"),
    ],
)
def test_what_torch_lacks(layer: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=message):
        sluice.export.torch(layer(), tmp_path / "a.py")
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("exports_first", [pytest.param(False, marks=pytest.mark.exhaustive), True])
def test_torchs_exporter_to_onnx_says_what_to_do(exports_first: bool) -> None:
    pytest.importorskip("onnxscript")
    layer, x = sluice.nn.GRU(3, 4), torch.randn(5, 2, 3)
    model: Any = torch.export.export(layer, (x,)) if exports_first else layer
    with pytest.raises(torch.onnx.errors.OnnxExporterError) as caught:
        torch.onnx.export(model, (x,), verbose=False)
    for part in ("sluice.export.onnx", 'sluice.nn.convert(model, to="torch")'):
        assert part in str(caught.value)
