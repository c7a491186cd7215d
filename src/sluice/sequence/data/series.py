"""Sequences of numbers with their names and labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sluice.sequence.data.feature_statistics import FeatureStatistics
from sluice.sequence.data.fingerprint import hash_contents
from sluice.sequence.data.loaded_data import LoadedData
from sluice.sequence.data.ragged import Array, RaggedArray
from sluice.sequence.data.splits import By, Split, select_items, split
from sluice.sequence.data.targets import (
    NextChord,
    NextValues,
    SequenceLabels,
    StepLabels,
    SupervisedSequences,
)
from sluice.sequence.errors import DataError


@dataclass(frozen=True, eq=False)
class Series(LoadedData):
    """Sequences of steps of numbers.

    Attributes:
        features: the name of each column.
        values: (steps, features), float64 in the data's own units, float32 once normalised and in a
            piano roll; NaN for missing values.
        targets: the columns to forecast; all if empty.
        labels: one class per sequence (from 0), or one per step (from 1; 0 if missing).
        classes: the names of the classes.
        multi_hot: whether all values are 0 or 1, as in a piano roll.
        names: the id or file of each sequence.
        groups: the group of each sequence, which a split keeps together.
        times: the time of each step, (steps,), int64, float64 or datetime64 (UTC if there is a
            zone); None without such a column.
        time_name: the name of that column, or of several between blanks.
        time_zone: in which its dates are written, as in `clocks.find_zone`; empty without one.
        time_format: how they are written, as in `clocks.format_time`; empty for ISO 8601.
    """

    features: tuple[str, ...]
    values: RaggedArray
    targets: tuple[str, ...] = ()
    labels: tuple[int, ...] | RaggedArray | None = None
    classes: tuple[str, ...] = ()
    multi_hot: bool = False
    times: RaggedArray | None = None
    time_name: str = ""
    time_zone: str = ""
    time_format: str = ""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def strata(self) -> tuple[int, ...]:
        """The class of each sequence, by which a split draws; empty without one per sequence."""
        return self.labels if isinstance(self.labels, tuple) else ()

    def fingerprint(self) -> str:
        """A hash of columns, values and labels, the same wherever and whenever they are read."""
        return hash_contents(self.features, self.values, self.classes, self.labels)

    def to_supervised(self, horizon: int = 1, *, indicate: bool = False) -> SupervisedSequences:
        """The targets of each step, for `BucketBatches`, `StreamBatches` or `WindowBatches`.

        These are the labels if there are any, else the next step of a piano roll, else the next
        `horizon` steps of the target columns. A missing input is replaced by the last value
        before it, or by 0 (after `normalise`, the mean) if there is none.

        Args:
            horizon: steps to forecast, at each step.
            indicate: add a column for each feature that is 1 if the value was missing.

        Raises:
            DataError: a horizon below 1.
        """
        if horizon < 1:
            raise DataError(f"horizon must be at least 1 step, got {horizon}.")
        if self.multi_hot:
            return NextChord(self.values)
        inputs = self._select_inputs(indicate)
        if isinstance(self.labels, RaggedArray):
            return StepLabels(inputs, self.labels)
        if self.labels is not None:
            return SequenceLabels(inputs, self.labels)
        return NextValues(inputs, self._select_targets(), horizon)

    def split(
        self, by: By | None = None, *, validation: float = 0.1, test: float = 0.0, seed: int = 0
    ) -> Split[Series]:
        """Split for training, validation and test; arguments as in `splits.split`.

        By default as given, else by groups, else by sequences if there are several with labels or
        piano rolls, else by time.

        Raises:
            DataError: as `splits.split`.
        """
        whole = (self.labels is not None or self.multi_hot) and len(self) > 1
        default: By = "sequences" if whole else "time"
        automatic: By = "given" if self.predefined_split else "groups" if self.groups else default
        chosen = by or automatic
        if chosen == "time" and isinstance(self.labels, tuple):
            raise DataError(
                "A sequence with one label cannot be split by time; split by sequences."
            )
        return split(self, chosen, validation=validation, test=test, seed=seed)

    def select(self, indices: Sequence[int]) -> Series:
        """The sequences at `indices`."""
        labels = self.labels
        if isinstance(labels, RaggedArray):
            labels = labels.select(indices)
        elif labels is not None:
            labels = select_items(labels, indices)
        return replace(
            self._select_names(indices),
            values=self.values.select(indices),
            labels=labels,
            times=None if self.times is None else self.times.select(indices),
        )

    def slice_fraction(self, first: float, last: float) -> Series:
        """Each sequence between two fractions of its length."""
        labels = self.labels
        if isinstance(labels, RaggedArray):
            labels = labels.slice_fraction(first, last)
        return replace(
            self,
            values=self.values.slice_fraction(first, last),
            labels=labels,
            times=None if self.times is None else self.times.slice_fraction(first, last),
            predefined_split={},
        )

    def with_values(self, values: RaggedArray) -> Series:
        """The same sequences with other values of the same features."""
        return replace(self, values=values)

    def compute_statistics(self) -> FeatureStatistics:
        """Mean and standard deviation of each feature over all steps.

        A constant feature gets deviation 1, one without values mean 0 and deviation 1.

        Raises:
            DataError: multi-hot values.
        """
        if self.multi_hot:
            raise DataError("Multi-hot values cannot be normalised; use them as they are.")
        number = self._sum_over_steps(lambda values: np.isfinite(values))
        known = np.maximum(number, 1)
        mean = self._sum_over_steps(lambda values: np.nan_to_num(values)) / known
        squares = self._sum_over_steps(lambda values: np.nan_to_num(values - mean) ** 2)
        deviation = np.sqrt(squares / known)
        deviation[deviation == 0] = 1
        return FeatureStatistics(self.features, tuple(mean.tolist()), tuple(deviation.tolist()))

    def _sum_over_steps(self, of: Callable[[Array], Array]) -> Array:
        total = np.zeros(len(self.features))
        for values in self.values:
            total += of(values.astype(np.float64)).sum(axis=0)
        return total

    def _select_targets(self) -> RaggedArray:
        if not self.targets or self.targets == self.features:
            return self.values
        columns = [self.features.index(name) for name in self.targets]
        return replace(self.values, flat=self.values.flat[:, columns])

    def _select_inputs(self, indicate: bool) -> RaggedArray:
        if not indicate and not np.isnan(self.values.flat).any():
            return self.values
        return RaggedArray.of(
            (_fill_missing(values, indicate) for values in self.values), self.values.flat.dtype
        )


def _fill_missing(values: Array, indicate: bool) -> Array:
    """Replace each missing value by the last one before it, or by 0."""
    missing = np.isnan(values)
    steps = np.where(missing, 0, np.arange(len(values))[:, None])
    last = np.maximum.accumulate(steps, axis=0)
    filled = np.nan_to_num(np.take_along_axis(values, last, axis=0))
    return np.concatenate((filled, missing), axis=1) if indicate else filled
