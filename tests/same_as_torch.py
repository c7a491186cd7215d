"""A layer compared with torch's own, which gets the weights that the layer has now."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import sluice

KINDS = {sluice.nn.LSTM: nn.LSTM, sluice.nn.GRU: nn.GRU, sluice.nn.RNN: nn.RNN}
OPTIONS = ("num_layers", "bias", "batch_first", "dropout", "bidirectional")


def get_names(layer: Any) -> list[str]:
    return [name for place in layer._places for name in place.parameter_names]


def rebuild(layer: Any) -> Any:
    """torch's own layer, with the weights that ``layer`` has now."""
    kind = next(theirs for ours, theirs in KINDS.items() if isinstance(layer, ours))
    made = kind(3, 5, **{name: getattr(layer, name) for name in OPTIONS})
    for name in get_names(layer):
        setattr(made, name, nn.Parameter(getattr(layer, name).detach().clone()))
    return made.train(layer.training)


def run(layer: Any, x: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
    """Output and states, a weighted sum of them, and the input that was given."""
    x = x.clone().requires_grad_()
    torch.manual_seed(5)
    y, last = layer(x)
    results = [y, *(last if isinstance(last, tuple) else (last,))]
    sums = [(torch.linspace(-1, 2, t.numel()).view(t.shape).to(t) * t).sum() for t in results]
    return results, torch.stack(sums).sum(), x


def check(
    layer: Any, dtype: torch.dtype = torch.float32, shape: tuple[int, ...] = (4, 2, 3)
) -> None:
    """Both layers give the same values, and the same gradients of input and parameters."""
    theirs, x, names = rebuild(layer), torch.randn(shape, dtype=dtype), get_names(layer)
    mine, loss, own = run(layer, x)
    parameters = [p for p in layer.parameters() if p.requires_grad]
    found = torch.autograd.grad(loss, [own, *parameters], retain_graph=True)
    expected, loss, own = run(theirs, x)
    of_x, *of_weights = torch.autograd.grad(loss, [own, *(getattr(theirs, n) for n in names)])
    pairs = [(getattr(layer, n), g) for n, g in zip(names, of_weights, strict=True)]
    pairs = [(t, g) for t, g in pairs if t.requires_grad]
    of_parameters: tuple[Tensor, ...] = ()
    if pairs:
        used, given = zip(*pairs, strict=True)
        of_parameters = torch.autograd.grad(used, parameters, given, retain_graph=True)
    for a, b in zip([*mine, *found], [*expected, of_x, *of_parameters], strict=True):
        torch.testing.assert_close(a, b, rtol=2e-4, atol=2e-5)
