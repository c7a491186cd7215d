"""The scores of additive attention on the kernels, and their gradients."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from sluice.codegen.attention import BACKWARD, FORWARD, build_attention_bodies
from sluice.codegen.jit import CompiledBodies, compile_bodies
from sluice.run.kernels import extension
from sluice.run.kernels.encode import (
    ATTENTION_BACKWARD,
    ATTENTION_FORWARD,
    as_memory,
    encode_sections,
    encode_tensors,
)

# A tanh and what is around it take as long as so many multiplications.
_MULTIPLICATIONS_PER_TANH = 16


def compute_scores(queries: Tensor, keys: Tensor, vector: Tensor, mask: Tensor | None) -> Tensor:
    """Σ v · tanh(q + k) for each query and key; −∞ for keys that are not read.

    Args:
        queries: (time, batch, width), float32 or float64, on a CPU, as are the others.
        keys: (steps, batch, width).
        vector: (width,).
        mask: which keys are read (steps, batch), boolean; None for all.

    Returns:
        (time, batch, steps).
    """
    scores = queries.new_empty(*queries.shape[:2], len(keys))
    _run("forward", ATTENTION_FORWARD, FORWARD, (queries, keys, vector, mask), (scores,))
    return scores


def compute_score_gradients(
    gradient: Tensor, queries: Tensor, keys: Tensor, vector: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of queries, keys and vector, given that of `compute_scores`' result."""
    of_queries = torch.empty_like(queries, memory_format=torch.contiguous_format)
    of_keys = torch.empty_like(keys, memory_format=torch.contiguous_format)
    of_vector = queries.new_empty(queries.shape[1:])
    results = (as_memory(gradient), of_queries, of_keys, of_vector)
    _run("backward", ATTENTION_BACKWARD, BACKWARD, (queries, keys, vector, mask), results)
    return of_queries, of_keys, of_vector.sum(dim=0)


def _run(
    direction: str,
    kind: int,
    body: str,
    inputs: tuple[Tensor, Tensor, Tensor, Tensor | None],
    results: tuple[Tensor, ...],
) -> None:
    module: Any = extension.load_extension()
    queries, keys, *_ = kept = [None if t is None else as_memory(t) for t in inputs]
    assert queries is not None and keys is not None
    bits = 32 if queries.dtype == torch.float32 else 64
    steps, batch, width = queries.shape
    cost = _MULTIPLICATIONS_PER_TANH * queries.numel() * len(keys)
    sizes = [steps, batch, len(keys), width, extension.choose_num_threads(cost)]
    words = encode_sections(kind, sizes, encode_tensors(*kept), encode_tensors(*results))
    address = _compile(bits, extension.get_isa()).addresses[body]
    getattr(module, f"attention_{direction}_float{bits}")(words, address)


@lru_cache
def _compile(bits: int, isa: str | None) -> CompiledBodies:
    return compile_bodies(build_attention_bodies(), bits, isa)
