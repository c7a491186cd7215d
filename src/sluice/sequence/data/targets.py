"""Inputs and targets for each step of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from sluice.sequence.batch import Batch
from sluice.sequence.data.ragged import Array, Indices, RaggedArray
from sluice.sequence.vocabulary import END, PADDING, START

IGNORE_INDEX = -100
"""The label of a padding sequence in a batch; torch's losses ignore it."""
Example = tuple[Array, Array]


class SupervisedSequences(Protocol):
    """Sequences with inputs and targets, from which a `BatchSource` makes batches."""

    @property
    def lengths(self) -> Indices:
        """The steps of each sequence, int64."""
        ...

    def read(self, index: int, first: int, last: int) -> Example:
        """Inputs and targets of steps `first` to `last` (excluded) of the sequence at `index`.

        Ids are int64 (steps,), values float32 or float64 (steps, features); a label for the whole
        sequence is a scalar, int64.
        """
        ...


@dataclass(frozen=True)
class NextToken:
    """The next token at every step, from `START` to `END`.

    >>> NextToken(RaggedArray.of([[7, 8]])).read(0, 0, 3)
    (array([1, 7, 8]), array([7, 8, 2]))
    """

    ids: RaggedArray

    @property
    def lengths(self) -> Indices:
        return self.ids.lengths + 1

    def read(self, index: int, first: int, last: int) -> Example:
        """As `SupervisedSequences.read`."""
        # Memory-mapped ids are copied here, a chunk at a time.
        ids = self.ids[index][max(first - 1, 0) : last].astype(np.int64)
        before = ids if first else np.concatenate(([START], ids))
        after = ids[1:] if first else ids
        ends = first < last and last > self.ids.lengths[index]
        return before[: last - first], np.append(after, END) if ends else after


@dataclass(frozen=True)
class NextValues:
    """The values of the next `horizon` steps, at every step but the last of a sequence.

    Targets are (steps, horizon × columns), ordered by step; values that are missing or beyond the
    end are NaN and ignored.

    >>> values = RaggedArray.of([[[1.0], [2.0], [3.0]]], np.float32)
    >>> NextValues(values, values, horizon=2).read(0, 0, 2)[1].tolist()
    [[2.0, 3.0], [3.0, nan]]
    >>> NextValues(values, values, horizon=2, known=(0,)).read(0, 0, 2)[0].tolist()
    [[1.0, 2.0, 3.0], [2.0, 3.0, nan]]

    Attributes:
        inputs: the sequences, (steps, features).
        targets: the columns to forecast, (steps, columns).
        horizon: steps to forecast.
        known: columns of `inputs` whose values in the next `horizon` steps are inputs too, after
            all others, ordered by step.
        history: how many steps at the start of each sequence are read but not forecast: their
            targets are NaN; None for none.
    """

    inputs: RaggedArray
    targets: RaggedArray
    horizon: int = 1
    known: tuple[int, ...] = ()
    history: Indices | None = None

    @property
    def lengths(self) -> Indices:
        return np.maximum(self.inputs.lengths - 1, 0)

    def read(self, index: int, first: int, last: int) -> Example:
        """As `SupervisedSequences.read`."""
        targets = self._look_ahead(self.targets[index], first, last)
        if self.history is not None:
            unread = int(self.history[index]) - (first + 1)
            steps = np.arange(last - first)[:, None] + np.arange(self.horizon)
            hidden = np.repeat(steps < unread, self.targets.flat.shape[1], axis=1)
            targets = np.where(hidden, np.nan, targets).astype(targets.dtype)
        values = self.inputs[index][first:last]
        if self.known:
            ahead = self._look_ahead(self.inputs[index], first, last, self.known)
            values = np.concatenate((values, ahead), axis=1)
        return values, targets

    def _look_ahead(
        self, values: Array, first: int, last: int, columns: Sequence[int] | None = None
    ) -> Array:
        """The rows of the next `horizon` steps beside each other, (steps, horizon × columns)."""
        following = values[first + 1 : last + self.horizon]
        following = following if columns is None else following[:, list(columns)]
        shape = (last - first + self.horizon - 1, following.shape[1])
        ahead = np.full(shape, np.nan, following.dtype)
        ahead[: len(following)] = following
        return np.concatenate(
            [ahead[step : step + last - first] for step in range(self.horizon)], axis=1
        )


