"""Programs of torch alone, beside torch's layers, and run where there is no Sluice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import sluice
from sluice.export import ExportError
from sluice.nn import Recurrent
from sluice.sequence.models import Classifier, LabelsConfig, LanguageModel, LanguageModelConfig


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_layers_are_torchs(kind: str, tmp_path: Path) -> None:
    layer = getattr(sluice.nn, kind)(3, 5, num_layers=2, bidirectional=True)
    other = getattr(nn, kind)(3, 5, num_layers=2, bidirectional=True)
    other.load_state_dict(layer.state_dict())
    made = sluice.export.torch(layer, tmp_path / "a.pt2", check=False)
    program = torch.export.load(made.path)
    assert "sluice" not in str(program.graph)
    for steps, batch in ((1, 1), (30, 4)):
        x = torch.randn(steps, batch, 3)
        states = torch.randn(2 if kind == "LSTM" else 1, 4, batch, 5)
        y, last = other(x, tuple(states) if kind == "LSTM" else states[0])
        found = program.module()(x, *states)
        expected = (y, *(last if kind == "LSTM" else (last,)))
        for own, one in zip(found, expected, strict=True):
            torch.testing.assert_close(own, one)


def test_a_language_model_without_sluice(tmp_path: Path) -> None:
    model = LanguageModel(LanguageModelConfig(20, embedding_size=8, hidden_size=8)).eval()
    made = sluice.export.torch(model, tmp_path / "a.pt2")
    assert made.difference is not None and made.difference < 1e-5
    assert list(made.inputs) == ["tokens", "h_0", "c_0"]
    tokens, states = torch.randint(20, (6, 2)), torch.zeros(2, 2, 2, 8)
    torch.save({"tokens": tokens, "states": states}, tmp_path / "in.pt")
    code = (
        "import sys; sys.modules['sluice'] = None; import torch;"
        f"given = torch.load({str(tmp_path / 'in.pt')!r});"
        f"program = torch.export.load({str(made.path)!r}).module();"
        f"torch.save(program(given['tokens'], *given['states'])[0], {str(tmp_path / 'y.pt')!r})"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
    with torch.no_grad():
        expected = model(tokens)[0]
    torch.testing.assert_close(torch.load(tmp_path / "y.pt"), expected)


def test_a_classifier_and_a_readout(tmp_path: Path) -> None:
    model = Classifier(LabelsConfig(classes=3, features=2, hidden_size=4, cell="gru")).eval()
    assert sluice.export.torch(model, tmp_path / "a.pt2").outputs["output"] == ("batch", 3)
    layer = sluice.nn.GRU(3, 4, batch_first=True, output_size=2, output_activation="softmax")
    made = sluice.export.torch(layer, tmp_path / "b.pt2")
    x = torch.randn(2, 5, 3)
    found = torch.export.load(made.path).module()(x, torch.zeros(1, 2, 4))[0]
    torch.testing.assert_close(found, layer(x)[0])


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
        sluice.export.torch(layer(), tmp_path / "a.pt2")
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("exports_first", [False, True])
def test_torchs_exporter_to_onnx_says_what_to_do(exports_first: bool) -> None:
    pytest.importorskip("onnxscript")
    layer, x = sluice.nn.GRU(3, 4), torch.randn(5, 2, 3)
    model: Any = torch.export.export(layer, (x,)) if exports_first else layer
    with pytest.raises(torch.onnx.errors.OnnxExporterError) as caught:
        torch.onnx.export(model, (x,), verbose=False)
    for part in ("sluice.export.onnx", 'sluice.nn.convert(model, to="torch")'):
        assert part in str(caught.value)
