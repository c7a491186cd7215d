"""Where a GPU's kernels were measured to be faster than cuDNN: `bench/results/gpu.md`.

cuDNN has kernels that keep the weights on chip for float16 LSTMs and for small layers; there it is
ahead. Everywhere else it multiplies step by step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_LEAST_STEPS = 32
"""Below this a call's fixed cost, some 0.4 ms, is more than what the kernels save."""
_MOST_HIDDEN = {torch.bfloat16: 1024, torch.float16: 1024, torch.float32: 256}


@dataclass(frozen=True)
class PlainCall:
    """A call that torch's own layer could run.

    Attributes:
        is_lstm: Whether the layer is an LSTM.
        hidden: Its hidden size.
        steps: The number of time steps; None where it is not known.
    """

    is_lstm: bool
    hidden: int
    steps: int | None


def explain_choice(call: PlainCall, tensor: Tensor) -> tuple[bool, str]:
    """Whether the kernels are faster than cuDNN for a call on ``tensor``, and why."""
    dtype = _get_dtype(tensor)
    name = str(dtype).removeprefix("torch.")
    if dtype not in _MOST_HIDDEN or (dtype == torch.float16 and call.is_lstm):
        return False, f"cuDNN was measured to be faster in {name}"
    if call.hidden > _MOST_HIDDEN[dtype]:
        return False, f"cuDNN was measured to be faster in {name} from {call.hidden} units on"
    if call.steps is not None and call.steps < _LEAST_STEPS:
        return False, f"cuDNN was measured to be faster for {call.steps} steps"
    return True, f"the GPU's kernels were measured to be faster than cuDNN in {name}"


def _get_dtype(tensor: Tensor) -> torch.dtype:
    """The type that a layer computes in, autocast taken into account."""
    if tensor.dtype == torch.float32 and torch.is_autocast_enabled("cuda"):
        return torch.get_autocast_dtype("cuda")
    return tensor.dtype
