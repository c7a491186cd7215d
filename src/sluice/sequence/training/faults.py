"""Where a loss that is no finite number comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from sluice.insight import first_fault, record


def where_it_began(model: nn.Module, run: Callable[[], Any], randomness: Tensor) -> str:
    """A sentence on the first value that is not finite when a loss is computed again.

    Args:
        model: what the loss is computed with.
        run: computes it.
        randomness: torch's random state before it was computed, for the same dropout.
    """
    damaged = _not_finite((name, p) for name, p in model.named_parameters())
    torch.set_rng_state(randomness)
    try:
        with torch.no_grad(), record(model) as tape:
            run()
        fault = first_fault(tape)
    except (ValueError, RuntimeError):  # no recurrent layer of ours, or one that shows no gates
        fault = None
    if fault is not None:
        return str(fault)
    if damaged:
        return f"{damaged} already held one"
    return "all values of the recurrent layers are finite, so it begins in the loss or readout"


def bad_gradients(model: nn.Module) -> str:
    """A sentence on the gradients that are not finite."""
    found = ((name, p.grad) for name, p in model.named_parameters() if p.grad is not None)
    return f"the gradient of {_not_finite(found)} is the first that is not finite"


def _not_finite(tensors: Any) -> str:
    return next((name for name, tensor in tensors if not bool(tensor.isfinite().all())), "")
