"""Pairs of token sequences, a source and a target, with their vocabularies."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sluice.sequence.data.fingerprint import hash_contents
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.report import LoadReport, SkippedItem
from sluice.sequence.data.splits import By, Split, select_items, split
from sluice.sequence.errors import DataError
from sluice.sequence.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class Pairs:
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
        predefined_split: the indices of "train", "validation" and "test", if the files give them.
        load_report: what was read and what was skipped.
        load_options: the format ("kind") and the options that `load_data` read it with.
    """

    vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    sources: RaggedArray
    targets: RaggedArray
    names: Sequence[str] = ()
    groups: Sequence[Hashable] = ()
    predefined_split: Mapping[str, Sequence[int]] = field(default_factory=dict)
    load_report: LoadReport = field(default_factory=LoadReport)
    load_options: Mapping[str, object] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def strata(self) -> Sequence[Hashable]:
        """Pairs have no classes to be drawn by."""
        return ()

    @property
    def skipped_items(self) -> tuple[SkippedItem, ...]:
        """What was skipped, where and why."""
        return self.load_report.skipped_items

    def report(self) -> str:
        """What was read, and what was skipped where and why, as text."""
        return self.load_report.to_text()

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
            self,
            sources=self.sources.select(indices),
            targets=self.targets.select(indices),
            names=select_items(self.names, indices),
            groups=select_items(self.groups, indices),
            predefined_split={},
        )

    def slice_fraction(self, first: float, last: float) -> Pairs:
        """Refused: half a source has no target.

        Raises:
            DataError: always.
        """
        raise DataError("Pairs cannot be split in time; split them by sequences or groups.")
