"""The weights of a model's attention, taken while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Weights = dict[str, list[Tensor]]
"""By the name of an attention the weights of each call, ``(queries, steps)``."""


@contextmanager
def capture_attention(model: nn.Module) -> Iterator[Weights]:
    """Captures the weights of every attention in a model that runs on a batch of one.

    An attention is a module whose class is named so and which returns a tuple with its weights
    second: ``(queries, batch, steps)`` as those of Sluice, ``(batch, queries, steps)`` as
    `torch.nn.MultiheadAttention`.
    """
    captured: Weights = {}
    handles = [
        module.register_forward_hook(_make_hook(name, captured))
        for name, module in model.named_modules()
        if "attention" in type(module).__name__.lower()
    ]
    try:
        yield captured
    finally:
        for handle in handles:
            handle.remove()


def _make_hook(
    name: str, captured: Weights
) -> Callable[[nn.Module, tuple[object, ...], object], None]:
    def capture(module: nn.Module, _: tuple[object, ...], output: object) -> None:
        weights = output[1] if isinstance(output, tuple) and len(output) > 1 else None
        if not isinstance(weights, Tensor) or weights.dim() != 3:
            return
        batch = 0 if isinstance(module, nn.MultiheadAttention) else 1
        if weights.shape[batch] == 1:
            captured.setdefault(name, []).append(weights.detach().squeeze(batch))

    return capture


def join_attention(captured: Weights, queries: int) -> Tensor | None:
    """The weights of the last attention that has so many queries, in one call or step by step."""
    for calls in reversed(captured.values()):
        if len({weights.shape[-1] for weights in calls}) == 1:
            joined = torch.cat(calls)
            if len(joined) == queries:
                return joined
    return None
