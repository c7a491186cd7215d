"""Sequences of tokens with their vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sluice.sequence.data.fingerprint import hash_contents
from sluice.sequence.data.loaded_data import LoadedData
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.splits import By, Split, split
from sluice.sequence.data.targets import NextToken
from sluice.sequence.vocabulary import Vocabulary

_MIN_FOR_SEQUENCE_SPLIT = 10


@dataclass(frozen=True, eq=False)
class Tokens(LoadedData):
    """Sequences of token ids, in memory or mapped from a file.

    >>> tokens = Tokens(Vocabulary(tuple("ab"), "characters"), RaggedArray.of([[3, 4], [4]]))
    >>> len(tokens), tokens.vocabulary.decode_text(tokens.ids[0].tolist())
    (2, 'ab')

    Attributes:
        vocabulary: the tokens of the ids.
        ids: the sequences, without `START` and `END`, in the smallest integer type.
        names: the source of each sequence; empty if there are too many.
        groups: the group of each sequence (a family of tunes, say), which a split keeps together.
    """

    vocabulary: Vocabulary
    ids: RaggedArray

    def __len__(self) -> int:
        return len(self.ids)

    def fingerprint(self) -> str:
        """A hash of vocabulary and ids, the same wherever and whenever they are read."""
        return hash_contents(self.vocabulary.to_json(), self.ids)

    def to_supervised(self) -> NextToken:
        """The next token at every step, for `BucketBatches`, `StreamBatches` or `WindowBatches`."""
        return NextToken(self.ids)

    def split(
        self, by: By | None = None, *, validation: float = 0.1, test: float = 0.0, seed: int = 0
    ) -> Split[Tokens]:
        """Split for training, validation and test; arguments as in `splits.split`.

        By default as given, else by groups, else by sequences if there are at least ten, else by
        time.

        Raises:
            DataError: as `splits.split`.
        """
        default: By = "sequences" if len(self) >= _MIN_FOR_SEQUENCE_SPLIT else "time"
        automatic: By = "given" if self.predefined_split else "groups" if self.groups else default
        return split(self, by or automatic, validation=validation, test=test, seed=seed)

    def select(self, indices: Sequence[int]) -> Tokens:
        """The sequences at `indices`."""
        return replace(self._select_names(indices), ids=self.ids.select(indices))

    def slice_fraction(self, first: float, last: float) -> Tokens:
        """Each sequence between two fractions of its length."""
        return replace(self, ids=self.ids.slice_fraction(first, last), predefined_split={})
