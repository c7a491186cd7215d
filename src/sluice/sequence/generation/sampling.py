"""How a token is drawn from what the model makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sluice.sequence.errors import SequenceError


@dataclass(frozen=True)
class Sampling:
    """How a token is drawn from the model's probabilities.

    The steps follow in this order, each on what the one before has left.

    Args:
        temperature: divides the log-probabilities; below 1 the likely becomes likelier.
        top_k: keep only the `top_k` likeliest tokens.
        top_p: keep the likeliest tokens that together reach this probability (nucleus
            sampling, Holtzman et al. 2020).
        typical: keep the tokens whose information is nearest the entropy and that together
            reach this probability (locally typical sampling, Meister et al. 2023).
        max_length: give up on a sequence that has not ended by then.

    Raises:
        SequenceError: a value outside its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    max_length: int = 1000
    typical: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.temperature < float("inf"):
            raise SequenceError(f"The temperature is above 0, but {self.temperature} came.")
        if self.top_k is not None and self.top_k < 1:
            raise SequenceError(f"top_k is at least 1, but {self.top_k} came.")
        for name in ("top_p", "typical"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 1:
                raise SequenceError(f"{name} lies in (0, 1], but {value} came.")
        if self.max_length < 1:
            raise SequenceError(f"max_length is at least 1, but {self.max_length} came.")


def draw(logits: Tensor, allowed: Tensor, uniform: Tensor, sampling: Sampling) -> Tensor:
    """One id for each row of `logits` (batch, vocabulary): the inverse of the cumulative sum.

    `allowed` is boolean, `logits` without its first dimension or with it; `uniform` (batch,)
    lies in [0, 1).
    """
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
    return _invert(kept, uniform)


def _keep_first(
    probabilities: Tensor, order: Tensor, count: int | None, mass: float | None
) -> Tensor:
    """Zero but for the first tokens in this order: so many, or until they reach this mass."""
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
    # A tie at the very top would point past the last token that has any probability.
    numbers = torch.arange(kept.shape[1]).expand_as(kept)
    last = numbers.masked_fill(kept == 0, 0).amax(dim=1, keepdim=True)
    return place.minimum(last)[:, 0]
