"""Sequences of tokens with their vocabulary."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sluice.sequence.data.fingerprint import hash_contents
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.report import LoadReport, SkippedItem
from sluice.sequence.data.splits import By, Split, select_items, split
from sluice.sequence.data.targets import NextToken
from sluice.sequence.vocabulary import Vocabulary

_MIN_FOR_SEQUENCE_SPLIT = 10


@dataclass(frozen=True, eq=False)
class Tokens:
    """Sequences of token ids, in memory or mapped from a file.

    >>> tokens = Tokens(Vocabulary(tuple("ab"), "characters"), RaggedArray.of([[3, 4], [4]]))
    >>> len(tokens), tokens.vocabulary.decode_text(tokens.ids[0].tolist())
    (2, 'ab')

    Attributes:
        vocabulary: the tokens of the ids.
        ids: the sequences, without `START` and `END`, in the smallest integer type.
        names: the source of each sequence; empty if there are too many.
        groups: the group of each sequence (a family of tunes, say), which a split keeps together.
        predefined_split: the indices of "train", "validation" and "test", if the files give them.
        load_report: what was read and what was skipped.
        load_options: the format ("kind") and the options that `load_data` read it with.
    """

    vocabulary: Vocabulary
    ids: RaggedArray
    names: Sequence[str] = ()
    groups: Sequence[Hashable] = ()
    predefined_split: Mapping[str, Sequence[int]] = field(default_factory=dict)
    load_report: LoadReport = field(default_factory=LoadReport)
    load_options: Mapping[str, object] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def strata(self) -> tuple[()]:
        """Tokens have no classes to draw by."""
        return ()

    @property
    def skipped_items(self) -> tuple[SkippedItem, ...]:
        """What was skipped, where and why."""
        return self.load_report.skipped_items

    def report(self) -> str:
        """What was read, and what was skipped where and why, as text."""
        return self.load_report.to_text()

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
        return replace(
            self,
            ids=self.ids.select(indices),
            names=select_items(self.names, indices),
            groups=select_items(self.groups, indices),
            predefined_split={},
        )

    def slice_fraction(self, first: float, last: float) -> Tokens:
        """Each sequence between two fractions of its length."""
        return replace(self, ids=self.ids.slice_fraction(first, last), predefined_split={})
