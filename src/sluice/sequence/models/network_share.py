"""How much of what the cells add to a linear part held-out data bear out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sluice.sequence.models.forecast_outputs import measure_outputs
from sluice.sequence.models.forecaster_config import ForecasterConfig

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def mix_outputs(outputs: Tensor, start: Tensor, share: Tensor | float) -> Tensor:
    """A readout's outputs (..., quantiles or 1), between those before training and its own."""
    return start + (outputs - start) * share


def fold_share(weight: Tensor, bias: Tensor, start: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """The weight and bias of a readout whose own outputs are those of `mix_outputs`."""
    begin = start.flatten().double()
    mixed = begin + (bias.double() - begin) * share
    return (weight.double() * share).to(weight), mixed.to(bias)


def choose_share(losses: Tensor) -> float:
    """The smallest of `SHARES` that is not clearly worse than the best.

    The rule of one standard error (Breiman et al. 1984, "Classification and regression trees",
    section 3.4.3), of the differences between two shares on the same data.

    Args:
        losses: (blocks, shares), of parts of the data that are as good as independent.

    >>> choose_share(torch.tensor([[1.0, 0.9, 0.8, 0.7, 0.6]] * 8))
    1.0
    >>> choose_share(torch.tensor([[1.0, 0.9, 0.8, 0.7, 0.6], [0.6, 0.7, 0.8, 0.9, 1.0]] * 4))
    0.0
    """
    if len(losses) < 2:
        return 0.0
    best = losses[:, losses.mean(dim=0).argmin()]
    for place, share in enumerate(SHARES):
        worse = losses[:, place] - best
        if worse.mean() <= worse.std() / len(losses) ** 0.5:
            return share
    return 1.0


def measure_shares(
    outputs: Sequence[Tensor], truths: Sequence[Tensor], start: Tensor, config: ForecasterConfig
) -> Tensor:
    """The mean loss of each of `SHARES` in each block of as many steps as the horizon.

    Forecasts from steps further apart share no truth.

    Args:
        outputs: of batches, (time, batch, outputs, quantiles or 1).
        truths: as the outputs give them, (time, batch, outputs), NaN for missing ones.
        start: the outputs before training, (outputs, quantiles or 1).

    Returns:
        (blocks, shares).
    """
    blocks = list[Tensor]()
    for found, truth in zip(outputs, truths, strict=True):
        known = ~truth.isnan()
        wanted = truth.masked_fill(~known, 0)
        losses = torch.stack(
            [
                torch.where(
                    known, measure_outputs(mix_outputs(found, start, share), wanted, config), 0
                ).sum(dim=-1)
                for share in SHARES
            ],
            dim=-1,
        )
        items = known.sum(dim=-1)
        size = config.horizon
        for part, number in zip(losses.split(size), items.split(size), strict=True):
            count = number.sum(dim=0)
            blocks.append((part.sum(dim=0)[count > 0] / count[count > 0][:, None]).double())
    return torch.cat(blocks)
