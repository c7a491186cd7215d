"""Where a GPU's kernels were measured to be faster than cuDNN: `bench/results/gpu.md`.

cuDNN is ahead where it keeps the weights on chip itself: for small batches of float16 LSTMs in one
layer, and for LSTMs of few units. Everywhere else it multiplies step by step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_LEAST_STEPS = 32
"""Below this a call's fixed cost, some 0.4 ms, is more than what the kernels save."""
_MOST_WORK = {
    torch.bfloat16: 128 * 768**2,
    torch.float16: 128 * 768**2,
    torch.float32: 16 * 1024**2,
}
"""Sequences times hidden units squared, up to which every measured size was faster."""
_LEAST_HIDDEN = {torch.bfloat16: 128, torch.float16: 256, torch.float32: 256}


@dataclass(frozen=True)
class PlainCall:
    """A call that torch's own layer could run.

    Attributes:
        kind: ``"LSTM"``, ``"GRU"`` or ``"RNN"``.
        hidden: The hidden size.
        is_single: Whether there is one layer in one direction.
        batch: The number of sequences; None where it is not known.
        steps: The number of time steps; None where it is not known.
    """

    kind: str
    hidden: int
    is_single: bool = True
    batch: int | None = None
    steps: int | None = None


def explain_choice(call: PlainCall, tensor: Tensor) -> tuple[bool, str]:
    """Whether the kernels are faster than cuDNN for a call on ``tensor``, and why."""
    dtype = _get_dtype(tensor)
    name = str(dtype).removeprefix("torch.")
    obstacle = _find_obstacle(call, dtype)
    if obstacle is not None:
        return False, f"cuDNN: the GPU's kernels were not measured to be faster {obstacle}"
    return True, f"the GPU's kernels were measured to be faster than cuDNN in {name}"


def _find_obstacle(call: PlainCall, dtype: torch.dtype) -> str | None:
    """What stands against the kernels; None for nothing."""
    if call.kind not in ("LSTM", "GRU") or dtype not in _MOST_WORK:
        return f"for {call.kind} in {dtype}"
    if call.steps is not None and call.steps < _LEAST_STEPS:
        return f"for {call.steps} steps"
    if call.hidden < _LEAST_HIDDEN[dtype]:
        return f"for {call.hidden} units in {dtype}"
    if (call.batch or 1) * call.hidden**2 > _MOST_WORK[dtype]:
        return f"for {call.batch or 1} sequences of {call.hidden} units in {dtype}"
    is_small = call.batch is None or call.batch <= 32
    if dtype == torch.float16 and call.kind == "LSTM" and call.is_single and is_small:
        return "for a float16 LSTM of one layer and few sequences"
    return None


def _get_dtype(tensor: Tensor) -> torch.dtype:
    """The type that a layer computes in, autocast taken into account."""
    if tensor.dtype == torch.float32 and torch.is_autocast_enabled("cuda"):
        return torch.get_autocast_dtype("cuda")
    return tensor.dtype
