"""Additive attention: scores, softmax and mixture as one function with its own gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.types import Device

from sluice.nn.batch import is_autocast_enabled
from sluice.nn.marks import Lengths, read_lengths
from sluice.run.dispatch import choose_backend
from sluice.run.kernels import attention as kernels
from sluice.run.torch_state import is_beyond_kernels


def additive_attention(
    queries: Tensor, keys: Tensor, values: Tensor, vector: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Weights softmax(v · tanh(q + k)) over steps, and the values' means with these weights.

    This is the attention of Bahdanau, Cho & Bengio (2015, section A.1.2) after its linear maps. On
    a CPU in float32 and float64 the kernels compute it: the hidden values tanh(q + k), batch × time
    × steps × width of them, are never stored, and the backward pass computes them again. Elsewhere,
    and while a program is traced, transformed, compiled or differentiated twice, it is a
    composition of torch's operations.

    Args:
        queries: (time, batch, width).
        keys: (steps, batch, width).
        values: (steps, batch, features).
        vector: v, (width,).
        mask: which steps are read (steps, batch), boolean; None for all. What is not read has no
            influence, even if it is NaN. A sequence without any step has weights and contexts of 0.

    Returns:
        Contexts (time, batch, features) and weights (time, batch, steps).

    Raises:
        ValueError: shapes that do not agree, or a mask that is not boolean.

    Example:
        >>> queries, keys, values = torch.zeros(2, 3, 8), torch.zeros(4, 3, 8), torch.ones(4, 3, 5)
        >>> contexts, weights = additive_attention(queries, keys, values, torch.ones(8))
        >>> contexts.shape, weights[0, 0].tolist()
        (torch.Size([2, 3, 5]), [0.25, 0.25, 0.25, 0.25])
    """
    _require_shapes(queries, keys, values, vector, mask)
    tensors = (queries, keys, values, vector)
    choice = choose_backend(tensors, "additive attention", None)
    if not choice.has_step_kernels or is_autocast_enabled(queries):
        return _compose(*tensors, mask)
    if not torch.is_grad_enabled() or not any(t.requires_grad for t in tensors):
        return _run_kernels(*tensors, mask)
    contexts, weights = _AttentionFunction.apply(*tensors, mask)  # type: ignore[no-untyped-call]
    return contexts, weights


