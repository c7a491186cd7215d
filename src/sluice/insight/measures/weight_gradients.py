"""What each step contributes to the gradients of the weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sluice.equations.instrument import find_learned_maps
from sluice.insight.measures.norms import compute_norm
from sluice.insight.recording.recorded import RecordedLayer, RecordedModule
from sluice.insight.recording.recorder import Tape, select_layer
from sluice.run.recording.recorded_calls import RecordedCalls

_NUMBERS_AT_ONCE = 1 << 22


class WeightGradients(NamedTuple):
    """What `step_weight_gradients` gives, by gate: ``"weight_hh.forget"``, ``"bias_hh.forget"``."""

    norms: dict[str, Tensor]
    """The Frobenius norm of each step's contribution, ``(time,)``, float64."""
    contributions: dict[str, Tensor]
    """The contributions of the steps asked for, ``(steps, rows, columns)``; of a bias, ``(steps,
    rows)``; of a block-diagonal map its blocks below each other, as its weight has them."""


def step_weight_gradients(
    tape: Tape | RecordedModule | RecordedLayer,
    module: str | None = None,
    *,
    layer: int = 0,
    reverse: bool = False,
    steps: Iterable[int] = (),
) -> WeightGradients:
    """‖∂L/∂W at step t‖: how much each step contributes to the gradient of each gate's weights.

    A weight's gradient is the sum over steps of δ_t ⊗ [x_t, h_{t−1}], summed over the batch, where
    δ_t is the total derivative of the loss with respect to the map's result (Werbos 1990,
    "Backpropagation through time: what it does and how to do it"). The norms are exact: with few
    sequences they follow from the inner products of the δ and of what was read, and no matrix is
    formed. Everything is read from the tape; nothing runs again.

    Args:
        tape: Recorded by ``sluice.record(model, maps=True)``, after ``backward()``; or a part of
            it, ``tape["encoder"]``, ``tape["encoder"].layer(1)``.
        module: The module's name in the model; None where there is one, or a part was given.
        layer: Which layer of the module, counted from 0.
        reverse: Whether to take its reverse direction.
        steps: The steps whose full contributions to return as well.

    Returns:
        `WeightGradients`. The sum of ``contributions`` over all steps is autograd's gradient.

    Raises:
        ValueError: the tape was recorded without ``maps=True``, or only in part.
        KeyError: the model has no such module.
        IndexError: there is no such layer, direction or step.
        RuntimeError: nothing was recorded, or there was no ``backward()``.

    Example:
        >>> import torch, sluice
        >>> model = sluice.nn.LSTM(3, 8)
        >>> with sluice.record(model, maps=True) as tape:
        ...     model(torch.randn(5, 2, 3))[0].sum().backward()
        >>> found = sluice.insight.step_weight_gradients(tape, steps=range(5))
        >>> found.norms["weight_hh.forget"].shape, found.contributions["weight_hh.forget"].shape
        (torch.Size([5]), torch.Size([5, 8, 8]))
        >>> rows = slice(8, 16)  # torch's order: input, forget, candidate, output
        >>> full = found.contributions["weight_hh.forget"].sum(0)
        >>> torch.allclose(full, model.weight_hh_l0.grad[rows])
        True
    """
    place = select_layer(tape, module, layer, reverse)
    maps = _collect_gate_maps(place)
    steps, norms, full = list(steps), dict[str, Tensor](), dict[str, Tensor]()
    for name, part in maps.items():
        count = len(part.delta)
        outside = [t for t in steps if not -count <= t < count]
        if outside:
            raise IndexError(f"step must be from 0 to {count - 1}, got {outside[0]}")
        norms[f"weight_{name}"] = part.compute_norms()
        full[f"weight_{name}"] = part.compute_contributions(steps)
        if part.bias:
            norms[f"bias_{name}"] = compute_norm(part.delta.double().sum(1))
            full[f"bias_{name}"] = part.delta[steps].sum(1)
    return WeightGradients(norms, full if steps else {})


