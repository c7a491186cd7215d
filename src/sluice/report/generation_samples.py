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
from sluice.report.domains import (
    describe_readable_data,
    find_domain_of_path,
    find_domain_of_vocabulary,
)
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
    """Read held-out data for a language model: of a domain (`sluice.report.domains`), else text.

    Text is split as in the vocabulary, into characters where all tokens are single characters,
    else into words, and then into pieces of 256 tokens.

    Args:
        checkpoint: the model, for its vocabulary.
        path: the file or folder.
        tokens: read no more than about so many, evenly from all of the data.

    Raises:
        AblationError: not a language model, no such file, no text, or no sequence that the model
            knows.
        ValueError: the domain cannot read the data.
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
            f"{path} must contain a sequence of which the model knows every token; give "
            "data of the kind it was trained on"
        )
    every = max(1, -(-sum(map(len, known)) // tokens))
    return HeldOutData(known[::every], skipped)


def _require_language_model(model: nn.Module) -> None:
    if not isinstance(model, LanguageModel):
        raise AblationError(
            f"`sluice ablate` takes a language model, got a {type(model).__name__}; in "
            "Python, sluice.report.ablate(model, loss) takes any model"
        )


def _read_sequences(path: Path, checkpoint: Checkpoint) -> Iterator[Sequence[str]]:
    domain = find_domain_of_path(path)
    if domain is not None:
        yield from (sequence.tokens for sequence in domain.read(path, checkpoint.vocabulary))
        return
    if path.is_dir():
        raise AblationError(
            f"the folder {path} holds no files of a known kind; give {describe_readable_data()}"
        )
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        raise AblationError(
            f"{path} is not text in UTF-8; give {describe_readable_data()}"
        ) from None
    tokens = list(text) if TextCodec(checkpoint.vocabulary).is_character_level else text.split()
    yield from (tokens[first : first + _PIECE] for first in range(0, len(tokens), _PIECE))


class Continuation(NamedTuple):
    """What a model generates from one seed under an intervention.

    Attributes:
        label: the intervention; ``"whole"`` for the model as it is.
        tokens: what it generated.
        differs: the place of the first token that differs from the whole model's, from 0; None
            where there is none.
        loss: of the whole model on it, nats per token, its end included.
        statistics: figures of the tokens where their domain has any, such as a tune's.
    """

    label: str
    tokens: list[str]
    differs: int | None
    loss: float
    statistics: dict[str, float]


def generate_continuations(
    checkpoint: Checkpoint, interventions: Iterable[Intervention], seed: int, length: int
) -> list[Continuation]:
    """What the whole model generates from a seed, then what it generates under each intervention.

    The random numbers are the same each time, so every difference is due to the intervention.

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
    domain = find_domain_of_vocabulary(checkpoint.vocabulary)
    found = []
    for label, ids in drawn:
        tokens = checkpoint.vocabulary.decode(ids)
        statistics = dict(domain.compute_statistics(tokens)) if domain else {}
        differs = find_first_difference(whole, ids)
        loss = HeldOutData([ids], 0).loss(model)
        found.append(Continuation(label, tokens, differs, loss, statistics))
    return found


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
