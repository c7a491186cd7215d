"""The steps of token sequences that a model can read and predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sluice.sequence import Vocabulary
from sluice.sequence.data.ragged import Array, Indices, RaggedArray
from sluice.sequence.data.readers.token_encoders import UNKNOWN_ID
from sluice.sequence.data.targets import Example, NextToken

_BLOCK = 1 << 18
"""Ids that are decoded at a time."""


@dataclass(frozen=True)
class KnownSteps:
    """The next token at every step whose token before and after the model knows.

    A sequence is a run of such steps, read without what stands before it.

    >>> steps = KnownSteps.of(RaggedArray.of([[3, 4, UNKNOWN_ID, 5, 6]]), whole=False)
    >>> steps.lengths.tolist(), steps.unknown
    ([2, 2], 1)
    >>> [steps.read(run, 0, 2) for run in (0, 1)]
    [(array([1, 3]), array([3, 4])), (array([5, 6]), array([6, 2]))]

    Attributes:
        steps: of all sequences.
        runs: (runs, 3), int64: the sequence, the first step, and the one after the last.
        unknown: how many tokens, or whole sequences, were left out.
    """

    steps: NextToken
    runs: Indices
    unknown: int

    @classmethod
    def of(cls, ids: Sequence[Sequence[int] | Array], *, whole: bool) -> KnownSteps:
        """The known steps of sequences; of whole ones alone, where `whole`."""
        assert isinstance(ids, RaggedArray)
        runs, unknown = list[tuple[int, int, int]](), 0
        for number, one in enumerate(ids):
            gaps = np.flatnonzero(one == UNKNOWN_ID)
            if whole:
                unknown += len(gaps) > 0
                runs += [(number, 0, len(one) + 1)] * (len(gaps) == 0)
                continue
            unknown += len(gaps)
            # Step k reads the token k - 1 and predicts the token k: a gap spoils two steps.
            starts, stops = [0, *(gaps + 2)], [*gaps, len(one) + 1]
            runs += [(number, a, b) for a, b in zip(starts, stops, strict=True) if a < b]
        return cls(NextToken(ids), np.array(runs, np.int64).reshape(-1, 3), unknown)

    @property
    def lengths(self) -> Indices:
        lengths: Indices = self.runs[:, 2] - self.runs[:, 1]
        return lengths

    def read(self, index: int, first: int, last: int) -> Example:
        """As `SupervisedSequences.read`."""
        number, begin, _ = self.runs[index].tolist()
        return self.steps.read(number, begin + first, begin + last)

    def count_characters(self, vocabulary: Vocabulary) -> int | None:
        """The characters of the predicted tokens; None where tokens are no pieces of text."""
        if vocabulary.unit == "tokens":
            return None
        total = 0
        for number, begin, stop in self.runs.tolist():
            for first in range(begin, stop, _BLOCK):
                ids = self.steps.ids[number][first : min(stop, first + _BLOCK)]
                total += len(vocabulary.decode_text(ids.tolist()))
        return total
