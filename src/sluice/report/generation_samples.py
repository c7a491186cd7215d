"""A language model's held-out sequences, its loss on them, and what it generates when cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sluice.files import StrPath
from sluice.report.ablation import AblationError, Intervention
from sluice.sequence import (
    Checkpoint,
    LanguageModel,
    Sampling,
    TextCodec,
    UnknownTokenError,
    generate,
)
from sluice.sequence.batch import Batch
from sluice.sequence.batching.bucketed import batch_by_length, pad
from sluice.tunes.corpus import collections

_PIECE, _BATCH = 256, 64


@dataclass(frozen=True)
class HeldOutData:
    """Sequences of ids to judge a model by.

    Attributes:
        sequences: ids without marks.
        skipped: how many sequences were left out for a token that the model does not know.
    """

    sequences: list[list[int]]
    skipped: int

    @property
    def tokens(self) -> int:
        """How many tokens there are, ends included."""
        return sum(len(sequence) + 1 for sequence in self.sequences)

    def loss(self, model: LanguageModel) -> float:
        """Mean cross-entropy in nats of every next token, ends included."""
        with torch.no_grad():
            found = [
                model.loss(_build_batch(ids))[0] for ids in batch_by_length(self.sequences, _BATCH)
            ]
        return sum(float(one.total) for one in found) / sum(one.items for one in found)

    def run_longest(self, model: LanguageModel) -> None:
        """Run ``model`` on the longest sequences, cut where the shortest of them ends.

        Nothing of it is padding: the place to take means of gates.
        """
        longest = sorted(self.sequences, key=len)[-_BATCH:]
        steps = len(longest[0]) + 1
        model(pad(longest)[:steps])


def load_held_out(checkpoint: Checkpoint, path: StrPath, tokens: int) -> HeldOutData:
    """Read data for a model: tunes from a folder or a file ``.abc``, else text.

    Text is read as the vocabulary has it, letter by letter where all its tokens are single
    letters, else word by word, and cut into pieces of 256 tokens.

    Args:
        checkpoint: the model, for its vocabulary.
        path: the file or folder.
        tokens: read no more than about so many, evenly from all of the data.

    Raises:
        AblationError: no language model, no such file, no text, or nothing that the model knows.
        TuneError: ABC that cannot be read.
    """
    _require_language_model(checkpoint.model)
    path = Path(path)
    if not path.exists():
        raise AblationError(f"there is no file or folder {str(path)!r}; name the held-out data")
    known, skipped = list[list[int]](), 0
    for words in _read_sequences(path, checkpoint):
        try:
            known.append(checkpoint.vocabulary.encode(words))
        except UnknownTokenError:
            skipped += 1
    if not known:
        raise AblationError(
            f"the model knows no whole sequence of {path}; give data of the kind it was trained on"
        )
    every = max(1, -(-sum(map(len, known)) // tokens))
    return HeldOutData(known[::every], skipped)


def _require_language_model(model: nn.Module) -> None:
    if not isinstance(model, LanguageModel):
        raise AblationError(
            f"data is read for language models, and this is a {type(model).__name__}; in Python, "
            "sluice.report.ablation.ablate takes any model and loss"
        )


def _read_sequences(path: Path, checkpoint: Checkpoint) -> Iterator[Sequence[str]]:
    if path.is_dir() or path.suffix == ".abc":
        yield from (tune.tokens for tune in collections.load_collections([path]).tunes)
        return
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        raise AblationError(f"{path} is no text in UTF-8; give a text or a file of ABC") from None
    tokens = list(text) if TextCodec(checkpoint.vocabulary).is_character_level else text.split()
    yield from (tokens[first : first + _PIECE] for first in range(0, len(tokens), _PIECE))


class Continuation(NamedTuple):
    """What a model generates from one seed when it is cut.

    Attributes:
        told: the cut; ``"whole"`` for the model as it is.
        tokens: what it generated.
        differs: the place of the first token that the whole model has not, from 0; None where
            there is none.
        loss: of the whole model on it, nats per token, its end included.
    """

    told: str
    tokens: list[str]
    differs: int | None
    loss: float


def generate_continuations(
    checkpoint: Checkpoint, interventions: Iterable[Intervention], seed: int, length: int
) -> list[Continuation]:
    """What the whole model generates from a seed, and then what it does with each cut.

    The seed's random numbers are the same each time: what differs is the cut's doing.

    Raises:
        SequenceError: a negative seed, or a length below 1.
    """
    model = checkpoint.model
    sampling = Sampling(max_length=length)
    (whole,) = generate(model, [seed], sampling=sampling)
    drawn = [("whole", whole)]
    for cut in interventions:
        with cut.apply(model):
            drawn += [(str(cut), generate(model, [seed], sampling=sampling)[0])]
    return [
        Continuation(
            told,
            checkpoint.vocabulary.decode(ids),
            find_first_difference(whole, ids),
            HeldOutData([ids], 0).loss(model),
        )
        for told, ids in drawn
    ]


def find_first_difference(first: Sequence[int], second: Sequence[int]) -> int | None:
    """Where two sequences part; None where they do not.

    >>> find_first_difference([5, 6, 7], [5, 6]), find_first_difference([5], [5])
    (2, None)
    """
    for place, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return place
    return None if len(first) == len(second) else min(len(first), len(second))


def _build_batch(ids: Tensor) -> Batch:
    return Batch(ids[:-1], ids[1:])
