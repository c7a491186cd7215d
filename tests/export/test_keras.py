"""Files of Keras, opened by Keras itself beside torch's layers and float64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import sluice
from sluice.export import ExportError
from sluice.export.to_keras.model import load_keras
from sluice.nn import Recurrent
from sluice.sequence.models import Classifier, LabelsConfig, LanguageModel, LanguageModelConfig

try:
    keras = load_keras()
except ImportError:
    pytest.skip("needs keras", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def run_file(path: Path, *calls: Tensor) -> Tensor:
    """The outputs of one call after the other, along time."""
    model = keras.saving.load_model(path)
    found = [keras.ops.convert_to_numpy(model(one.numpy())) for one in calls]
    return torch.from_numpy(np.concatenate(found, 1))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (nn.LSTM, {"num_layers": 2, "bidirectional": True}),
        (nn.GRU, {"bias": False}),
        (nn.RNN, {"nonlinearity": "relu"}),
        pytest.param(nn.GRU, {"num_layers": 2, "dropout": 0.5}, marks=pytest.mark.exhaustive),
        pytest.param(nn.LSTM, {"bias": False}, marks=pytest.mark.exhaustive),
    ],
)
def test_torchs_layers(kind: type[nn.RNNBase], options: dict[str, Any], tmp_path: Path) -> None:
    layer = kind(3, 5, batch_first=True, **options).eval()
    made = sluice.export.keras(layer, tmp_path / "a.keras", check=False)
    assert made.inputs == {"input": ("batch", "time", 3)}
    x = torch.randn(4, 9, 3)
    with torch.no_grad():
        expected = layer(x)[0]
    torch.testing.assert_close(run_file(made.path, x), expected, rtol=1e-5, atol=1e-6)


def test_the_weights_are_what_keras_calls_them(tmp_path: Path) -> None:
    layer = sluice.nn.GRU(3, 5)
    sluice.export.keras(layer, tmp_path / "a.keras", check=False)
    own = keras.saving.load_model(tmp_path / "a.keras").get_layer("layer_0")
    assert own.reset_after and own.units == 5
    kernel, recurrent, bias = own.get_weights()
    reset, update, candidate = layer.weight_ih_l0.detach().split(5)
    assert np.array_equal(kernel, torch.cat([update, reset, candidate]).T)
    again = sluice.insight.from_keras([kernel, recurrent, bias], "gru")
    torch.testing.assert_close(again.state_dict(), layer.state_dict())


@pytest.mark.parametrize(
    "layer",
    [
        lambda: Recurrent("reset-before-gru", 3, 5, output_size=2, output_activation="softmax"),
        lambda: sluice.nn.LSTM(3, (6, 4), gate_activation="hard_sigmoid", activation="softsign"),
        lambda: sluice.nn.GRU(3, 5, dtype=torch.float64, output_activation="tanh"),
    ],
)
def test_what_torch_lacks(layer: Any, tmp_path: Path) -> None:
    own = layer()
    made = sluice.export.keras(own, tmp_path / "a.keras")
    dtype = next(own.parameters()).dtype
    assert made.difference is not None
    assert made.difference < (1e-12 if dtype == torch.float64 else 1e-5)
    x = torch.randn(2, 6, 3, dtype=dtype)
    with torch.no_grad():
        expected = own(x.transpose(0, 1))[0].transpose(0, 1)
    torch.testing.assert_close(run_file(made.path, x), expected, rtol=1e-5, atol=1e-6)


def test_a_language_model_step_by_step(tmp_path: Path) -> None:
    shape = LanguageModelConfig(20, embedding_size=8, hidden_size=8, cell="gru", tied=True)
    model = LanguageModel(shape).eval()
    made = sluice.export.keras(model, tmp_path / "a.keras", stream=True)
    assert made.outputs == {"output": (1, "time", 20)}
    tokens = torch.randint(20, (1, 7), dtype=torch.int32)
    with torch.no_grad():
        expected = model(tokens.long().T)[0].transpose(0, 1)
    found = run_file(made.path, *tokens.split([1, 4, 2], 1))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_a_classifier_with_missing_values(tmp_path: Path) -> None:
    model = Classifier(LabelsConfig(classes=3, features=2, embedding_size=0, hidden_size=4)).eval()
    made = sluice.export.keras(model, tmp_path / "a.keras", check=False)
    assert made.outputs == {"output": ("batch", 3)}
    x = torch.randn(5, 6, 2)
    x[1, 2] = torch.nan
    with torch.no_grad():
        expected = model(x.transpose(0, 1))[0]
    torch.testing.assert_close(run_file(made.path, x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "options", "message"),
    [
        (lambda: Recurrent("peephole-lstm", 3, 4), {}, r"see the cell state \(peepholes\)"),
        (lambda: Recurrent("matrix-lstm", 3, 4), {}, "no layer for the equations of MatrixLSTM"),
        (lambda: Recurrent("layer-norm-lstm", 3, 4), {}, "layer norm inside the recurrence"),
        (lambda: Recurrent("projected-lstm", 3, 4, proj_size=2), {}, "states of other widths"),
        (lambda: sluice.nn.LSTM(3, 4, clip=1.0), {}, r"no bounds \(clip\)"),
        (lambda: sluice.nn.RNN(3, 4, activation="elu"), {}, None),
        (lambda: sluice.nn.RNN(3, 4, activation="leaky_relu"), {}, r"function LeakyRelu\(0\.01\)"),
        (lambda: sluice.nn.GRU(3, 4, reverse=True), {}, "reads from the end alone"),
        (lambda: sluice.nn.GRU(3, 4, bidirectional=True), {"stream": True}, "leave stream out"),
        (lambda: nn.Linear(3, 4), {}, "not of a Linear"),
    ],
)
def test_what_keras_cannot_say(
    layer: Any, options: dict[str, Any], message: str | None, tmp_path: Path
) -> None:
    if message is None:
        sluice.export.keras(layer(), tmp_path / "a.keras", **options)
        return
    with pytest.raises(ExportError, match=message):
        sluice.export.keras(layer(), tmp_path / "folder" / "a.keras", **options)
    with pytest.raises(ExportError, match=r"must end in \.keras"):
        sluice.export.keras(layer(), tmp_path / "folder" / "a.h5", **options)
    assert not list(tmp_path.iterdir())


def test_learned_initial_states_are_refused(tmp_path: Path) -> None:
    layer = sluice.nn.GRU(3, 4, learn_initial_state=True)
    sluice.export.keras(layer, tmp_path / "a.keras", check=False)
    nn.init.ones_(layer.initial_h_l0)
    with pytest.raises(ExportError, match="starts sequences from zeros"):
        sluice.export.keras(layer, tmp_path / "b.keras")