class AdditiveAttention(nn.Module):
    """Attention with the scores v · tanh(W q + b + U m) (Bahdanau, Cho & Bengio 2015, A.1.2).

    `additive_attention` says how it is computed.

    Args:
        query: The width of the queries.
        memory: The width of the memory.
        hidden: The width of W q and U m; None for that of the queries.
        device: Where its parameters are made.
        dtype: Their dtype.

    Example:
        >>> attention = AdditiveAttention(query=8, memory=6)
        >>> lengths = torch.tensor([5, 3])
        >>> contexts, weights = attention(torch.zeros(3, 2, 8), torch.zeros(5, 2, 6), lengths)
        >>> contexts.shape, weights.shape
        (torch.Size([3, 2, 6]), torch.Size([3, 2, 5]))
    """

    def __init__(
        self,
        query: int,
        memory: int,
        hidden: int | None = None,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        hidden = query if hidden is None else hidden
        self.memory_map = nn.Linear(memory, hidden, bias=False, device=device, dtype=dtype)
        self.query_map = nn.Linear(query, hidden, device=device, dtype=dtype)
        self.score = nn.Linear(hidden, 1, bias=False, device=device, dtype=dtype)

    def map_memory(self, memory: Tensor) -> Tensor:
        """The keys U m (steps, batch, hidden), to be computed once for several calls.

        Args:
            memory: (steps, batch, memory).
        """
        keys: Tensor = self.memory_map(memory)
        return keys

    def forward(
        self,
        queries: Tensor,
        memory: Tensor,
        lengths: Lengths | None = None,
        mask: Tensor | None = None,
        *,
        keys: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Contexts (time, batch, memory) and weights (time, batch, steps).

        Args:
            queries: (time, batch, query).
            memory: (steps, batch, memory).
            lengths: The memory's steps without padding (batch,), a list, an array or a tensor of
                integers; None if no step is padding.
            mask: Which steps are read (steps, batch), boolean, in addition.
            keys: What `map_memory` made of the memory; None to compute it.

        The weights of a query sum to 1, or are 0 if its sequence has no step.
        """
        mask = combine_masks(memory, lengths, mask)
        keys = self.map_memory(memory) if keys is None else keys
        return additive_attention(self.query_map(queries), keys, memory, self.score.weight[0], mask)


def combine_masks(memory: Tensor, lengths: Lengths | None, mask: Tensor | None) -> Tensor | None:
    """Which steps of `memory` are read (steps, batch); None for all."""
    if lengths is None:
        return mask
    steps = torch.arange(len(memory), device=memory.device)[:, None]
    ends = read_lengths(lengths, memory.shape[1])
    within = steps < ends.to(memory.device)
    return within if mask is None else within & mask


def mix_values(scores: Tensor, values: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Contexts (time, batch, features) and weights, of scores (time, batch, steps)."""
    if mask is not None:
        beyond = ~mask.T
        # Not -inf: a sequence without any step would give NaN everywhere.
        scores = scores.masked_fill(beyond, torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=-1).masked_fill(beyond, 0)
        values = values.masked_fill(~mask[..., None], 0)
    else:
        weights = scores.softmax(dim=-1)
    contexts = torch.bmm(weights.transpose(0, 1), values.transpose(0, 1))
    return contexts.transpose(0, 1), weights


def _compose(
    queries: Tensor, keys: Tensor, values: Tensor, vector: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    if mask is not None:
        keys = keys.masked_fill(~mask[..., None], 0)
    pairs = queries[:, :, None] + keys.transpose(0, 1)
    return mix_values(pairs.tanh() @ vector, values, mask)


def _run_kernels(
    queries: Tensor, keys: Tensor, values: Tensor, vector: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    return mix_values(kernels.compute_scores(queries, keys, vector, mask), values, mask)


class _AttentionFunction(torch.autograd.Function):
    """The kernels' pass, and its way back."""

    @staticmethod
    def forward(ctx: Any, *tensors: Any) -> tuple[Tensor, Tensor]:
        contexts, weights = _run_kernels(*tensors)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, weights)
        return contexts, weights

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        *tensors, weights = ctx.saved_tensors
        if torch.is_grad_enabled() or is_beyond_kernels(gradients):
            return _differentiate_composition(tensors, gradients, ctx.needs_input_grad)
        queries, keys, values, vector, mask = tensors
        of_contexts, of_weights = gradients
        of_values = None
        if of_contexts is not None:
            upstream = of_contexts.transpose(0, 1)
            if ctx.needs_input_grad[2]:
                of_values = torch.bmm(weights.permute(1, 2, 0), upstream).transpose(0, 1)
            if mask is not None:
                values = values.masked_fill(~mask[..., None], 0)
            through = torch.bmm(upstream, values.permute(1, 2, 0)).transpose(0, 1)
            of_weights = through if of_weights is None else through + of_weights
        if of_weights is None:
            return None, None, None, None, None
        of_scores = weights * (of_weights - (weights * of_weights).sum(dim=-1, keepdim=True))
        of_queries, of_keys, of_vector = kernels.compute_score_gradients(
            of_scores, queries, keys, vector, mask
        )
        return of_queries, of_keys, of_values, of_vector, None


def _differentiate_composition(
    tensors: list[Tensor], gradients: tuple[Tensor | None, ...], needs: tuple[bool, ...]
) -> tuple[Tensor | None, ...]:
    """The gradients by autograd, which can be differentiated again."""
    *inputs, mask = tensors
    differentiates = torch.is_grad_enabled()
    with torch.enable_grad():
        queries, keys, values, vector = inputs
        outputs = _compose(queries, keys, values, vector, mask)
        pairs = [(y, g) for y, g in zip(outputs, gradients, strict=True) if g is not None]
        wanted = [t for t, needed in zip(inputs, needs, strict=False) if needed]
        found = iter(
            torch.autograd.grad(
                [y for y, _ in pairs],
                wanted,
                [g for _, g in pairs],
                create_graph=differentiates,
                allow_unused=True,
            )
        )
    return (*(next(found) if needed else None for needed in needs[:4]), None)


def _require_shapes(
    queries: Tensor, keys: Tensor, values: Tensor, vector: Tensor, mask: Tensor | None
) -> None:
    shapes = [tuple(t.shape) for t in (queries, keys, values, vector)]
    if [len(shape) for shape in shapes] == [3, 3, 3, 1]:
        (_, batch, width), (steps, _, _), (_, _, features), _ = shapes
        expected = [(len(queries), batch, width), (steps, batch, width), (steps, batch, features)]
        if shapes == [*expected, (width,)]:
            if mask is None or (mask.dtype == torch.bool and mask.shape == (steps, batch)):
                return
            raise ValueError(
                f"mask must be boolean of shape {(steps, batch)}, steps and batch, got "
                f"{mask.dtype} of shape {tuple(mask.shape)}"
            )
    raise ValueError(
        "queries, keys, values and vector must be (time, batch, width), (steps, batch, width), "
        f"(steps, batch, features) and (width,), got {', '.join(map(str, shapes))}"
    )
