"""Where a NaN or infinite loss comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

import torch
from torch import Tensor, nn

from sluice.insight import Tape, find_first_nonfinite, record
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


def describe_nonfinite_gradients(
    model: nn.Module, run: Callable[[], Tensor], randomness: Tensor
) -> str:
    """Describe where gradients that are not finite begin, or why their norm is not.

    Args:
        model: the model with its gradients.
        run: computes the loss again.
        randomness: as for `describe_first_nonfinite`.
    """
    gradients = {
        name: gradient
        for name, parameter in model.named_parameters()
        if (gradient := select_gradient_values(parameter)) is not None
    }
    damaged = _find_nonfinite(gradients.items())
    if damaged is None:
        largest = max(gradients, key=lambda name: float(gradients[name].abs().max()))
        return (
            "all gradients are finite, but too large for their norm; the largest is "
            f"{float(gradients[largest].abs().max()):.3g}, of {largest}"
        )
    torch.set_rng_state(randomness)
    place = None
    with suppress(ValueError, RuntimeError):  # no recurrent layer of ours, or one without gates
        with record(model) as tape:
            run().backward()
        place = _find_first_gradient(tape)
    return f"first in the gradient of {damaged if place is None else place}"


def _find_first_gradient(tape: Tape) -> str | None:
    """The place where a backward pass first has NaN or infinity; it begins at the last step."""
    for name in reversed(list(tape)):
        for label, recorded in reversed(tape[name].layers.items()):
            first: tuple[int, str, list[int]] | None = None
            for value in reversed(list(recorded)):
                wrong = (~recorded.gradient[value].isfinite()).nonzero()
                if len(wrong):
                    row = wrong[0 if recorded.is_reverse else -1].tolist()
                    order = row[0] if recorded.is_reverse else -row[0]
                    if first is None or order < first[0]:
                        first = order, value, row
            if first is not None:
                _, value, (step, sequence, unit) = first
                where = f"'{name}' {label}" if name else label
                return f"{where}, value '{value}', step {step}, sequence {sequence}, unit {unit}"
    return None


def _find_nonfinite(tensors: Iterable[tuple[str, Tensor]]) -> str | None:
    return next((name for name, tensor in tensors if not bool(tensor.isfinite().all())), None)
