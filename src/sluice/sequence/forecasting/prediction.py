"""What a model forecasts after histories: windows of several series in batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sluice.sequence.checkpoint import Checkpoint
from sluice.sequence.data.ragged import Array
from sluice.sequence.errors import DataError
from sluice.sequence.models import Forecaster

_VALUES = 1 << 22
"""Numbers in a batch of windows at most."""


class Prediction(NamedTuple):
    """Point forecasts (windows, steps, targets), and quantiles with levels after that, float64."""

    values: Array
    quantiles: Array


def require_forecaster(checkpoint: Checkpoint) -> Forecaster:
    """The checkpoint's model.

    Raises:
        DataError: another kind of model.
    """
    if not isinstance(checkpoint.model, Forecaster):
        kind = type(checkpoint.model).__name__
        raise DataError(
            f"A {kind} does not forecast series; give a model that was trained on a table without "
            "labels, as by `sluice train sensors.csv --target level --horizon 24`."
        )
    return checkpoint.model


def get_window(checkpoint: Checkpoint) -> int | None:
    """The steps of a window in training, which a forecast reads too; None if it is not known."""
    window = checkpoint.preprocessing.get("window")
    return window if isinstance(window, int) and window > 0 else None


def predict_windows(
    model: Forecaster,
    histories: Sequence[Array],
    steps: int,
    future: Sequence[Array] = (),
    window: int | None = None,
) -> Prediction:
    """Forecast the steps after each history.

    Args:
        model: the model.
        histories: (rows, features) each, float64; only the last `window` rows are read.
        steps: how many to forecast; quantiles are of the first `horizon` of them, the others NaN.
        future: the features known ahead, (rows, known) each, if the model has such.
        window: rows to read; None for all.
    """
    read = [one if window is None else one[-window:] for one in histories]
    parts, first = list[Prediction](), 0
    while first < len(read):
        longest, last = 0, first
        while last < len(read):
            longest = max(longest, len(read[last]))
            if last > first and longest * (last + 1 - first) * read[last].shape[1] > _VALUES:
                break
            last += 1
        parts.append(_predict(model, read[first:last], steps, future[first:last]))
        first = last
    return Prediction(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _predict(
    model: Forecaster, histories: Sequence[Array], steps: int, future: Sequence[Array]
) -> Prediction:
    device = next(model.parameters()).device
    lengths = torch.tensor([len(one) for one in histories])
    values = pad_histories(histories).to(device)
    ahead = pad_histories(future).to(device) if model.config.known else None
    points = model.forecast(values, lengths, steps, ahead)
    levels = len(model.config.quantiles)
    quantiles = np.full((len(histories), steps, len(model.config.targets), levels), np.nan)
    if levels:
        near = min(steps, model.config.horizon)
        found = model.forecast_quantiles(values, lengths, near, ahead)
        quantiles[:, :near] = _to_array(found)
    return Prediction(_to_array(points), quantiles)


def pad_histories(rows: Sequence[Array]) -> Tensor:
    """(time, batch, columns), float64; NaN after the end of each."""
    whole = np.full((max(map(len, rows)), len(rows), rows[0].shape[1]), np.nan)
    for place, one in enumerate(rows):
        whole[: len(one), place] = one
    return torch.from_numpy(whole)


def _to_array(found: Tensor) -> Array:
    """From (steps, batch, ...) to (batch, steps, ...)."""
    array: Array = found.detach().cpu().double().transpose(0, 1).numpy()
    return array
