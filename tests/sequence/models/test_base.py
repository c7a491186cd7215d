import pytest
import torch

from sluice import nn
from sluice.sequence.models.base import evaluation_mode, run_layers, select_valid_steps


@pytest.mark.parametrize("bidirectional", [False, True])
def test_torchs_own_layer_is_given_lengths_as_a_packed_sequence(bidirectional: bool) -> None:
    layers = nn.LSTM(3, 5, 2, bidirectional=bidirectional)
    x, lengths = torch.randn(6, 4, 3), torch.tensor([2, 5, 1, 4])
    expected, (h, c) = run_layers(layers, x, lengths=lengths)
    assert layers.resolved_backend.name == "fused"
    layers.backend = "native"
    found, (h2, c2) = run_layers(layers, x, lengths=lengths)
    assert found.shape == expected.shape
    torch.testing.assert_close((found, h2, c2), (expected, h, c))


def test_rows_within_lengths() -> None:
    steps = torch.arange(6).view(3, 2)
    assert select_valid_steps(steps, None).tolist() == [0, 1, 2, 3, 4, 5]
    assert select_valid_steps(steps, torch.tensor([1, 3])).tolist() == [0, 1, 3, 5]


def test_evaluation_restores_the_mode_even_after_an_error() -> None:
    layer = torch.nn.Dropout()
    with pytest.raises(KeyError), evaluation_mode(layer):
        assert not layer.training and torch.is_inference_mode_enabled()
        raise KeyError
    assert layer.training
