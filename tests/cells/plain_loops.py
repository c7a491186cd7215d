"""A layer against a plain loop over time: values and all gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sluice.nn import Recurrent


def assert_is_loop(
    layer: Recurrent,
    loop: Callable[[dict[str, Tensor], Tensor, Any], Tensor],
    option: object,
    shape: tuple[int, int],
    deviation: float,
    tolerance: float,
) -> None:
    """``layer`` gives what ``loop(parameters, x, option)`` gives, and its gradients.

    ``shape`` is (time, batch), ``deviation`` that of the parameters. Gradients may be off by ten
    times ``tolerance``. Both start at one seed, so that they draw the same masks.
    """
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=deviation)
    x = torch.randn(*shape, layer.input_size, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(8)
    y, _ = layer(x)
    torch.manual_seed(8)
    p = dict(layer.named_parameters())
    expected = loop(p, x, option)
    torch.testing.assert_close(y, expected, rtol=tolerance, atol=tolerance / 100)
    wanted, upstream = [x, *p.values()], torch.randn_like(y)
    mine = torch.autograd.grad(y, wanted, upstream)
    theirs = torch.autograd.grad(expected, wanted, upstream)
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=10 * tolerance, atol=tolerance / 10)
