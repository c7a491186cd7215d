"""A forecaster whose forecasts are known by hand: the last known value, at every step."""

from __future__ import annotations

import torch

from sluice.sequence import Checkpoint
from sluice.sequence.models import Forecaster, ForecasterConfig

QUANTILES = (0.1, 0.5, 0.9)
HALF_WIDTH = 0.6931471805599453
"""The distance of the outer quantiles from the median: softplus(0), in deviations."""


def build_checkpoint(
    columns: tuple[str, ...] = ("level",),
    *,
    horizon: int = 3,
    window: int | None = 5,
    load_options: dict[str, object] | None = None,
    **options: object,
) -> Checkpoint:
    """A model with a readout of zeros: the last value, and intervals of ± ln 2."""
    given = {"quantiles": QUANTILES, "hidden_size": 2, **options}
    config = ForecasterConfig(len(columns), horizon=horizon, **given)  # type: ignore[arg-type]
    torch.manual_seed(0)
    model = Forecaster(config)
    with torch.no_grad():
        model.readout.weight.zero_()
        model.readout.bias.zero_()
    preprocessing: dict[str, object] = {} if window is None else {"window": window}
    if load_options:
        preprocessing["load_options"] = load_options
    return Checkpoint(model, columns=columns, preprocessing=preprocessing)
