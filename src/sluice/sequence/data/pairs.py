"""Pairs of token sequences, a source and a target, with their vocabularies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sluice.sequence.data.fingerprint import hash_contents
from sluice.sequence.data.loaded_data import LoadedData
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.splits import By, Split, split
from sluice.sequence.errors import DataError
from sluice.sequence.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class Pairs(LoadedData):
    """Sources and their targets as token ids, for a model of pairs.

    >>> letters = Vocabulary(tuple("ab"), "characters")
    >>> one, other = RaggedArray.of([[3, 4], [3, 3]]), RaggedArray.of([[4, 3], [3, 3]])
    >>> pairs = Pairs(letters, letters, one, other)
    >>> len(pairs), letters.decode_text(pairs.targets[0].tolist())
    (2, 'ba')

    Attributes:
        vocabulary: the tokens of the sources.
        target_vocabulary: the tokens of the targets.
        sources: ids, without `START` and `END`, in the smallest integer type.
        targets: ids, without `START` and `END`, in the smallest integer type.
        names: the file and line of each pair.
        groups: the same for pairs of the same source or target, which a split keeps together.
    """

    vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    sources: RaggedArray
    targets: RaggedArray

    def __len__(self) -> int:
        return len(self.sources)

    def fingerprint(self) -> str:
        """A hash of vocabularies and ids, the same wherever and whenever they are read."""
        vocabularies = self.vocabulary.to_json(), self.target_vocabulary.to_json()
        return hash_contents(*vocabularies, self.sources, self.targets)

    def split(
        self, by: By | None = None, *, validation: float = 0.1, test: float = 0.0, seed: int = 0
    ) -> Split[Pairs]:
        """Split for training, validation and test; arguments as in `splits.split`.

        By default as given, else by groups, so that no source and no target stands in two parts.

        Raises:
            DataError: as `splits.split`; `"time"`, in which pairs have no order.
        """
        automatic: By = "given" if self.predefined_split else "groups"
        if not self.groups and automatic == "groups":
            automatic = "sequences"
        return split(self, by or automatic, validation=validation, test=test, seed=seed)

    def select(self, indices: Sequence[int]) -> Pairs:
        """The pairs at `indices`."""
        return replace(
            self._select_names(indices),
            sources=self.sources.select(indices),
            targets=self.targets.select(indices),
        )

    def slice_fraction(self, first: float, last: float) -> Pairs:
        """Refused: half a source has no target.

        Raises:
            DataError: always.
        """
        raise DataError("Pairs cannot be split in time; split them by sequences or groups.")
