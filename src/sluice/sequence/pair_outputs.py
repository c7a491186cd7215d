"""What a model of pairs makes of texts: its outputs, as texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sluice.sequence.batching.pairs import pad_ids
from sluice.sequence.checkpoint import Checkpoint
from sluice.sequence.data.readers.token_encoders import UNKNOWN_ID, encode_lines, split_text
from sluice.sequence.errors import SequenceError
from sluice.sequence.models.pair_model import PairModel
from sluice.sequence.models.seq2seq_decoding import decode
from sluice.sequence.vocabulary import Vocabulary

MAX_OUTPUT = 200
"""Tokens of an output, by default."""
_BATCH, _SHOWN = 64, 40


@dataclass(frozen=True)
class PairOutput:
    """What a model of pairs makes of a source.

    Attributes:
        text: the output.
        ids: its tokens in the target vocabulary.
        log_probability: of all its tokens, and of its end if that was reached, in nats.
        is_complete: whether it ended; else it was cut at the maximum length.
        unknown: what of the source the model does not know: characters, which were left out, or
            words, which it read as one and the same unknown word.
    """

    text: str
    ids: Sequence[int]
    log_probability: float
    is_complete: bool
    unknown: tuple[str, ...]


def generate_outputs(
    checkpoint: Checkpoint,
    sources: Sequence[str],
    *,
    num_beams: int = 1,
    max_length: int = MAX_OUTPUT,
    length_penalty: float = 1.0,
    on_progress: Callable[[int], None] = lambda done: None,
) -> list[PairOutput]:
    """The output of a model of pairs for each source, in their order.

    A source of which the model knows no token has an empty output of log-probability 0.

    Args:
        checkpoint: a `PairModel` with both vocabularies, from `Checkpoint.load`.
        sources: texts.
        num_beams: 1 takes the most likely token each time; more search among so many beams.
        max_length: the maximum number of tokens of an output.
        length_penalty: as in `decode`.
        on_progress: called with the number of sources that are done.

    Raises:
        SequenceError: another kind of model, fewer than one beam or token, a length penalty below
            0, or a source longer than the model's positions.

    >>> from sluice.sequence.models import Seq2Seq, Seq2SeqConfig
    >>> letters = Vocabulary(tuple("abc"), "characters")
    >>> model = Seq2Seq(Seq2SeqConfig(6, 6, hidden_size=8))
    >>> made = generate_outputs(
    ...     Checkpoint(model, letters, target_vocabulary=letters), ["ab", "axc"], max_length=4
    ... )
    >>> [one.unknown for one in made]
    [(), ('x',)]
    """
    model, output = checkpoint.model, checkpoint.target_vocabulary
    if not isinstance(model, PairModel) or output is None:
        raise SequenceError(
            f"Outputs need a model of pairs, got a {type(model).__name__}; train on pairs."
        )
    read = [_read_source(checkpoint.vocabulary, text) for text in sources]
    if (most := getattr(model.config, "max_positions", None)) is not None:
        _require_lengths(sources, [len(ids) for ids, _ in read], most)
    made = [PairOutput("", (), 0.0, True, unknown) for _, unknown in read]
    known = [place for place, (ids, _) in enumerate(read) if ids]
    order = sorted(known, key=lambda place: len(read[place][0]))
    for first in range(0, len(order), _BATCH):
        places = order[first : first + _BATCH]
        batch, lengths = pad_ids([read[place][0] for place in places])
        found = decode(
            model,
            batch,
            lengths,
            num_beams=num_beams,
            max_length=max_length,
            length_penalty=length_penalty,
        )
        for place, one in zip(places, found, strict=True):
            text = output.decode_text(one.ids)
            made[place] = PairOutput(
                text, one.ids, one.log_probability, one.is_complete, read[place][1]
            )
        on_progress(first + len(places))
    return made


def _require_lengths(sources: Sequence[str], lengths: Sequence[int], most: int) -> None:
    """Refuse a source that is longer than a model's table of positions."""
    for source, length in zip(sources, lengths, strict=True):
        if length > most:
            raise SequenceError(
                f"the input that begins {source[:_SHOWN]!r} has {length:,} tokens, and the model "
                f"reads {most} at most; split it"
            )


def _read_source(vocabulary: Vocabulary, text: str) -> tuple[list[int], tuple[str, ...]]:
    """The ids of a source without unknown characters, and what of it is unknown."""
    if vocabulary.tokenizer:
        strange = [one.text for one in vocabulary.split_text(text) if not one.is_known]
    else:
        strange = [one for one in split_text(vocabulary, text) if one not in vocabulary]
    ids = [one for one in encode_lines(vocabulary, text) if one != UNKNOWN_ID]
    return ids, tuple(dict.fromkeys(strange))
