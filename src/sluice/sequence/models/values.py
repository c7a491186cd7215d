"""Models of what comes next in sequences of values: `Forecaster` and `ChoraleModel`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice.sequence.batch import Batch, BatchSource, Loss
from sluice.sequence.errors import SequenceError
from sluice.sequence.models.base import SequenceModel, evaluation_mode, select_valid_steps
from sluice.sequence.models.filling import forward_fill
from sluice.sequence.models.shape import SequenceModelConfig, require_sizes

ErrorKind = Literal["squared", "absolute"]
ForecasterState = tuple[Any, Tensor]
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
                "A model of what comes next reads forwards alone, since it must not see what it "
                "foretells; leave bidirectional out."
            )


@dataclass(frozen=True, kw_only=True)
class ForecasterConfig(_NextStepConfig):
    """The shape of a `Forecaster`; all else is as in `Shape`.

    Attributes:
        features: how many values a step has.
        targets: which of them to forecast, by place; all, if none is named.
        horizon: how many steps to forecast at each step.
        from_last: whether to learn the change from the last known value, not the value itself.
        indicate: whether the layers are also told, for each feature, that it is missing.
        error: what to make small, the ``"squared"`` or the ``"absolute"`` error.

    Raises:
        SequenceError: as `Shape`; layers that read from both ends; a target that is no feature.
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
        strange = set(self.targets) - set(range(self.features))
        if strange or len(set(self.targets)) < len(self.targets):
            raise SequenceError(
                f"Targets are places from 0 to {self.features - 1}, each once, but "
                f"{self.targets} came."
            )
        if self.error not in get_args(ErrorKind):
            raise SequenceError(f"error is one of {get_args(ErrorKind)}, but {self.error!r} came.")


