"""Long sequences of labelled steps in windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sluice.sequence.data.ragged import Indices
from sluice.sequence.data.targets import Example, StepLabels
from sluice.sequence.errors import DataError
from sluice.sequence.vocabulary import PADDING


@dataclass(frozen=True)
class LabelWindows:
    """Windows of sequences with a label per step: each label counts once, in its context.

    A window is `steps` labelled steps, and up to `context` steps before and after them that are
    read but not labelled. So layers of both directions can be trained on a series of any length.

    >>> from sluice.sequence.data.ragged import RaggedArray
    >>> values = RaggedArray.of([[[0.0], [1.0], [2.0], [3.0], [4.0]]], np.float32)
    >>> whole = StepLabels(values, RaggedArray.of([[1, 2, 1, 2, 1]]))
    >>> windows = LabelWindows.cut(whole, steps=2, context=1)
    >>> windows.lengths.tolist(), windows.read(1, 0, 4)[1].tolist()
    ([3, 4, 2], [0, 1, 2, 0])

    Attributes:
        sequences: the whole ones.
        places: (windows, 5), int64: the sequence; the first step read, the first labelled, the
            one after the last labelled, the one after the last read.
    """

    sequences: StepLabels
    places: Indices

    @classmethod
    def cut(cls, sequences: StepLabels, *, steps: int, context: int) -> LabelWindows:
        """Cut sequences into windows.

        Raises:
            DataError: no step in a window, or a negative context.
        """
        if steps < 1 or context < 0:
            raise DataError(
                f"A window needs at least 1 step and no negative context, got {steps}, {context}."
            )
        lengths = sequences.lengths
        windows = -(-lengths // steps)
        numbers = np.repeat(np.arange(len(lengths)), windows)
        first = (np.arange(len(numbers)) - np.repeat(np.cumsum(windows) - windows, windows)) * steps
        ends = lengths[numbers]
        last = np.minimum(first + steps, ends)
        begin, stop = np.maximum(first - context, 0), np.minimum(last + context, ends)
        return cls(sequences, np.stack((numbers, begin, first, last, stop), axis=1))

    @property
    def lengths(self) -> Indices:
        lengths: Indices = self.places[:, 4] - self.places[:, 1]
        return lengths

    def count_labels(self) -> Indices:
        """The labelled steps of each window, int64."""
        counts: Indices = self.places[:, 3] - self.places[:, 2]
        return counts

    def find_labelled(self, index: int) -> tuple[int, int]:
        """The first labelled step of a window, and the one after the last."""
        _, begin, first, last, _ = self.places[index].tolist()
        return first - begin, last - begin

    def read(self, index: int, first: int, last: int) -> Example:
        """As `SupervisedSequences.read`."""
        number, begin, labelled, beyond, _ = self.places[index].tolist()
        inputs, labels = self.sequences.read(number, begin + first, begin + last)
        steps = np.arange(begin + first, begin + first + len(labels))
        return inputs, np.where((steps >= labelled) & (steps < beyond), labels, PADDING)
