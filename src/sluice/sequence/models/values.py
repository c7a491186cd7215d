"""Models of the next values in a sequence: `Forecaster` and `ChoraleModel`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice.sequence.batch import Batch, BatchSource, ModelState
from sluice.sequence.errors import SequenceError
from sluice.sequence.models.base import (
    SequenceModel,
    StepLosses,
    evaluation_mode,
    select_valid_steps,
)
from sluice.sequence.models.filling import forward_fill
from sluice.sequence.models.shape import SequenceModelConfig, require_sizes

ErrorKind = Literal["squared", "absolute"]
ForecasterState = tuple[ModelState, Tensor]
"""The layers' state, and each feature's last known value (batch, features), normalised."""


@dataclass(frozen=True)
class _FeatureCount:
    features: int


@dataclass(frozen=True, kw_only=True)
class _NextStepConfig(SequenceModelConfig, _FeatureCount):
    embedding_size: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_sizes(self, features=1)
        if self.bidirectional:
            raise SequenceError(
                "A model of the next values must not see what it predicts; leave bidirectional out."
            )


@dataclass(frozen=True, kw_only=True)
class ForecasterConfig(_NextStepConfig):
    """The configuration of a `Forecaster`; otherwise as `SequenceModelConfig`.

    Attributes:
        features: values per step.
        targets: indices of the features to forecast; default all.
        horizon: steps to forecast, at each step.
        from_last: predict the change from the last known value instead of the value.
        indicate: add an input for each feature that is 1 if its value is missing.
        error: minimise the ``"squared"`` or the ``"absolute"`` error.

    Raises:
        SequenceError: as `SequenceModelConfig`; bidirectional layers; a target that is no feature.
    """

    targets: tuple[int, ...] = ()
    horizon: int = 1
    from_last: bool = True
    indicate: bool = True
    error: ErrorKind = "squared"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_sizes(self, horizon=1)
        object.__setattr__(self, "targets", tuple(self.targets) or tuple(range(self.features)))
        unknown = set(self.targets) - set(range(self.features))
        if unknown or len(set(self.targets)) < len(self.targets):
            raise SequenceError(
                f"targets must be different indices in 0 to {self.features - 1}, got "
                f"{self.targets}."
            )
        if self.error not in get_args(ErrorKind):
            raise SequenceError(f"error must be one of {get_args(ErrorKind)}, got {self.error!r}.")


class Forecaster(SequenceModel):
    """The next `horizon` steps of some features, at every step.

    Inputs and outputs are in the data's units: the buffers hold mean and standard deviation of
    each feature (0 and 1 before `fit_scale`). A missing value is NaN; it is replaced by the last
    one before it (by the mean, if there is none), with an indicator as an extra input (Lipton,
    Kale & Wetzel 2016).

    >>> model = Forecaster(ForecasterConfig(features=3, targets=(0,), horizon=2, hidden_size=8))
    >>> forecasts, state = model(torch.zeros(20, 5, 3))
    >>> forecasts.shape                                         # time, batch, horizon × targets
    torch.Size([20, 5, 2])
    """

    config_type = ForecasterConfig
    config: ForecasterConfig
    mean: Tensor
    deviation: Tensor

    def __init__(self, config: ForecasterConfig) -> None:
        super().__init__()
        self._build(config, features=config.features * (2 if config.indicate else 1))
        self.readout = nn.Linear(self.layers.output_features, config.horizon * len(config.targets))
        self.register_buffer("mean", torch.zeros(config.features))
        self.register_buffer("deviation", torch.ones(config.features))

    def fit_scale(self, source: BatchSource) -> None:
        """Compute mean and standard deviation of each feature from a source, in one pass.

        Missing values are ignored; a constant feature gets deviation 1.

        Raises:
            SequenceError: a feature has no value at all.
        """
        # Sums of differences from the first mean stay accurate if the mean is far from 0.
        origin = count = total = squares = torch.zeros(())
        for batch in source.batches(0):
            rows = select_valid_steps(batch.inputs, batch.lengths).double().cpu()
            if origin.dim() == 0:
                origin = rows.nan_to_num().mean(dim=0)
            known, differences = ~rows.isnan(), (rows - origin).nan_to_num()
            count, total = count + known.sum(dim=0), total + differences.sum(dim=0)
            squares = squares + differences.square().sum(dim=0)
        if not count.dim() or not count.all():
            raise SequenceError("A feature has no value at all in this data; remove the feature.")
        mean = total / count
        deviation = (squares / count - mean.square()).clamp_min(0).sqrt()
        self.mean.copy_(origin + mean)
        self.deviation.copy_(torch.where(deviation > 0, deviation, 1.0))

    def forward(
        self,
        values: Tensor,
        state: ModelState = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, ForecasterState]:
        """Forecasts, in the units of `values`, and the state to continue from.

        Args:
            values: (time, batch, features), float32, NaN for missing ones.
            state: what an earlier call returned; None for the initial state.
            lengths, resets: as in `Batch`.

        Returns:
            (time, batch, horizon × targets), ordered by step; and the state.
        """
        forecasts, state = self._predict(values, state, lengths, resets)
        mean, deviation = self._output_scale()
        return forecasts * deviation + mean, state

    @property
    def loss_unit(self) -> str:
        """The unit of the loss per item."""
        return f"{self.config.error} error, in deviations"

    def step_losses(self, batch: Batch, state: ModelState = None) -> StepLosses:
        """The forecasts in the units of the values, and the error of each step in standard
        deviations of each feature, summed over known targets."""
        forecasts, after = self._predict(batch.inputs, state, batch.lengths, batch.resets)
        mean, deviation = self._output_scale()
        known = ~batch.targets.isnan()
        error = forecasts - ((batch.targets - mean) / deviation).nan_to_num()
        error = error.square() if self.config.error == "squared" else error.abs()
        losses = torch.where(known, error, 0).sum(dim=-1)
        return StepLosses(forecasts * deviation + mean, losses, known.sum(dim=-1), None, after)

    def forecast(
        self, values: Tensor, lengths: Tensor | None = None, steps: int | None = None
    ) -> Tensor:
        """The steps after `values`: (steps, batch, targets), in their units.

        Beyond the horizon the model reads its own forecasts.

        Args:
            values: (time, batch, features), NaN for missing ones.
            lengths: steps of each sequence (batch,), each at least 1.
            steps: steps to forecast; default the horizon.

        Raises:
            SequenceError: more steps than the horizon, with a model that forecasts only some
                features.
        """
        config = self.config
        steps = config.horizon if steps is None else steps
        if steps > config.horizon and config.targets != tuple(range(config.features)):
            raise SequenceError(
                f"This model forecasts {len(config.targets)} of {config.features} features, so "
                f"steps must be at most its horizon of {config.horizon}, got {steps}."
            )
        with evaluation_mode(self):
            forecasts, state = self(values, lengths=lengths)
            blocks = [self._take_last_step(forecasts, lengths)]
            while len(blocks) * config.horizon < steps:
                forecasts, state = self(blocks[-1], state)
                blocks.append(self._take_last_step(forecasts, None))
        return torch.cat(blocks)[:steps]

    def _predict(
        self,
        values: Tensor,
        state: ModelState,
        lengths: Tensor | None,
        resets: Tensor | None,
    ) -> tuple[Tensor, ForecasterState]:
        """As `forward`, in standard deviations from the mean."""
        config = self.config
        before, last = (None, None) if state is None else cast(ForecasterState, state)
        normal = (values - self.mean) / self.deviation
        filled, last = forward_fill(normal, last, lengths, resets)
        inputs = torch.cat((filled, normal.isnan().to(filled)), -1) if config.indicate else filled
        hidden, after = self._run(inputs, before, lengths, resets)
        forecasts = self.readout(self.dropout(hidden))
        if config.from_last:
            forecasts = forecasts + filled[..., config.targets].repeat(1, 1, config.horizon)
        return forecasts, (after, last)

    def _output_scale(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation of each output."""
        targets, times = list(self.config.targets), self.config.horizon
        return self.mean[targets].repeat(times), self.deviation[targets].repeat(times)

    def _take_last_step(self, forecasts: Tensor, lengths: Tensor | None) -> Tensor:
        """(horizon, batch, targets) after the last step of each sequence."""
        rows = forecasts[-1]
        if lengths is not None:
            rows = forecasts[lengths - 1, torch.arange(len(lengths), device=forecasts.device)]
        return rows.view(len(rows), self.config.horizon, -1).transpose(0, 1)


