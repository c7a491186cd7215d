"""Values with what is known ahead beside them, as a `Forecaster` reads them."""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.sequence.errors import SequenceError
from sluice.sequence.models.forecaster_config import ForecasterConfig


def append_known_ahead(
    values: Tensor, future: Tensor | None, lengths: Tensor | None, config: ForecasterConfig
) -> Tensor:
    """At each step also the values of the next `horizon` steps that are known ahead.

    Args:
        values: (time, batch, features).
        future: the values of the known features after each sequence's end, (steps, batch, known);
            what lies beyond is NaN.
        lengths: steps of each sequence (batch,); None for all.
        config: of the model.

    Returns:
        (time, batch, features + horizon × known), ordered by step.

    Raises:
        SequenceError: values or future of another shape.

    >>> config = ForecasterConfig(features=2, known=(1,), horizon=2)
    >>> values = torch.tensor([[0.0, 1.0], [0.0, 2.0]])[:, None]
    >>> append_known_ahead(values, torch.tensor([[[3.0]]]), None, config)[:, 0].tolist()
    [[0.0, 1.0, 2.0, 3.0], [0.0, 2.0, 3.0, nan]]
    """
    if values.dim() != 3 or values.shape[-1] != config.features:
        raise SequenceError(
            f"values must be (time, batch, {config.features}), got {tuple(values.shape)}."
        )
    if not config.known:
        if future is not None:
            raise SequenceError("future is for features that are known ahead; this model has none.")
        return values
    steps, size = values.shape[:2]
    if future is None:
        future = values.new_empty(0, size, len(config.known))
    if future.dim() != 3 or future.shape[1:] != (size, len(config.known)):
        raise SequenceError(
            f"future must be (steps, {size}, {len(config.known)}), got {tuple(future.shape)}."
        )
    known = values[..., list(config.known)]
    ends = torch.full((size,), steps) if lengths is None else lengths
    ends = ends.to(values.device)
    whole = values.new_full((steps + max(config.horizon, len(future)), *known.shape[1:]), torch.nan)
    whole[:steps] = known.masked_fill(_count_steps(steps, ends) >= ends[:, None], torch.nan)
    places = _count_steps(len(future), ends) + ends[:, None]
    whole.scatter_(0, places.expand(future.shape), future.to(values))
    ahead = [whole[step : step + steps] for step in range(1, config.horizon + 1)]
    return torch.cat((values, *ahead), dim=-1)


def _count_steps(steps: int, like: Tensor) -> Tensor:
    return torch.arange(steps, device=like.device).view(-1, 1, 1)
