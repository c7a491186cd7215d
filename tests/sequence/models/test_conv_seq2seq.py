"""ConvS2S beside plain functions: the gated convolution, positions, a whole model."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from sequence.models.pair_models import build_small
from sluice.sequence import Checkpoint, SequenceError, Vocabulary, generate_outputs
from sluice.sequence.models import ConvSeq2Seq, ConvSeq2SeqConfig, decode
from sluice.sequence.models.attention import DotAttention
from sluice.sequence.models.gated_convolution import GatedConvolution, build_normalised_linear


def convolve(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x (time, features), weight (width, features, 2 × features), a step at a time."""
    width, features = len(weight), weight.shape[1]
    rows = []
    for first in range(len(x) - width + 1):
        total = bias + sum(x[first + k] @ weight[k] for k in range(width))
        rows.append(total[:features] * (1 / (1 + (-total[features:]).exp())))
    return torch.stack(rows)


def test_a_gated_convolution_is_the_formula() -> None:
    convolution, x = GatedConvolution(4, 3), torch.randn(7, 2, 4)
    found = convolution(x)
    for b in range(2):
        expected = convolve(x[:, b], convolution.weight, convolution.bias)
        torch.testing.assert_close(found[:, b], expected)


def test_its_weights_are_drawn_and_normalised_as_the_papers() -> None:
    torch.manual_seed(0)
    convolution = GatedConvolution(64, 3, dropout=0.2)
    assert convolution.weight.std().item() == pytest.approx(math.sqrt(4 * 0.8 / 192), rel=0.03)
    linear = build_normalised_linear(300, 200, dropout=0.2)
    assert linear.weight.std().item() == pytest.approx(math.sqrt(0.8 / 300), rel=0.03)
    lengths = convolution.parametrizations.weight.original0
    with torch.no_grad():
        lengths.fill_(2.0)  # the length of each output's weights, whatever their direction
        convolution.parametrizations.weight.original1.mul_(3)
    torch.testing.assert_close(convolution.weight.norm(dim=(0, 1)), torch.full((128,), 2.0))


def test_gradients_are_right() -> None:
    convolution = GatedConvolution(2, 3).double()
    x = torch.randn(5, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(convolution, (x,))
    given = [torch.randn(3, 2, 4, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    lengths = torch.tensor([3, 1])
    assert torch.autograd.gradcheck(lambda *parts: DotAttention()(*parts, lengths), given)


def test_a_whole_model_is_the_papers_equations() -> None:
    model = build_small("convs2s")
    assert isinstance(model, ConvSeq2Seq)
    half, (sources, targets) = math.sqrt(0.5), torch.randint(3, 9, (2, 5, 1))
    e = model.embedding.weight[sources[:, 0]] + model.positions.table[:5]
    x = model.encoder_input(e)
    for layer in model.encoder:
        padded = functional.pad(x, (0, 0, 1, 1))
        x = (convolve(padded, layer.weight, layer.bias) + x) * half
    z = model.encoder_output(x)
    before = torch.cat((torch.ones(1, dtype=torch.int64), targets[:-1, 0]))
    g = model.target_embedding.weight[before] + model.target_positions.table[:5]
    h, looked = model.decoder_input(g), []
    for layer in model.decoder:
        c = layer.convolution
        gated = convolve(functional.pad(h, (0, 0, 2, 0)), c.weight, c.bias)
        d = (layer.query(gated) + g) * half
        a = (d @ z.T).softmax(-1)
        context = a @ ((z + e) * half) * math.sqrt(5)
        h = ((gated + layer.output(context)) * half + h) * half
        looked.append(a)
    expected = model.readout(model.decoder_output(h))
    logits, weights = model(sources, targets)
    torch.testing.assert_close(logits[:, 0], expected)
    torch.testing.assert_close(weights[:, 0], sum(looked) / 2)


def test_the_encoders_gradient_is_shared_among_the_layers() -> None:
    """Of two attentions the encoder gets a half of the sum (section 3.5)."""
    model = build_small("convs2s")
    assert isinstance(model, ConvSeq2Seq)
    memory, _ = model.encode(torch.randint(3, 9, (5, 2)))
    memory.keys.sum().backward()
    torch.testing.assert_close(model.encoder_output.bias.grad, torch.full((8,), 5.0))  # 10 / 2


def test_positions_end() -> None:
    config = ConvSeq2SeqConfig(9, 9, embedding_size=4, hidden_size=4, max_positions=6)
    model = ConvSeq2Seq(config)
    with pytest.raises(SequenceError, match="6 positions, got a sequence of 7 tokens"):
        decode(model, torch.full((7, 1), 3))
    letters = Vocabulary(tuple("abcdef"), "characters")
    checkpoint = Checkpoint(model, letters, target_vocabulary=letters)
    with pytest.raises(SequenceError, match="begins 'abcabca' has 7 tokens, and the model reads 6"):
        generate_outputs(checkpoint, ["ab", "abcabca"], max_length=2)
    with pytest.raises(SequenceError, match="kernel_width must be odd, got 4"):
        ConvSeq2SeqConfig(9, 9, kernel_width=4)
