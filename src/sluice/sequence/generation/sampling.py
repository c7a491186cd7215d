"""Sampling a token from logits."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

import torch
from torch import Tensor

from sluice.sequence.errors import SequenceError


@dataclass(frozen=True)
class Sampling:
    """How a token is sampled from the model's probabilities.

    The filters apply in this order, each to the result of the one before.

    Args:
        temperature: divides the logits; below 1 favours likely tokens, above 1 unlikely ones.
        top_k: keep only the `top_k` most likely tokens.
        top_p: keep the most likely tokens that together reach this probability (nucleus
            sampling, Holtzman et al. 2020).
        typical: keep the tokens with the information closest to the entropy that together
            reach this probability (locally typical sampling, Meister et al. 2023).
        max_length: the maximum number of tokens.

    Raises:
        SequenceError: a value outside its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    max_length: int = 1000
    typical: float | None = None

    def __post_init__(self) -> None:
        for name in ("top_k", "max_length"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, Integral):
                raise SequenceError(f"{name} must be a whole number, got {value!r}.")
        if not 0 < self.temperature < float("inf"):
            raise SequenceError(f"temperature must be above 0, got {self.temperature}.")
        if self.top_k is not None and self.top_k < 1:
            raise SequenceError(f"top_k must be at least 1, got {self.top_k}.")
        for name in ("top_p", "typical"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 1:
                raise SequenceError(f"{name} must be in (0, 1], got {value}.")
        if self.max_length < 1:
            raise SequenceError(f"max_length must be at least 1, got {self.max_length}.")


def draw(logits: Tensor, allowed: Tensor, uniform: Tensor, sampling: Sampling) -> Tensor:
    """One id for each row of `logits` (batch, vocabulary), by inverting the cumulative sum.

    `allowed` is boolean, (vocabulary,) or (batch, vocabulary); `uniform` (batch,) is in [0, 1).
    """
    return _invert(filter_probabilities(logits, allowed, sampling), uniform)


def filter_probabilities(logits: Tensor, allowed: Tensor, sampling: Sampling) -> Tensor:
    """What `draw` samples from, (batch, vocabulary): 0 where a token is not kept; sums vary."""
    allowed = allowed.expand_as(logits)
    kept = (logits.masked_fill(~allowed, -torch.inf) / sampling.temperature).softmax(dim=1)
    if sampling.top_k is not None or sampling.top_p is not None:
        likely = kept.argsort(dim=1, descending=True, stable=True)
        kept = _keep_first(kept, likely, sampling.top_k, sampling.top_p)
    if sampling.typical is not None:
        kept = kept / kept.sum(dim=1, keepdim=True)
        information = -kept.log()
        entropy = torch.special.entr(kept).sum(dim=1, keepdim=True)
        near = (information - entropy).abs().argsort(dim=1, stable=True)
        kept = _keep_first(kept, near, None, sampling.typical)
    return kept


def _keep_first(
    probabilities: Tensor, order: Tensor, count: int | None, mass: float | None
) -> Tensor:
    """Keep the first tokens in this order: `count` of them, or until they reach `mass`."""
    ordered = probabilities.gather(1, order)
    dropped = torch.zeros_like(ordered, dtype=torch.bool)
    if count is not None:
        dropped[:, count:] = True
    if mass is not None:
        dropped |= ordered.cumsum(dim=1) - ordered >= mass
    return probabilities.masked_fill(torch.zeros_like(dropped).scatter(1, order, dropped), 0)


def _invert(kept: Tensor, uniform: Tensor) -> Tensor:
    cumulative = kept.cumsum(dim=1)
    place = torch.searchsorted(cumulative, (uniform * cumulative[:, -1])[:, None], right=True)
    # Rounding at the top could point past the last token with a probability.
    numbers = torch.arange(kept.shape[1]).expand_as(kept)
    last = numbers.masked_fill(kept == 0, 0).amax(dim=1, keepdim=True)
    return place.minimum(last)[:, 0]
