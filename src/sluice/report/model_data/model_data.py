"""Sequences with inputs and targets for a model, and where they come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sluice.report.domains import TokenDomain
from sluice.sequence import Batch, DataError, Series, Vocabulary
from sluice.sequence.batching.pairs import collate_pairs
from sluice.sequence.data.ragged import Array, Indices
from sluice.sequence.data.readers.token_encoders import UNKNOWN_ID
from sluice.sequence.data.targets import Example, SupervisedSequences, collate
from sluice.sequence.vocabulary import END

_SHOWN = 8
"""Unknown tokens that a message names."""


@dataclass(frozen=True)
class PairSequences:
    """Ids of sources and of their targets, as `SupervisedSequences` of the targets.

    Targets are without `END`, which is added to them if they are complete.
    """

    sources: Sequence[Sequence[int]]
    targets: Sequence[Sequence[int]]
    are_complete: bool = True

    @property
    def lengths(self) -> Indices:
        return np.array([len(one) + self.are_complete for one in self.targets], np.int64)

    def read(self, index: int, first: int, last: int) -> Example:
        """The whole source, and steps `first` to `last` (excluded) of the target."""
        target = [*self.targets[index], *([END] if self.are_complete else [])][first:last]
        return np.array(self.sources[index], np.int64), np.array(target, np.int64)


@dataclass(frozen=True)
class ModelData:
    """Data as a model reads them in training.

    Attributes:
        sequences: inputs and targets in the ids or values of the model.
        names: what each sequence is called.
        source: where they come from, for messages.
        is_stream: whether training cuts the sequences into parts wherever it likes.
        has_targets: whether there is something to compare the outputs with.
        domain: of the tokens, if they have one.
        series: the values as they were read, before any normalisation; None for tokens.
        ids: of tokens, each sequence's, with `UNKNOWN_ID` where the model does not know one; of the
            source and then the target, for pairs. None for values.
        read_tokens: of a sequence, the tokens of so many ids as they stand in the data.
        note: what was left out; empty if nothing was.
    """

    sequences: SupervisedSequences
    names: Sequence[str]
    source: str
    is_stream: bool = False
    has_targets: bool = True
    domain: TokenDomain | None = None
    series: Series | None = None
    ids: Sequence[Sequence[int] | Array] | None = None
    read_tokens: Callable[[int, int], Sequence[str]] | None = None
    note: str = ""

    def __len__(self) -> int:
        return len(self.sequences.lengths)

    def count_steps(self, index: int) -> int:
        """The steps of a sequence; of its target, for pairs."""
        return int(self.sequences.lengths[index])

    def get_name(self, index: int) -> str:
        """What a sequence is called."""
        return self.names[index] if self.names else f"sequence {index}"

    def require_sequence(self, index: int) -> None:
        """Refuse a sequence that there is not."""
        if not 0 <= index < len(self):
            raise DataError(
                f"sequence must be from 0 to {len(self) - 1} for {self.source}, got {index}"
            )

    def is_known(self, index: int, first: int, stop: int) -> bool:
        """Whether the model knows all tokens of a sequence that its steps read or predict."""
        if self.ids is None:
            return True
        is_pair = isinstance(self.sequences, PairSequences)
        ids = self.ids[index] if is_pair else self.ids[index][max(first - 1, 0) : stop]
        return UNKNOWN_ID not in ids

    def require_known(self, index: int, stop: int, vocabulary: Vocabulary) -> None:
        """Refuse a sequence with tokens that the model does not know, up to a step.

        Raises:
            DataError: which tokens, and where the first of them is.
        """
        if self.ids is None or self.read_tokens is None or self.is_known(index, 0, stop):
            return
        stop = len(self.ids[index]) if isinstance(self.sequences, PairSequences) else stop
        places = np.flatnonzero(np.asarray(self.ids[index][:stop]) == UNKNOWN_ID).tolist()
        tokens = self.read_tokens(index, places[-1] + 1)
        strange = list(dict.fromkeys(tokens[place] for place in places))
        more = f" and {len(strange) - _SHOWN} more" if len(strange) > _SHOWN else ""
        breaks = "".join(tokens[: places[0]]).count("\n")
        line = f" (line {breaks + 1})" if breaks else ""
        raise DataError(
            f"the model does not know {', '.join(map(repr, strange[:_SHOWN]))}{more}, first as "
            f"token {places[0]}{line} {self._locate(index)}; it knows {len(vocabulary.tokens)} "
            f"tokens, such as {' '.join(map(repr, vocabulary.tokens[:6]))}: leave these out, or "
            "train on such data"
        )

    def _locate(self, index: int) -> str:
        name = self.get_name(index)
        return f"in {name}" if name == self.source else f"of {name!r} in {self.source}"

    def make_batch(self, places: Sequence[tuple[int, int, int]]) -> Batch:
        """A batch of parts of sequences: the number, the first step and the one after the last."""
        examples = [self.sequences.read(*place) for place in places]
        if isinstance(self.sequences, PairSequences):
            return collate_pairs([list(s) for s, _ in examples], [list(t) for _, t in examples])
        return collate(self.sequences, examples)
