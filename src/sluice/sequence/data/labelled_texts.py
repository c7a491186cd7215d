"""Texts as token ids, each with a label."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from sluice.sequence.data.fingerprint import hash_contents
from sluice.sequence.data.loaded_data import LoadedData
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.splits import By, Split, select_items, split
from sluice.sequence.data.targets import SequenceLabels
from sluice.sequence.errors import DataError
from sluice.sequence.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class LabelledTexts(LoadedData):
    """Texts and their classes, for a `Classifier` of tokens.

    >>> letters = Vocabulary(tuple("ab"), "characters")
    >>> ids = RaggedArray.of([[3, 4], [4, 4]])
    >>> texts = LabelledTexts(letters, ids, labels=(0, 1), classes=("ham", "spam"))
    >>> len(texts), texts.classes[texts.labels[1]]
    (2, 'spam')

    Attributes:
        vocabulary: the tokens of the texts.
        ids: the texts, without `START` and `END`, in the smallest integer type.
        labels: the class of each text, from 0.
        classes: the names of the classes.
        names: the file of each text, and its line.
        groups: the same for equal texts, which a split keeps together.
    """

    vocabulary: Vocabulary
    ids: RaggedArray
    labels: tuple[int, ...]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def strata(self) -> Sequence[Hashable]:
        """The class of each text, by which a split draws."""
        return self.labels

    def fingerprint(self) -> str:
        """A hash of vocabulary, ids and labels, the same wherever and whenever they are read."""
        return hash_contents(self.vocabulary.to_json(), self.ids, self.classes, self.labels)

    def to_supervised(self) -> SequenceLabels:
        """A label for each text, for `BucketBatches`."""
        return SequenceLabels(self.ids, self.labels)

    def split(
        self, by: By | None = None, *, validation: float = 0.1, test: float = 0.0, seed: int = 0
    ) -> Split[LabelledTexts]:
        """Split for training, validation and test; arguments as in `splits.split`.

        By default as given, else by groups if texts occur more than once, else by sequences, drawn
        by class.

        Raises:
            DataError: as `splits.split`; `"time"`, in which texts have no order.
        """
        several = len(set(self.groups)) < len(self.groups)
        default: By = "groups" if several else "sequences"
        automatic: By = "given" if self.predefined_split else default
        return split(self, by or automatic, validation=validation, test=test, seed=seed)

    def select(self, indices: Sequence[int]) -> LabelledTexts:
        """The texts at `indices`."""
        return replace(
            self._select_names(indices),
            ids=self.ids.select(indices),
            labels=tuple(select_items(self.labels, indices)),
        )

    def slice_fraction(self, first: float, last: float) -> LabelledTexts:
        """Refused: a part of a text need not have its label.

        Raises:
            DataError: always.
        """
        raise DataError("Texts with labels cannot be split in time; split them by sequences.")
