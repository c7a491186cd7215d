"""Missing values, filled with the last known one."""

from __future__ import annotations

import torch
from torch import Tensor


def forward_fill(
    values: Tensor,
    before: Tensor | None = None,
    lengths: Tensor | None = None,
    resets: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`values` with each NaN replaced by the last value before it, and the last known values.

    Args:
        values: (time, batch, features).
        before: the values before the first step (batch, features); 0 if None.
        lengths: steps of each sequence (batch,); padding is not carried over.
        resets: where a new sequence starts (time, batch); the value before it is 0.

    >>> nan = float("nan")
    >>> filled, last = forward_fill(torch.tensor([nan, 2.0, nan]).view(3, 1, 1))
    >>> filled.flatten().tolist(), last.item()
    ([0.0, 2.0, 2.0], 2.0)
    """
    steps = torch.arange(1, len(values) + 1, device=values.device).view(-1, 1, 1)
    marked = ~values.isnan()
    if resets is not None:
        marked = marked | resets[..., None]
    # Index 0 is the value before the first step; a NaN at a reset is marked and becomes 0.
    first = values.new_zeros(values.shape[1:]) if before is None else before
    known = torch.cat((first[None], values.nan_to_num()))
    places = (steps * marked).cummax(dim=0).values
    filled = known.gather(0, places)
    if lengths is None:
        return filled, filled[-1]
    ends = lengths.view(1, -1, 1).expand(1, *filled.shape[1:])
    return filled, torch.cat((first[None], filled)).gather(0, ends)[0]