class Forecaster(SequenceModel):
    """The next `horizon` steps of some features, at every step.

    It takes and returns raw units: mean and deviation of each feature lie in its buffers (0 and 1
    until `fit_scale`). A missing value is NaN; it is replaced by the last one before it (by the
    mean, where there is none), and the layers are told so in a channel of its own (Lipton, Kale &
    Wetzel 2016).

    >>> model = Forecaster(ForecasterConfig(features=3, targets=(0,), horizon=2, hidden_size=8))
    >>> foretold, state = model(torch.zeros(20, 5, 3))
    >>> foretold.shape                                          # time, batch, horizon × targets
    torch.Size([20, 5, 2])
    """

    config_type = ForecasterConfig
    config: ForecasterConfig
    mean: Tensor
    deviation: Tensor

    def __init__(self, config: ForecasterConfig) -> None:
        super().__init__()
        self._build(config, features=config.features * (2 if config.indicate else 1))
        self.readout = nn.Linear(config.width, config.horizon * len(config.targets))
        self.register_buffer("mean", torch.zeros(config.features))
        self.register_buffer("deviation", torch.ones(config.features))

    def fit_scale(self, source: BatchSource) -> None:
        """Take mean and deviation of each feature from a source's inputs, in one pass.

        Missing values are left out; a feature that never changes keeps deviation 1.

        Raises:
            SequenceError: a feature without a single value.
        """
        # Sums of the distance from a first value keep their digits where the mean is far from 0.
        origin = count = total = squares = torch.zeros(())
        for batch in source.batches(0):
            rows = select_valid_steps(batch.inputs, batch.lengths).double().cpu()
            if origin.dim() == 0:
                origin = rows.nan_to_num().mean(dim=0)
            known, far = ~rows.isnan(), (rows - origin).nan_to_num()
            count, total = count + known.sum(dim=0), total + far.sum(dim=0)
            squares = squares + far.square().sum(dim=0)
        if not count.dim() or not count.all():
            raise SequenceError("A feature has no value at all in this data; leave it out.")
        mean = total / count
        deviation = (squares / count - mean.square()).clamp_min(0).sqrt()
        self.mean.copy_(origin + mean)
        self.deviation.copy_(torch.where(deviation > 0, deviation, 1.0))

    def forward(
        self,
        values: Tensor,
        state: ForecasterState | None = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, ForecasterState]:
        """The coming values, in the units of `values`, and the state to go on from.

        Args:
            values: (time, batch, features), float32, NaN where one is missing.
            state: what an earlier call returned; none starts afresh.
            lengths, resets: as in `Batch`.

        Returns:
            (time, batch, horizon × targets), the nearest step's targets first; and the state.
        """
        foretold, state = self._predict(values, state, lengths, resets)
        mean, deviation = self._output_scale()
        return foretold * deviation + mean, state

    def loss(
        self, batch: Batch, state: ForecasterState | None = None
    ) -> tuple[Loss, ForecasterState]:
        """The error in units of each feature's deviation, summed over the targets not missing."""
        foretold, state = self._predict(batch.inputs, state, batch.lengths, batch.resets)
        mean, deviation = self._output_scale()
        known = ~batch.targets.isnan()
        wanted = ((batch.targets - mean) / deviation)[known]
        measure = functional.mse_loss if self.config.error == "squared" else functional.l1_loss
        return Loss(measure(foretold[known], wanted, reduction="sum"), int(known.sum())), state

    def forecast(
        self, values: Tensor, lengths: Tensor | None = None, steps: int | None = None
    ) -> Tensor:
        """What follows `values`: (steps, batch, targets), in their units.

        Beyond the horizon the model reads what it foretold itself.

        Args:
            values: (time, batch, features), NaN where one is missing.
            lengths: steps of each sequence (batch,), each at least 1.
            steps: how many steps to foretell; the horizon if None.

        Raises:
            SequenceError: more steps than the horizon, of a model that foretells some features
                alone.
        """
        config = self.config
        steps = config.horizon if steps is None else steps
        if steps > config.horizon and config.targets != tuple(range(config.features)):
            raise SequenceError(
                f"This model foretells {len(config.targets)} of {config.features} features, so it "
                f"cannot go beyond its horizon of {config.horizon} steps; {steps} were asked for."
            )
        with evaluation_mode(self):
            foretold, state = self(values, lengths=lengths)
            blocks = [self._take_last_step(foretold, lengths)]
            while len(blocks) * config.horizon < steps:
                foretold, state = self(blocks[-1], state)
                blocks.append(self._take_last_step(foretold, None))
        return torch.cat(blocks)[:steps]

    def _predict(
        self,
        values: Tensor,
        state: ForecasterState | None,
        lengths: Tensor | None,
        resets: Tensor | None,
    ) -> tuple[Tensor, ForecasterState]:
        """As `forward`, in units of each feature's deviation from its mean."""
        config, (before, last) = self.config, (None, None) if state is None else state
        normal = (values - self.mean) / self.deviation
        filled, last = forward_fill(normal, last, lengths, resets)
        read = torch.cat((filled, normal.isnan().to(filled)), dim=-1) if config.indicate else filled
        hidden, after = self._run(read, before, lengths, resets)
        foretold = self.readout(self.dropout(hidden))
        if config.from_last:
            foretold = foretold + filled[..., config.targets].repeat(1, 1, config.horizon)
        return foretold, (after, last)

    def _output_scale(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation of each output."""
        targets, times = list(self.config.targets), self.config.horizon
        return self.mean[targets].repeat(times), self.deviation[targets].repeat(times)

    def _take_last_step(self, forecasts: Tensor, lengths: Tensor | None) -> Tensor:
        """(horizon, batch, targets) as it stands after each sequence's last step."""
        rows = forecasts[-1]
        if lengths is not None:
            rows = forecasts[lengths - 1, torch.arange(len(lengths), device=forecasts.device)]
        return rows.view(len(rows), self.config.horizon, -1).transpose(0, 1)


@dataclass(frozen=True, kw_only=True)
class ChoraleConfig(_NextStepConfig):
    """The shape of a `ChoraleModel`: `features` is how many keys there are; else as in `Shape`.

    Raises:
        SequenceError: as `Shape`; layers that read from both ends.
    """


class ChoraleModel(SequenceModel):
    """Which keys sound in the next step of a piano roll, each key on its own.

    The loss is that of Boulanger-Lewandowski, Bengio & Vincent 2012: the cross-entropy of all keys
    together, in nats per step.

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
        self.readout = nn.Linear(config.width, config.features)

    def forward(
        self,
        keys: Tensor,
        state: Any = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, Any]:
        """Logits (time, batch, keys) of the step after each, and the state to go on from.

        Args:
            keys: (time, batch, keys), float32, 1 for a key that sounds and 0 for one that rests.
            state: what an earlier call returned; none starts afresh.
            lengths, resets: as in `Batch`.
        """
        hidden, state = self._run(keys, state, lengths, resets)
        return self.readout(self.dropout(hidden)), state

    def loss(self, batch: Batch, state: Any = None) -> tuple[Loss, Any]:
        """Nats, summed over the steps whose targets are not NaN; an item is a step."""
        logits, state = self(batch.inputs, state, batch.lengths, batch.resets)
        known = ~batch.targets.isnan().any(dim=-1)
        total = functional.binary_cross_entropy_with_logits(
            logits[known], batch.targets[known], reduction="sum"
        )
        return Loss(total, int(known.sum())), state