@dataclass(frozen=True, kw_only=True)
class ChoraleConfig(_NextStepConfig):
    """The configuration of a `ChoraleModel`: `features` is the number of keys.

    Otherwise as `SequenceModelConfig`.

    Raises:
        SequenceError: as `SequenceModelConfig`; bidirectional layers.
    """


class ChoraleModel(SequenceModel):
    """The keys of the next step of a piano roll, each an independent probability.

    The loss is that of Boulanger-Lewandowski, Bengio & Vincent 2012: the cross-entropy summed over
    all keys, in nats per step.

    >>> model = ChoraleModel(ChoraleConfig(features=88, hidden_size=8))
    >>> logits, state = model(torch.zeros(20, 5, 88))
    >>> logits.shape                                            # time, batch, keys
    torch.Size([20, 5, 88])
    """

    config_type = ChoraleConfig
    config: ChoraleConfig

    def __init__(self, config: ChoraleConfig) -> None:
        super().__init__()
        self._build(config, features=config.features)
        self.readout = nn.Linear(self.layers.output_features, config.features)

    def forward(
        self,
        keys: Tensor,
        state: ModelState = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, ModelState]:
        """Logits (time, batch, keys) of the next step, and the state to continue from.

        Args:
            keys: (time, batch, keys), float32, 1 for a key that sounds, else 0.
            state: what an earlier call returned; None for the initial state.
            lengths, resets: as in `Batch`.
        """
        hidden, state = self._run(keys, state, lengths, resets)
        return self.readout(self.dropout(hidden)), state

    @property
    def loss_unit(self) -> str:
        """The unit of the loss per item."""
        return "nats per step"

    def step_losses(self, batch: Batch, state: ModelState = None) -> StepLosses:
        """The logits, and nats of each step whose targets are not NaN; an item is a step."""
        logits, state = self(batch.inputs, state, batch.lengths, batch.resets)
        known = ~batch.targets.isnan().any(dim=-1)
        nats = functional.binary_cross_entropy_with_logits(
            logits, batch.targets.nan_to_num(), reduction="none"
        )
        losses = torch.where(known, nats.sum(dim=-1), 0)
        return StepLosses(logits, losses, known.long(), None, state)
