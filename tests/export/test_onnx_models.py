"""Whole models as ONNX files, beside the models."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import sluice
from sluice.export import ExportError
from sluice.sequence.models import (
    Classifier,
    Forecaster,
    ForecasterConfig,
    LabelsConfig,
    LanguageModel,
    LanguageModelConfig,
    Seq2Seq,
    Seq2SeqConfig,
    Tagger,
)


class Tagging(nn.Module):
    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 5)
        self.layer = kind(5, 6, num_layers=2, bidirectional=True)
        self.readout = nn.Linear(12, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.readout(self.layer(self.embedding(tokens))[0])


def run_file(path: Path, **inputs: Tensor) -> list[Tensor]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(None, {name: one.numpy() for name, one in inputs.items()})
    return [torch.from_numpy(one) for one in found]


def test_a_model_at_four_shapes(tmp_path: Path) -> None:
    model = Tagging(nn.LSTM)
    example = torch.randint(11, (7, 3))
    made = sluice.export.onnx(model, tmp_path / "a.onnx", inputs=(example,), check=False)
    assert made.inputs == {"input": ("time", "batch")}
    for shape in ((7, 3), (1, 1), (2, 9), (30, 2)):
        tokens = torch.randint(11, shape)
        with torch.no_grad():
            expected = model(tokens)
        torch.testing.assert_close(run_file(made.path, input=tokens)[0], expected)
    assert str(Path(__file__).parent).encode() not in made.path.read_bytes()


@pytest.mark.parametrize("stream", [pytest.param(False, marks=pytest.mark.exhaustive), True])
def test_a_language_model_with_its_states(stream: bool, tmp_path: Path) -> None:
    shape = LanguageModelConfig(vocabulary_size=40, embedding_size=16, hidden_size=16, cell="mgu")
    model = LanguageModel(shape).eval()
    made = sluice.export.onnx(model, tmp_path / "a.onnx", stream=stream, int8=True)
    assert made.difference is not None and made.difference < 1e-5
    assert made.outputs["h_n"] == (2, "batch", 16)
    with torch.no_grad():
        for one in model.parameters():
            if one.dim() == 2:
                scales = one.abs().amax(1, keepdim=True).clamp_min(1e-30) / 127
                one.copy_((one / scales).round() * scales)
        tokens, state = torch.randint(40, (4, 3)), torch.randn(2, 3, 16)
        logits, last = model(tokens, state)
    if not stream:
        found = run_file(made.path, tokens=tokens, h_0=state)
        torch.testing.assert_close(found[0], logits, rtol=1e-4, atol=1e-5)
        return
    for step, expected in zip(tokens, logits, strict=True):
        own, state = run_file(made.path, tokens=step, h_0=state)
        torch.testing.assert_close(own, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(state, last, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [pytest.param(Tagger, marks=pytest.mark.exhaustive), Classifier])
def test_lengths_and_resets_of_models(kind: type[Tagger | Classifier], tmp_path: Path) -> None:
    config = LabelsConfig(classes=3, features=2, embedding_size=0, hidden_size=4, num_layers=1)
    model = kind(config).eval()
    made = sluice.export.onnx(model, tmp_path / "a.onnx", lengths=True, resets=True, check=False)
    assert list(made.inputs) == ["input", "lengths", "resets"]
    x, lengths = torch.randn(6, 3, 2), torch.tensor([6, 2, 4])
    x[1, 0] = torch.nan
    resets = torch.rand(6, 3) < 0.3
    with torch.no_grad():
        expected = model(x, lengths=lengths, resets=resets)[0]
    found = run_file(made.path, input=x, lengths=lengths, resets=resets)[0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_step_with_resets(tmp_path: Path) -> None:
    shape = LanguageModelConfig(12, embedding_size=4, hidden_size=4, cell="gru", num_layers=1)
    model = LanguageModel(shape).eval()
    made = sluice.export.onnx(model, tmp_path / "a.onnx", stream=True, resets=True, check=False)
    tokens, resets = torch.randint(12, (5, 3)), torch.rand(5, 3) < 0.4
    with torch.no_grad():
        expected = model(tokens, resets=resets)[0]
    state = torch.zeros(1, 3, 4)
    for t in range(5):
        logits, state = run_file(made.path, tokens=tokens[t], h_0=state, resets=resets[t])
        torch.testing.assert_close(logits, expected[t], rtol=1e-4, atol=1e-5)


def test_models_that_are_not_one_call(tmp_path: Path) -> None:
    pairs = Seq2Seq(Seq2SeqConfig(9, 9, hidden_size=4, embedding_size=4))
    with pytest.raises(ExportError, match="a Seq2Seq reads a source once and then chooses"):
        sluice.export.onnx(pairs, tmp_path / "a.onnx")
    forecaster = Forecaster(ForecasterConfig(features=2, targets=(0,), horizon=2, hidden_size=4))
    with pytest.raises(ExportError, match="a Forecaster fills in missing values by a running max"):
        sluice.export.onnx(forecaster, tmp_path / "a.onnx")
    tagger = Tagger(LabelsConfig(classes=3, features=2, hidden_size=4))
    with pytest.raises(ExportError, match="stream: a model that reads from the end needs"):
        sluice.export.onnx(tagger, tmp_path / "a.onnx", stream=True)


def test_a_model_that_torch_cannot_export(tmp_path: Path) -> None:
    class Fixed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * int(x.sum() > 0)

    with pytest.raises(ExportError, match=r"torch\.onnx\.export cannot export the model"):
        sluice.export.onnx(Fixed(), tmp_path / "a.onnx", inputs=(torch.zeros(7, 3, 5),))
    assert not list(tmp_path.iterdir())