@dataclass(frozen=True)
class _GateMap:
    """A gate's map: the derivative of its result, what it read, ``(time, batch, width)`` each."""

    delta: Tensor
    operand: Tensor
    heads: int
    bias: bool

    def __add__(self, other: _GateMap) -> _GateMap:
        """The same weight applied to two values: as more sequences."""
        delta = torch.cat([self.delta, other.delta], dim=1)
        return _GateMap(delta, torch.cat([self.operand, other.operand], 1), self.heads, self.bias)

    def _split_heads(self, steps: slice | list[int]) -> tuple[Tensor, Tensor]:
        """Deltas and operands ``(time, heads, batch, width of a head)``."""
        both = (part[steps].unflatten(-1, (self.heads, -1)) for part in (self.delta, self.operand))
        delta, operand = (part.transpose(1, 2) for part in both)
        return delta, operand

    def compute_contributions(self, steps: list[int]) -> Tensor:
        """The full contribution of each of ``steps``."""
        delta, operand = self._split_heads(steps)
        return (delta.mT @ operand).flatten(1, 2)

    def compute_norms(self) -> Tensor:
        """The norm of each step's contribution."""
        batch, rows, columns = self.delta.shape[1], self.delta.shape[2], self.operand.shape[2]
        inner = batch * (rows + columns) < rows * columns // self.heads
        numbers = self.heads * batch**2 if inner else rows * columns // self.heads
        at_once = max(1, _NUMBERS_AT_ONCE // max(1, numbers + batch * (rows + columns)))
        found = [
            _compute_norms(*self._split_heads(slice(t, t + at_once)), inner)
            for t in range(0, len(self.delta), at_once)
        ]
        return torch.cat(found)


def _compute_norms(delta: Tensor, operand: Tensor, inner: bool) -> Tensor:
    """‖Σ_b δ_b ⊗ o_b‖ of each step: by Σ (δ_b·δ_b')(o_b·o_b') where that is less work."""
    (delta, rise), (operand, width) = _scale_steps(delta), _scale_steps(operand)
    if inner:
        products = (delta @ delta.mT) * (operand @ operand.mT)
        norms = products.sum(dim=(1, 2, 3)).clamp(min=0).sqrt()
    else:
        norms = compute_norm(delta.mT @ operand, (1, 2, 3))
    return norms * rise * width


def _scale_steps(values: Tensor) -> tuple[Tensor, Tensor]:
    """Values in float64 divided by the largest of their step, so that squares stay in range."""
    wide = values.double()
    peak = wide.abs().amax(dim=(1, 2, 3)) if wide.numel() else wide.new_zeros(len(wide))
    peak = torch.where((peak > 0) & peak.isfinite(), peak, 1.0)
    return wide / peak[:, None, None, None], peak


def _collect_gate_maps(layer: RecordedLayer) -> dict[str, _GateMap]:
    """Every gate's map as the tape has it, by the name of its weight and the gate."""
    recording = layer._recording
    if not isinstance(recording, RecordedCalls):
        raise RuntimeError("a stream has no gradients; record a call of the layer")
    maps = find_learned_maps(recording.graph)
    missing = [n for one in maps for n in (one.result, one.operand) if n not in recording.names]
    if missing or recording.every > 1:
        raise ValueError(
            "contributions need every map of every step: record with "
            "sluice.record(model, maps=True), without names= and every="
        )
    found: dict[str, _GateMap] = {}
    for one in maps:
        stack = recording.graph.get_stack(one.affine.stack)
        name = f"{stack.name}.{one.affine.gate}"
        bias = one.affine.gate in dict(stack.gates_with_bias) and recording.has_bias
        delta, operand = layer.gradient[one.result], layer[one.operand]
        part = _GateMap(delta, operand, stack.heads, bias)
        found[name] = found[name] + part if name in found else part
    return found
