"""Where a loss that is no finite number comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from sluice.insight import find_first_nonfinite, record


def describe_first_nonfinite(model: nn.Module, run: Callable[[], Any], randomness: Tensor) -> str:
    """A sentence on the first value that is not finite when a loss is computed again.

    Args:
        model: what the loss is computed with.
        run: computes it.
        randomness: torch's random state before it was computed, for the same dropout.
    """
    torch.set_rng_state(randomness)
    try:
        with torch.no_grad(), record(model) as tape:
            run()
        fault = find_first_nonfinite(tape)
    except (ValueError, RuntimeError):  # no recurrent layer of ours, or one that shows no gates
        fault = None
    if fault is not None:
        return str(fault)
    damaged = _find_nonfinite(model.named_parameters())
    if damaged is not None:
        return f"{damaged} already held one"
    return "all values of the recurrent layers are finite, so it begins in the loss or readout"


def describe_nonfinite_gradients(model: nn.Module) -> str:
    """A sentence on the gradients that are not finite."""
    found = ((name, p.grad) for name, p in model.named_parameters() if p.grad is not None)
    return f"first in the gradient of {_find_nonfinite(found)}"


def _find_nonfinite(tensors: Iterable[tuple[str, Tensor]]) -> str | None:
    return next((name for name, tensor in tensors if not bool(tensor.isfinite().all())), None)
