"""A series of numbers, and what was predicted of it, as the page draws them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from sluice.report.page.forward import ForwardRecord
from sluice.report.page.inputs import ReportInputs
from sluice.report.page.pack import pack_tensor, round_values
from sluice.report.page.view_inputs import SeriesView
from sluice.sequence.data.ragged import Array
from sluice.sequence.forecasting.forecast import SHOWN_INTERVALS
from sluice.sequence.models import ForecasterConfig
from sluice.sequence.models.quantiles import list_intervals

_DIGITS = 6


def pack_series(
    view: SeriesView, inputs: ReportInputs, forward: ForwardRecord, sequence: int
) -> dict[str, object]:
    """Columns, true values, forecasts and their intervals, all in the units of the data.

    ``forecasts`` is ``(time, horizon × targets)``: number ``k · targets + j`` of step t is what was
    said there of target j at step ``t + ahead + k``. ``truth`` goes on beyond the last step, as
    far as it is known. An interval's ends are the model's quantiles, ``(time, horizon)``, or, of
    its errors, offsets from the forecast for each step ahead.
    """
    start, stop = forward.window
    packed = {
        "kind": "series",
        "time": view.time_name,
        "columns": pack_columns(view.columns, view.values[sequence][start:stop]),
    }
    if not view.horizon:
        return {**packed, "targets": []}
    target = inputs.target(sequence)
    known = None if target is None else view.split_horizon(target[:stop])
    return {
        **packed,
        "ahead": view.ahead,
        "horizon": view.horizon,
        "forecasts": pack_tensor(forward.outputs[start:stop]),
        "own": forward.quantiles is not None,
        "targets": [
            {
                "name": name,
                "truth": _to_list(_collect_truth(view, sequence, j, known, stop)[start:]),
                "intervals": _pack_quantiles(inputs, forward, j) or _pack_errors(view, j),
            }
            for j, name in enumerate(view.targets)
        ],
    }


def pack_columns(names: Sequence[str], values: Array) -> list[dict[str, object]]:
    """Each column of ``(time, columns)`` by its name; missing values are None."""
    return [{"name": name, "values": _to_list(values[:, k])} for k, name in enumerate(names)]


def _to_list(values: Array) -> list[float | None]:
    return round_values(torch.from_numpy(np.ascontiguousarray(values)), _DIGITS)


def _collect_truth(
    view: SeriesView, sequence: int, j: int, known: Array | None, stop: int
) -> Array:
    """A target's true value at every step, and at those that the last forecasts are of."""
    truth = np.full(stop + view.ahead + view.horizon - 1, np.nan)
    name = view.targets[j]
    if view.ahead and name in view.columns:
        rows = view.values[sequence][: len(truth), view.columns.index(name)]
        truth[: len(rows)] = rows
    if known is not None:
        for k in range(view.horizon):
            there = truth[view.ahead + k : view.ahead + k + stop]
            np.copyto(there, known[:, k, j], where=np.isnan(there))
    return truth


def _pack_quantiles(
    inputs: ReportInputs, forward: ForwardRecord, j: int
) -> list[dict[str, object]]:
    """The model's own intervals of a target, as many as a picture of a forecast has, the widest
    first."""
    if forward.quantiles is None:
        return []
    config = inputs.model.config
    assert isinstance(config, ForecasterConfig)
    shape = (config.horizon, len(config.targets))
    found = forward.quantiles.unflatten(1, shape)[:, :, j]
    return [
        {
            "percent": percent,
            "lower": pack_tensor(found[..., low]),
            "upper": pack_tensor(found[..., high]),
        }
        for percent, low, high in reversed(list_intervals(config.quantiles)[-SHOWN_INTERVALS:])
    ]


def _pack_errors(view: SeriesView, j: int) -> list[dict[str, object]]:
    """An interval of the model's errors."""
    if view.interval is None:
        return []
    ends = view.interval.lower[:, j], view.interval.upper[:, j]
    percent = 100 * view.interval.coverage
    return [{"percent": percent, "lower": _to_list(ends[0]), "upper": _to_list(ends[1])}]
