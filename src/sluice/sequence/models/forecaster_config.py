"""The configuration of a `Forecaster`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from sluice.sequence.errors import SequenceError
from sluice.sequence.models.next_step import NextStepConfig
from sluice.sequence.models.quantiles import require_quantiles
from sluice.sequence.models.shape import require_sizes

ErrorKind = Literal["squared", "absolute"]


@dataclass(frozen=True, kw_only=True)
class ForecasterConfig(NextStepConfig):
    """The configuration of a `Forecaster`; otherwise as `SequenceModelConfig`.

    Attributes:
        features: values per step.
        targets: indices of the features to forecast; default all that are not known ahead.
        horizon: steps to forecast, at each step.
        from_last: predict the change from the last known value instead of the value.
        indicate: add an input for each feature that is 1 if its value is missing.
        error: minimise the ``"squared"`` or the ``"absolute"`` error; with quantiles their loss.
        quantiles: forecast these too, rising and symmetric around 0.5, which is the point forecast.
        known: indices of features whose values in the next `horizon` steps are known ahead, such
            as the hour or a price; the model reads those too.
        changes: read each feature's change since the step before, and scale the change that is
            forecast by its own spread: for values that wander far from their mean.
        linear_lags: forecast the error of a linear model of so many values, which `fit_scale` fits
            in closed form (`LinearPart`); 0 for none.

    Raises:
        SequenceError: as `SequenceModelConfig`; bidirectional layers; a target that is no feature
            or known ahead; quantiles that are not as above; `changes` without `from_last`;
            `linear_lags` without `changes`.
    """

    targets: tuple[int, ...] = ()
    horizon: int = 1
    from_last: bool = True
    indicate: bool = True
    error: ErrorKind = "squared"
    quantiles: tuple[float, ...] = ()
    known: tuple[int, ...] = ()
    changes: bool = False
    linear_lags: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_sizes(self, horizon=1)
        object.__setattr__(self, "known", tuple(self.known))
        unknown = tuple(place for place in range(self.features) if place not in self.known)
        object.__setattr__(self, "targets", tuple(self.targets) or unknown)
        object.__setattr__(self, "quantiles", require_quantiles(self.quantiles))
        self._require_places("targets")
        self._require_places("known")
        both = sorted({*self.targets} & {*self.known})
        if both or not self.targets:
            raise SequenceError(
                f"A feature that is known ahead cannot be forecast, got {both or 'all features'} "
                "as known; leave out targets, or leave one feature that is not known."
            )
        if self.error not in get_args(ErrorKind):
            raise SequenceError(f"error must be one of {get_args(ErrorKind)}, got {self.error!r}.")
        if self.changes and not self.from_last:
            raise SequenceError("changes scales a change from the last value; set from_last too.")
        require_sizes(self, linear_lags=0)
        if self.linear_lags and not self.changes:
            raise SequenceError("linear_lags forecasts a change; set changes too, or leave it 0.")

    def _require_places(self, name: str) -> None:
        places = getattr(self, name)
        if {*places} - {*range(self.features)} or len({*places}) < len(places):
            raise SequenceError(
                f"{name} must be different indices in 0 to {self.features - 1}, got {places}."
            )

    @property
    def input_columns(self) -> tuple[int, ...]:
        """The feature of each column of the model's values: all, then those known ahead."""
        return (*range(self.features), *self.known * self.horizon)

    @property
    def output_columns(self) -> tuple[int, ...]:
        """The feature of each number of a forecast, by step."""
        return self.targets * self.horizon
