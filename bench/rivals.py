"""Baselines for Sluice's layers: plain loops over the steps in torch, and
onnxruntime. Each is made from one of our layers, with its weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Output = tuple[Tensor, Any]


def of_torch(kind: type[nn.RNNBase]) -> Callable[[nn.RNNBase], nn.Module]:
    """Torch's own layer of this kind."""

    def build(ours: nn.RNNBase) -> nn.Module:
        theirs = kind(ours.input_size, ours.hidden_size)
        theirs.load_state_dict(ours.state_dict())
        return theirs

    return build


def as_lstm(kind: type[nn.RNNBase]) -> Callable[[nn.Module], nn.Module]:
    """A built-in LSTM with the weights of `own_cells.Mine`, its gates in torch's order."""

    def build(ours: nn.Module) -> nn.Module:
        lstm = kind(ours.input_size, ours.hidden_size)
        for name, parameter in ours.state_dict().items():
            show, content, write, keep = parameter.chunk(4)
            with torch.no_grad():
                lstm.get_parameter(name).copy_(torch.cat([write, keep, content, show]))
        return lstm

    return build


def onnxruntime(ours: nn.RNNBase) -> Callable[[Tensor], Output]:
    """The layer as an ONNX node; its packages are needed only here."""
    from onnx_layers import OnnxLayer

    return OnnxLayer(ours)


class LayerNormLoop(nn.Module):
    """The layer-norm LSTM (Ba et al. 2016) in a loop over the steps of the projected input.

    The careful loop unbinds it once. The usual one takes `xs[t]` at each step, whose gradient is
    as large as all of `xs` and zero except at the step: the backward pass is quadratic in T.
    """

    def __init__(self, ours: nn.Module, by_index: bool = False) -> None:
        super().__init__()
        size, self.by_index = ours.hidden_size, by_index
        self.of_x = nn.Linear(ours.input_size, 4 * size, bias=False)
        self.of_h = nn.Linear(size, 4 * size, bias=False)
        self.norm_x, self.norm_h = nn.LayerNorm(4 * size), nn.LayerNorm(4 * size)
        self.norm_c = nn.LayerNorm(size)
        for part, name in ((self.of_x, "ih"), (self.of_h, "hh")):
            part.load_state_dict({"weight": ours.get_parameter(f"weight_{name}_l0")})

    def forward(self, x: Tensor) -> Output:
        h = c = x.new_zeros(len(x[0]), self.of_h.in_features)
        xs, outputs = self.norm_x(self.of_x(x)), []
        for projected in (xs[t] for t in range(len(xs))) if self.by_index else xs.unbind():
            gates = projected + self.norm_h(self.of_h(h))
            i, f, g, o = gates.chunk(4, -1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * self.norm_c(c).tanh()
            outputs.append(h)
        return torch.stack(outputs), (h, c)


class HighwayLoop(nn.Module):
    """`own_cells.Highway` in a loop of torch operations; `compiled` puts its step through
    `torch.compile`, for this layer's shapes alone."""

    def __init__(self, ours: nn.Module, compiled: bool = False) -> None:
        super().__init__()
        size = ours.hidden_size
        self.of_x, self.of_h = nn.Linear(ours.input_size, 4 * size), nn.Linear(size, 4 * size)
        for part, name in ((self.of_x, "ih"), (self.of_h, "hh")):
            kinds = ("weight", "bias")
            part.load_state_dict({k: ours.get_parameter(f"{k}_{name}_l0") for k in kinds})
        self.peephole = nn.Parameter(ours.get_parameter("peephole_l0").detach().clone())
        self.one = _highway
        if compiled:
            torch.compiler.reset()  # Past eight compilations of a function, torch stops silently.
            self.one = torch.compile(_highway, fullgraph=True, dynamic=False)

    def forward(self, x: Tensor) -> Output:
        h = c = x.new_zeros(len(x[0]), self.of_h.in_features)
        outputs = []
        for projected in self.of_x(x).unbind():
            h, c = self.one(projected, h, c, self.of_h.weight, self.of_h.bias, self.peephole)
            outputs.append(h)
        return torch.stack(outputs), (h, c)


def _highway(
    projected: Tensor, h: Tensor, c: Tensor, weight: Tensor, bias: Tensor, peephole: Tensor
) -> tuple[Tensor, Tensor]:
    k, w, g, s = (projected + nn.functional.linear(h, weight, bias)).chunk(4, -1)
    c = (k + peephole * c).sigmoid() * c + w.sigmoid() * g.tanh()
    s = s.sigmoid()
    return s * c.tanh() + (1 - s) * h, c