@dataclass(frozen=True)
class NextChord:
    """The next step's multi-hot values at every step, after an initial silent step.

    There are as many steps as in the piece: the first one is predicted from silence.
    """

    values: RaggedArray

    @property
    def lengths(self) -> Indices:
        return self.values.lengths

    def read(self, index: int, first: int, last: int) -> Example:
        """As `SupervisedSequences.read`."""
        values = self.values[index]
        before = values[max(first - 1, 0) : max(last - 1, 0)]
        if first == 0 < last:
            before = np.concatenate((np.zeros_like(values[:1]), before))
        return before, values[first:last]


@dataclass(frozen=True)
class StepLabels:
    """One label per step, numbered from 1; 0 (`PADDING`) if it is missing."""

    inputs: RaggedArray
    labels: RaggedArray

    @property
    def lengths(self) -> Indices:
        return self.inputs.lengths

    def read(self, index: int, first: int, last: int) -> Example:
        """As `SupervisedSequences.read`."""
        labels = self.labels[index][first:last].astype(np.int64)
        return self.inputs[index][first:last], labels


@dataclass(frozen=True)
class SequenceLabels:
    """One label per sequence, numbered from 0."""

    inputs: RaggedArray
    labels: Sequence[int]

    @property
    def lengths(self) -> Indices:
        return self.inputs.lengths

    def read(self, index: int, first: int, last: int) -> Example:
        """As `SupervisedSequences.read`."""
        return self.inputs[index][first:last], np.asarray(self.labels[index], np.int64)


def collate(sequences: SupervisedSequences, examples: Sequence[Example]) -> Batch:
    """One batch of `examples`, padded at the ends.

    Ids and labels are padded with `PADDING`, target values with NaN, input values with zeros
    (NaN would reach the gradients of any layer that multiplies it). Without examples the batch is
    one sequence of length 0, which is ignored: the share of a process for which a small last
    batch had no sequence.

    >>> steps = NextToken(RaggedArray.of([[7, 8], []]))
    >>> batch = collate(steps, [steps.read(0, 0, 3), steps.read(1, 0, 1)])
    >>> batch.targets.T.tolist(), batch.lengths
    ([[7, 8, 2], [2, 0, 0]], tensor([3, 1]))
    """
    examples = examples or [_make_empty_example(sequences)]
    lengths = [len(inputs) for inputs, _ in examples]
    longest = max(1, *lengths)
    ragged = torch.tensor(lengths) if min(lengths) < longest else None
    inputs = _pad_columns([inputs for inputs, _ in examples], longest, 0.0)
    if examples[0][1].ndim == 0:
        return Batch(inputs, torch.tensor([int(label) for _, label in examples]), ragged)
    return Batch(
        inputs, _pad_columns([targets for _, targets in examples], longest, np.nan), ragged
    )


def _make_empty_example(sequences: SupervisedSequences) -> Example:
    inputs, targets = sequences.read(0, 0, 0)
    return inputs, np.asarray(IGNORE_INDEX) if targets.ndim == 0 else targets


def _pad_columns(columns: Sequence[Array], longest: int, no_value: float) -> Tensor:
    """(time, batch) int64 or (time, batch, features) float32, or float64 where the columns are."""
    ids = columns[0].ndim == 1
    dtype = np.dtype(np.int64) if ids else np.result_type(np.float32, columns[0].dtype)
    shape = (longest, len(columns), *columns[0].shape[1:])
    whole = np.full(shape, PADDING if ids else no_value, dtype)
    for place, column in enumerate(columns):
        whole[: len(column), place] = column
    return torch.from_numpy(whole)
