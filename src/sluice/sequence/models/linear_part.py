"""The linear part of a forecaster: fitted in closed form, before anything is learnt by steps."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sluice.sequence.batch import Batch, BatchSource
from sluice.sequence.models.filling import forward_fill
from sluice.sequence.models.forecaster_config import ForecasterConfig


class _Way(NamedTuple):
    """The penalty, as a share of the mean square of each column; whether values are read, or only
    changes."""

    ridge: float
    reads_values: bool


_WAYS = tuple(_Way(ridge, reads) for ridge in (1e-3, 1e-2, 1e-1, 1.0) for reads in (True, False))
"""The first is the one without held-out data to choose by."""
_FEWEST_TO_CHOOSE = 20
"""Rows of held-out data."""
_MOST_NUMBERS, _MOST_ROWS = 1 << 23, 20_000
"""Of the rows that it is fitted to; of more, every second is taken, or every fourth and so on."""
_MOST_COLUMNS = 512


def choose_lags(window: int, steps: int, features: int, horizon: int, period: int | None) -> int:
    """How many values a linear part should read: two seasons, where windows and rows allow it.

    Args:
        window: steps of the longest sequence that is read at once.
        steps: to fit it to, of all sequences together.
        features: values of a step.
        horizon: steps to forecast.
        period: the length of a season in steps.

    >>> choose_lags(window=100, steps=500, features=1, horizon=3, period=12)
    24
    """
    wanted = max(2 * (period or 0), horizon, 24)
    enough = steps // (4 * features)  # several rows for each column
    return max(1, min(wanted, _MOST_COLUMNS // features, window * 3 // 4, enough))


class LinearRows(NamedTuple):
    """What a linear part reads at each step.

    Attributes:
        shared: (time, batch, columns), float64: 1, the values, and their differences from those
            before.
        ahead: (time, batch, horizon, known): what is known ahead of each step to forecast.
        complete: (time, batch): whether all values before are there; the others count as no change.
        before: the last values, (lags - 1, batch, features), to go on from; NaN before the start.
    """

    shared: Tensor
    ahead: Tensor
    complete: Tensor
    before: Tensor


class _FitRows(NamedTuple):
    """`shared` and `ahead` of rows, and what is wanted of them, (rows, outputs), in deviations.

    Only `every`th row of the data is there.
    """

    shared: Tensor
    ahead: Tensor
    wanted: Tensor
    every: int

    def join(self, other: _FitRows) -> _FitRows:
        """These rows and as dense a choice of others."""
        thin = max(1, self.every // other.every)
        return _FitRows(
            torch.cat((self.shared, other.shared[::thin])),
            torch.cat((self.ahead, other.ahead[::thin])),
            torch.cat((self.wanted, other.wanted[::thin])),
            self.every,
        )

    def find_errors(self, weights: Tensor) -> Tensor:
        """(rows, outputs)."""
        return self.wanted - _apply(weights, self.shared, self.ahead)


class LinearPart(nn.Module):
    """A ridge regression of each change ahead (Hoerl & Kennard 1970).

    It reads the last value, the differences of the `lags` - 1 values before from it, and what is
    known ahead of the step. All is in deviations of the features, and float64.

    Attributes:
        weights: (horizon, targets, columns); a column for each of `LinearRows.shared`, then one
            for each feature that is known ahead.
        error_quantiles: (horizon, targets, levels), of its errors on the training data.
        training_weights: those of the training data alone, while a model is trained; not in its
            file.
    """

    weights: Tensor
    training_weights: Tensor | None
    error_quantiles: Tensor

    def __init__(self, config: ForecasterConfig, lags: int) -> None:
        super().__init__()
        self.config, self.lags = config, lags
        size = (config.horizon, len(config.targets))
        columns = 1 + config.features * lags + len(config.known)
        zeros = torch.zeros(*size, columns, dtype=torch.float64)
        self.register_buffer("weights", zeros)
        levels = torch.zeros(*size, len(config.quantiles), dtype=torch.float64)
        self.register_buffer("error_quantiles", levels)
        self.register_buffer("training_weights", None, persistent=False)

    def forward(self, rows: LinearRows, in_training: bool = False) -> Tensor:
        """The changes from the last values, in deviations: (time, batch, horizon × targets).

        With `in_training` those of the `training_weights`, which no held-out value has touched.
        """
        used = self.training_weights if in_training else self.weights
        return _apply(self.weights if used is None else used, rows.shared, rows.ahead)

    def describe(
        self,
        filled: Tensor,
        before: Tensor | None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> LinearRows:
        """The rows for values, (time, batch, features + horizon × known), that miss none."""
        config, back = self.config, self.lags - 1
        now = filled[..., : config.features]
        if before is None:
            before = now.new_full((back, *now.shape[1:]), torch.nan)
        whole = torch.cat((before, now))
        changes = whole.unfold(0, self.lags, 1)[..., :-1] - now[..., None]  # oldest first
        if resets is not None:
            times = torch.arange(len(now), device=now.device)[:, None]
            starts = torch.where(resets, times, -1 - back).cummax(dim=0).values
            distances = torch.arange(back, 0, -1, device=now.device)
            crossing = distances > (times - starts)[..., None]
            changes = changes.masked_fill(crossing[..., None, :], torch.nan)
            first = torch.arange(len(whole), device=now.device)[:, None] < starts[-1] + back
            whole = whole.masked_fill(first[..., None], torch.nan)
        complete = ~changes.isnan().any(dim=-1).any(dim=-1)
        ones = torch.ones_like(now[..., :1])
        shared = torch.cat((ones, now, changes.nan_to_num().flatten(-2)), dim=-1)
        ahead = filled[..., config.features :].unflatten(-1, (config.horizon, -1))
        if not config.known:
            ahead = now.new_empty(*now.shape[:2], config.horizon, 0)
        return LinearRows(shared, ahead, complete, _take_last(whole, back, lengths))

    @torch.no_grad()
    def fit(
        self,
        source: BatchSource,
        mean: Tensor,
        deviation: Tensor,
        held_out: BatchSource | None = None,
    ) -> Tensor:
        """Fit it to the steps of a source that have all values before them.

        Without a single such step it forecasts no change. With held-out data the penalty, and
        whether values count beside changes, are what errs least on them; the weights are then
        fitted to both, and `training_weights` to the source alone.

        Args:
            source: the training data.
            mean, deviation: of the features, (features,), float64.
            held_out: the data after it.

        Returns:
            The root mean square of the errors of each output on the source, in deviations; 1
            without a step.
        """
        rows = self._collect(source, mean, deviation)
        if rows is None:
            return torch.ones(self.weights.shape[:2].numel(), dtype=torch.float64)
        later = None if held_out is None else self._collect(held_out, mean, deviation)
        ways = _WAYS if later is not None and len(later.wanted) >= _FEWEST_TO_CHOOSE else _WAYS[:1]
        fits = [self._solve(rows, way) for way in ways]
        errors = [0.0 if later is None else _measure(later.find_errors(one)) for one in fits]
        best = errors.index(min(errors))
        self.weights.copy_(fits[best])
        if later is not None:
            self.training_weights = fits[best]
            self.weights.copy_(self._solve(rows.join(later), ways[best]))
        found = rows.find_errors(fits[best])
        if self.config.quantiles:
            levels = torch.tensor(self.config.quantiles, dtype=torch.float64)
            quantiles = torch.nanquantile(found, levels, dim=0).T.nan_to_num()
            self.error_quantiles.copy_(quantiles.view_as(self.error_quantiles))
        return found.square().nanmean(dim=0).sqrt().nan_to_num(1.0)

    def _solve(self, rows: _FitRows, way: _Way) -> Tensor:
        """The weights of a ridge regression, of each output on the rows where it is known."""
        known = ~rows.wanted.isnan()
        whole = known.all(dim=1)
        if whole.sum() * 2 >= known.any(dim=1).sum():  # one system for all outputs
            known = whole[:, None].expand_as(known)
        shared = rows.shared
        if not way.reads_values:
            shared = shared.clone()
            shared[:, 1 : 1 + self.config.features] = 0
        found = torch.zeros_like(self.weights)
        for output in range(rows.wanted.shape[1]):
            step, target = divmod(output, len(self.config.targets))
            used = known[:, output]
            if not output or self.config.known or not used.equal(known[:, output - 1]):
                columns = torch.cat((shared, rows.ahead[:, step]), dim=1)[used]
                gram = columns.T @ columns
                scale = gram.diagonal()
                penalty = way.ridge * torch.where(scale > 0, scale, 1.0)
                penalty[0] = 1e-9 * max(1, len(columns))  # the intercept is free
                system = torch.linalg.cholesky(gram + torch.diag(penalty))
            moments = columns.T @ rows.wanted[used, output]
            found[step, target] = torch.cholesky_solve(moments[:, None], system)[:, 0]
        return found

    def _collect(self, source: BatchSource, mean: Tensor, deviation: Tensor) -> _FitRows | None:
        """Complete rows whose targets are known; None for no row."""
        config = self.config
        inputs, outputs = list(config.input_columns), list(config.output_columns)
        parts, every, before = list[tuple[Tensor, ...]](), 1, None
        columns = self.weights.shape[-1] + len(outputs) + config.horizon * len(config.known)
        most = min(_MOST_ROWS, _MOST_NUMBERS // columns)
        for batch in source.batches(0):
            normal = (batch.inputs.double() - mean[inputs]) / deviation[inputs]
            filled, _ = forward_fill(normal, None, batch.lengths, batch.resets)
            rows = self.describe(filled, before, batch.lengths, batch.resets)
            before = rows.before if source.stateful else None
            last = (filled[..., : config.features] * deviation + mean)[..., outputs]
            wanted = (batch.targets.double() - last) / deviation[outputs]
            used = rows.complete & _find_steps(batch) & ~wanted.isnan().all(dim=-1)
            parts.append(tuple(one[used][::every] for one in (rows.shared, rows.ahead, wanted)))
            if sum(len(part[0]) for part in parts) > most:
                joined = (torch.cat(one)[::2] for one in zip(*parts, strict=True))
                parts, every = [tuple(joined)], 2 * every
        shared, ahead, wanted = (torch.cat(one) for one in zip(*parts, strict=True))
        return _FitRows(shared, ahead, wanted, every) if len(shared) else None


def invert_order(quantiles: Tensor, least: float = 1e-3) -> Tensor:
    """The outputs of which `order_quantiles` makes quantiles, (..., quantiles), at least so far
    apart."""
    middle = quantiles.shape[-1] // 2
    gaps = quantiles.diff(dim=-1).clamp_min(least)
    steps = gaps + torch.log(-torch.expm1(-gaps))
    return torch.cat(
        (steps[..., :middle], quantiles[..., middle : middle + 1], steps[..., middle:]), dim=-1
    )


def _apply(weights: Tensor, shared: Tensor, ahead: Tensor) -> Tensor:
    """The outputs of weights for (..., columns) and (..., horizon, known): (..., outputs)."""
    columns = shared.shape[-1]
    changes = shared @ weights.flatten(0, 1)[:, :columns].T
    if not ahead.shape[-1]:
        return changes
    return changes + torch.einsum("...hk,hok->...ho", ahead, weights[..., columns:]).flatten(-2)


def _measure(errors: Tensor) -> float:
    return float(errors.abs().nanmean())


def _take_last(whole: Tensor, back: int, lengths: Tensor | None) -> Tensor:
    """The last `back` rows of each sequence, whose first step is row `back`."""
    if lengths is None:
        return whole[len(whole) - back :]
    places = lengths + torch.arange(back, device=whole.device)[:, None]
    return whole.gather(0, places[..., None].expand(-1, -1, whole.shape[-1]))


def _find_steps(batch: Batch) -> Tensor:
    """Which steps are not padding, (time, batch)."""
    steps, size = batch.inputs.shape[:2]
    if batch.lengths is None:
        return torch.ones(steps, size, dtype=torch.bool)
    return torch.arange(steps)[:, None] < batch.lengths
