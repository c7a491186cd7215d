"""Where a NaN or infinite loss comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from sluice.insight import find_first_nonfinite, record
from sluice.sequence.training.sparse_embeddings import select_gradient_values


def describe_first_nonfinite(
    model: nn.Module, run: Callable[[], object], randomness: Tensor
) -> str:
    """Describe the first value that is not finite when a loss is computed again.

    Args:
        model: the model of the loss.
        run: computes the loss.
        randomness: torch's random state before the loss was computed, for the same dropout.
    """
    torch.set_rng_state(randomness)
    try:
        with torch.no_grad(), record(model) as tape:
            run()
        fault = find_first_nonfinite(tape)
    except (ValueError, RuntimeError):  # no recurrent layer of ours, or one without gates
        fault = None
    if fault is not None:
        return str(fault)
    damaged = _find_nonfinite(model.named_parameters())
    if damaged is not None:
        return f"{damaged} already held such a value"
    return "all values of the recurrent layers are finite, so it starts in the readout or the loss"


def describe_nonfinite_gradients(model: nn.Module) -> str:
    """Describe the gradients that are not finite."""
    gradients = ((name, select_gradient_values(p)) for name, p in model.named_parameters())
    found = ((name, gradient) for name, gradient in gradients if gradient is not None)
    return f"first in the gradient of {_find_nonfinite(found)}"


def _find_nonfinite(tensors: Iterable[tuple[str, Tensor]]) -> str | None:
    return next((name for name, tensor in tensors if not bool(tensor.isfinite().all())), None)
