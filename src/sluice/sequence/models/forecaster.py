"""`Forecaster`: the next steps of some features, with intervals."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from sluice.sequence.batch import Batch, BatchSource, ModelState
from sluice.sequence.errors import SequenceError
from sluice.sequence.models.base import (
    SequenceModel,
    StepLosses,
    evaluation_mode,
    select_valid_steps,
)
from sluice.sequence.models.change_scale import RunningMoments, fit_changes
from sluice.sequence.models.filling import forward_fill
from sluice.sequence.models.forecast_outputs import (
    ForecasterState,
    ForecastOutputs,
    measure_outputs,
)
from sluice.sequence.models.forecaster_config import ForecasterConfig
from sluice.sequence.models.linear_part import LinearPart, invert_order
from sluice.sequence.models.look_ahead import append_known_ahead
from sluice.sequence.models.network_share import choose_share, measure_shares, mix_outputs
from sluice.sequence.models.quantiles import (
    fit_all_factors,
    order_quantiles,
    stretch_intervals,
)


class Forecaster(SequenceModel):
    """The next `horizon` steps of some features, at every step.

    Inputs and outputs are in the data's units and dtype: the buffers hold mean and deviation of
    each feature in float64 (0 and 1 before `fit_scale`), so that no digit is lost before the values
    are scaled. A missing value is NaN; it is replaced by the last one before it (by the mean, if
    there is none), with an indicator as an extra input (Lipton, Kale & Wetzel 2016).

    With `quantiles` the readout gives each of them for each step ahead (Wen et al. 2017, "A
    multi-horizon quantile recurrent forecaster"), trained by their pinball losses; the median is
    the point forecast, and they never cross. With `known` the values have more columns, which
    `append_known_ahead` and `NextValues` add.

    >>> model = Forecaster(ForecasterConfig(features=3, targets=(0,), horizon=2, hidden_size=8))
    >>> forecasts, state = model(torch.zeros(20, 5, 3))
    >>> forecasts.shape                                         # time, batch, horizon × targets
    torch.Size([20, 5, 2])
    """

    config_type = ForecasterConfig
    config: ForecasterConfig
    mean: Tensor
    deviation: Tensor
    change_mean: Tensor
    change_deviation: Tensor
    ahead_mean: Tensor
    ahead_deviation: Tensor
    interval_factors: Tensor
    network_share: Tensor | None

    def __init__(self, config: ForecasterConfig) -> None:
        super().__init__()
        extra = config.features * (config.indicate + config.changes)
        self._build(config, features=len(config.input_columns) + extra)
        outputs = len(config.output_columns)
        levels = max(1, len(config.quantiles))
        self.readout = nn.Linear(self.layers.output_features, outputs * levels)
        buffers = {"mean": (0, config.features), "deviation": (1, config.features)}
        if config.changes:
            buffers |= {"change_mean": (0, config.features), "ahead_mean": (0, outputs)}
            buffers |= {"change_deviation": (1, config.features), "ahead_deviation": (1, outputs)}
        if config.quantiles:
            buffers["interval_factors"] = (1, outputs * levels)
        for name, (value, size) in buffers.items():
            self.register_buffer(name, torch.full((size,), float(value), dtype=torch.float64))
        self.linear = LinearPart(config, config.linear_lags) if config.linear_lags else None
        share = None if self.linear is None else torch.ones((), dtype=torch.float64)
        self.register_buffer("network_share", share)

    def fit_scale(self, source: BatchSource, held_out: BatchSource | None = None) -> None:
        """Compute mean and standard deviation of each feature, and of its changes, from a source.

        Missing values are ignored; a constant feature gets deviation 1. A linear part is fitted,
        and the readout set so that the model forecasts as it does, with the quantiles of its
        errors, until it is trained. With held-out data it is fitted to both for forecasts, and to
        the source alone for losses and the calibration (`LinearPart.fit`).

        Raises:
            SequenceError: a feature has no value at all.
        """
        features = self.config.features
        moments = RunningMoments()
        for batch in source.batches(0):
            moments.update(select_valid_steps(batch.inputs[..., :features], batch.lengths))
        if not moments.count.dim() or not moments.count.all():
            raise SequenceError("A feature has no value at all in this data; remove the feature.")
        mean, deviation = moments.compute()
        self.mean.copy_(mean)
        self.deviation.copy_(torch.where(deviation > 0, deviation, 1.0))
        if self.config.changes:
            scale = fit_changes(source, self.config.targets, features)
            self.change_mean.copy_(scale.mean)
            self.change_deviation.copy_(scale.deviation)
            self.ahead_mean.copy_(scale.ahead_mean)
            self.ahead_deviation.copy_(scale.ahead_deviation)
        if self.linear is not None:
            self._begin_from_linear(self.linear.fit(source, self.mean, self.deviation, held_out))

    @torch.no_grad()
    def _begin_from_linear(self, errors: Tensor) -> None:
        """Scale what is forecast by the errors of the linear part, in deviations."""
        assert self.linear is not None
        places = list(self.config.output_columns)
        # A change that is linear is no reason to divide by its rounding.
        least = 1e-3 * self.ahead_deviation
        self.ahead_mean.zero_()
        self.ahead_deviation.copy_(torch.maximum(errors * self.deviation[places], least))
        self.readout.weight.zero_()
        self.readout.bias.copy_(self.find_linear_outputs().flatten())

    def find_linear_outputs(self) -> Tensor:
        """The readout's outputs of the linear part alone: (outputs, quantiles or 1)."""
        assert self.linear is not None
        if not self.config.quantiles:
            return torch.zeros_like(self.readout.bias)[:, None]
        scale = self.deviation[list(self.config.output_columns)] / self.ahead_deviation
        quantiles = self.linear.error_quantiles.flatten(0, 1) * scale[:, None]
        return invert_order(quantiles).to(self.readout.bias)

    @torch.no_grad()
    def calibrate(self, source: BatchSource) -> int:
        """Stretch or shrink the intervals so that they hold their share of a source's targets.

        The source must not be the one that the weights were fitted to. `fit_factors` says how. Each
        step ahead has its own factors if there are enough values for that, else those of a target
        are the same for all.

        Before that it chooses how much of what the network adds to a linear part counts in
        forecasts (`choose_share`).

        Returns:
            The number of values that intervals are computed from; 0 without quantiles.
        """
        config, outputs, truths = self.config, list[Tensor](), list[Tensor]()
        state: ModelState = None
        with evaluation_mode(self):
            for batch in source.batches(0):
                found = self._run_readout(
                    batch.inputs, state, batch.lengths, batch.resets, in_training=True
                )
                state = found.state if source.stateful else None
                outputs.append(found.outputs)
                truths.append(found.normalise(batch.targets))
        if self.network_share is not None:
            start = self.find_linear_outputs()
            share = choose_share(measure_shares(outputs, truths, start, config))
            self.network_share.fill_(share)
            outputs = [mix_outputs(one, start, share) for one in outputs]
        if not config.quantiles:
            return 0
        quantiles = order_quantiles(torch.cat([one.flatten(0, 1) for one in outputs]))
        truth = torch.cat([one.flatten(0, 1) for one in truths])
        factors = fit_all_factors(quantiles, truth, config.quantiles, config.horizon)
        self.interval_factors.copy_(factors)
        return int((~truth.isnan()).sum())

    def forward(
        self,
        values: Tensor,
        state: ModelState = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, ForecasterState]:
        """Forecasts, in the units of `values`, and the state to continue from.

        Args:
            values: (time, batch, features), float32 or float64, NaN for missing ones; with `known`
                also the values known ahead, (time, batch, features + horizon × known).
            state: what an earlier call returned; None for the initial state.
            lengths, resets: as in `Batch`.

        Returns:
            (time, batch, horizon × targets), ordered by step, of the dtype of `values`; and the
            state. With quantiles it is the median.
        """
        found = self._run_readout(values, state, lengths, resets)
        middle = found.outputs.shape[-1] // 2
        point = found.outputs[..., middle : middle + 1]
        return found.to_units(point, values)[..., 0], found.state

    def predict_quantiles(
        self,
        values: Tensor,
        state: ModelState = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, ForecasterState]:
        """As `forward`, the quantiles, calibrated: (time, batch, horizon × targets, quantiles).

        Raises:
            SequenceError: a model without quantiles.
        """
        config = self.config
        if not config.quantiles:
            raise SequenceError(
                "This model forecasts points without intervals; train one with quantiles."
            )
        found = self._run_readout(values, state, lengths, resets)
        factors = self.interval_factors.view(len(config.output_columns), -1)
        ordered = stretch_intervals(order_quantiles(found.outputs).double(), factors)
        return found.to_units(ordered, values), found.state

    @property
    def loss_unit(self) -> str:
        """The unit of the loss per item."""
        error = "CRPS" if self.config.quantiles else f"{self.config.error} error"
        return f"{error}, in deviations" + (" of the change" if self.config.changes else "")

    def step_losses(self, batch: Batch, state: ModelState = None) -> StepLosses:
        """The forecasts in the units of the values, and the loss of each step, summed over known
        targets: the error in standard deviations of each feature, or, with quantiles, the CRPS."""
        learns = self.linear is not None and self.linear.training_weights is not None
        found = self._run_readout(
            batch.inputs, state, batch.lengths, batch.resets, in_training=self.training or learns
        )
        middle = found.outputs.shape[-1] // 2
        point = found.outputs[..., middle]
        known = ~batch.targets.isnan()
        if self.training and found.complete is not None:
            # The first steps of a window miss what the linear part reads in use; where no step of
            # a sequence has it, all count.
            whole = found.complete & known.any(dim=-1)
            known = known & (whole | ~whole.any(dim=0))[..., None]
        wanted = found.normalise(batch.targets).masked_fill(~known, 0)
        losses = measure_outputs(found.outputs, wanted, self.config)
        forecasts = found.to_units(point[..., None], batch.inputs)[..., 0]
        losses = torch.where(known, losses, 0).sum(dim=-1)
        return StepLosses(forecasts, losses, known.sum(dim=-1), None, found.state)

    def forecast(
        self,
        values: Tensor,
        lengths: Tensor | None = None,
        steps: int | None = None,
        future: Tensor | None = None,
    ) -> Tensor:
        """The steps after `values`: (steps, batch, targets), in their units.

        Beyond the horizon the model reads its own forecasts.

        Args:
            values: (time, batch, features), NaN for missing ones.
            lengths: steps of each sequence (batch,), each at least 1.
            steps: steps to forecast; default the horizon.
            future: the features known ahead in the steps after each sequence's end, (at least
                steps, batch, known); needed if the model has such features.

        Raises:
            SequenceError: no values known ahead, or too few; more steps than the horizon, with a
                model that neither forecasts nor is given all features.
        """
        config = self.config
        steps = self._require_steps(steps, future)
        with evaluation_mode(self):
            read = append_known_ahead(values, future, lengths, config)
            forecasts, state = self(read, lengths=lengths)
            blocks = [self._take_last_step(forecasts, lengths)]
            while len(blocks) * config.horizon < steps:
                rows = self._continue_with(blocks, future, values)
                forecasts, state = self(rows, state)
                blocks.append(self._take_last_step(forecasts, None))
        return torch.cat(blocks)[:steps]

    def forecast_quantiles(
        self,
        values: Tensor,
        lengths: Tensor | None = None,
        steps: int | None = None,
        future: Tensor | None = None,
    ) -> Tensor:
        """As `forecast`, the quantiles: (steps, batch, targets, quantiles), calibrated.

        Raises:
            SequenceError: as `forecast`; a model without quantiles; more steps than the horizon,
                for which no interval was learnt.
        """
        steps = self._require_steps(steps, future)
        if steps > self.config.horizon:
            raise SequenceError(
                f"Intervals reach as far as the horizon of {self.config.horizon} steps, got "
                f"steps={steps}; train with a longer horizon, or forecast without intervals."
            )
        with evaluation_mode(self):
            read = append_known_ahead(values, future, lengths, self.config)
            found, _ = self.predict_quantiles(read, lengths=lengths)
            return self._take_last_step(found, lengths)[:steps]

    def _require_steps(self, steps: int | None, future: Tensor | None) -> int:
        config = self.config
        steps = config.horizon if steps is None else steps
        if steps < 1:
            raise SequenceError(f"steps must be at least 1, got {steps}.")
        given = len({*config.targets, *config.known})
        if steps > config.horizon and given < config.features:
            raise SequenceError(
                f"This model forecasts {len(config.targets)} of {config.features} features, so "
                f"steps must be at most its horizon of {config.horizon}, got {steps}."
            )
        if config.known and (future is None or len(future) < steps):
            raise SequenceError(
                f"This model reads {len(config.known)} features that are known ahead; future must "
                f"give them for {steps} steps, got {0 if future is None else len(future)}."
            )
        return steps

    def _continue_with(self, blocks: list[Tensor], future: Tensor | None, values: Tensor) -> Tensor:
        """The last block of forecasts as the values of a model, with what is known ahead."""
        config, size = self.config, blocks[-1].shape[1]
        rows = values.new_full((config.horizon, size, config.features), torch.nan)
        rows[..., list(config.targets)] = blocks[-1]
        if future is None:
            return rows
        end = len(blocks) * config.horizon
        rows[..., list(config.known)] = future[end - config.horizon : end].to(values)
        return append_known_ahead(rows, future[end:], None, config)

    def _run_readout(
        self,
        values: Tensor,
        state: ModelState,
        lengths: Tensor | None,
        resets: Tensor | None,
        *,
        in_training: bool = False,
    ) -> ForecastOutputs:
        config, columns = self.config, list(self.config.input_columns)
        if values.shape[-1] != len(columns):
            raise SequenceError(
                f"The model reads {len(columns)} values a step, got {values.shape[-1]}; those "
                "known ahead are added by append_known_ahead."
            )
        before, last, past = None, None, None
        if state is not None:
            before, last, *rest = cast(ForecasterState, state)
            past = rest[0] if rest else None
        normal = (values.double() - self.mean[columns]) / self.deviation[columns]
        filled, after = forward_fill(normal, last, lengths, resets)
        inputs = [filled]
        if config.changes:
            inputs.append(self._scale_changes(filled, last, resets))
        if config.indicate:
            inputs.append(normal[..., : config.features].isnan().to(filled))
        hidden, layers = self._run(
            torch.cat(inputs, -1).to(self.readout.weight.dtype), before, lengths, resets
        )
        outputs = self.readout(self.dropout(hidden)).unflatten(-1, (len(config.output_columns), -1))
        origin, scale = self._find_units(filled)
        if self.linear is None:
            return ForecastOutputs(outputs, origin, scale, None, (layers, after))
        if self.network_share is not None and not in_training:
            share = self.network_share.to(outputs)
            outputs = mix_outputs(outputs, self.find_linear_outputs(), share)
        rows = self.linear.describe(filled, past, lengths, resets)
        origin = (
            origin + self.linear(rows, in_training) * self.deviation[list(config.output_columns)]
        )
        return ForecastOutputs(outputs, origin, scale, rows.complete, (layers, after, rows.before))

    def _scale_changes(self, filled: Tensor, last: Tensor | None, resets: Tensor | None) -> Tensor:
        """The change since the step before in deviations; 0 where nothing is before."""
        now = filled[..., : self.config.features] * self.deviation
        first = now[:1] if last is None else last[None, :, : self.config.features] * self.deviation
        scaled = (now - torch.cat((first, now[:-1])) - self.change_mean) / self.change_deviation
        if last is None:
            scaled = torch.cat((torch.zeros_like(scaled[:1]), scaled[1:]))
        return scaled if resets is None else scaled.masked_fill(resets[..., None], 0)

    def _find_units(self, filled: Tensor) -> tuple[Tensor, Tensor]:
        """Origin and scale of each output, float64, in the units of the values."""
        places = list(self.config.output_columns)
        mean, deviation = self.mean[places], self.deviation[places]
        if not self.config.from_last:
            return mean.expand(*filled.shape[:2], -1), deviation
        last = filled[..., places] * deviation + mean
        if not self.config.changes:
            return last, deviation
        return last + self.ahead_mean, self.ahead_deviation

    def _take_last_step(self, forecasts: Tensor, lengths: Tensor | None) -> Tensor:
        """(horizon, batch, targets, ...) after the last step of each sequence."""
        rows = forecasts[-1]
        if lengths is not None:
            rows = forecasts[lengths - 1, torch.arange(len(lengths), device=forecasts.device)]
        return rows.reshape(len(rows), self.config.horizon, -1, *rows.shape[2:]).transpose(0, 1)
