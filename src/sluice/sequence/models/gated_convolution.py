"""A convolution over time with gated linear units, and the step of a stack of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

RESIDUAL_SCALE = math.sqrt(0.5)
"""Keeps the variance of a sum of two (Gehring et al. 2017, section 3.5)."""


class GatedConvolution(nn.Module):
    """Convolves over time, and gates one half of the result by the other.

    With A and B the halves of the convolution's output this is A ⊗ σ(B) (Dauphin et al. 2017;
    Gehring et al. 2017, section 3.2). The weights are normalised (Salimans & Kingma 2016) and drawn
    from N(0, √(4 p / n)), p being the share of inputs that dropout keeps and n the inputs of an
    output (Gehring et al. 2017, appendix A).

    Args:
        features: of the input and of the output.
        width: the steps that an output reads.
        dropout: the rate of dropout on its input, by which weights are drawn.

    >>> convolution = GatedConvolution(features=8, width=3)
    >>> convolution(torch.zeros(12, 2, 8)).shape     # 2 steps fewer
    torch.Size([10, 2, 8])
    """

    def __init__(self, features: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.width = width
        self.weight = nn.Parameter(torch.empty(width, features, 2 * features))
        self.bias = nn.Parameter(torch.zeros(2 * features))
        spread = math.sqrt(4 * (1 - dropout) / (width * features))
        nn.init.normal_(self.weight, std=spread)
        weight_norm(self, "weight", dim=2)

    def forward(self, x: Tensor) -> Tensor:
        """x (time, batch, features) to (time - width + 1, batch, features)."""
        return functional.glu(torch.conv_tbc(x, self.weight, self.bias, 0), dim=-1)


def build_normalised_linear(inputs: int, outputs: int, dropout: float = 0.0) -> nn.Module:
    """A linear map with normalised weights, drawn from N(0, √(p / n)) as the paper's are.

    Args:
        inputs, outputs: its features.
        dropout: the rate of dropout on its input.
    """
    linear = nn.Linear(inputs, outputs)
    nn.init.normal_(linear.weight, std=math.sqrt((1 - dropout) / inputs))
    nn.init.zeros_(linear.bias)
    normalised: nn.Module = weight_norm(linear)
    return normalised
