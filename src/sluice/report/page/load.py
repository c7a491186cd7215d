"""A model file and a data file, read as the inputs of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from sluice.files import StrPath
from sluice.report.domains import (
    TokenDomain,
    describe_readable_data,
    find_domain_of_path,
    find_domain_of_vocabulary,
    get_domains,
)
from sluice.report.page.forward import ROWS
from sluice.report.page.inputs import ReportError, ReportInputs
from sluice.report.properties import text_properties
from sluice.sequence import Checkpoint, LanguageModel, UnknownTokenError, Vocabulary
from sluice.sequence.vocabulary import END, PADDING, START

_MARKS = {PADDING: "⟨padding⟩", START: "⟨start⟩", END: "⟨end⟩"}


@dataclass(frozen=True)
class RawSequences:
    """Data before the vocabulary is known: sequences of tokens, or whole texts.

    Attributes:
        domain: the domain of the tokens; None for text, of which a sequence has one string.
        sequences: tokens, or one string.
        names: what each sequence is called.
        source: where they come from, for messages.
    """

    domain: TokenDomain | None
    sequences: list[tuple[str, ...]]
    names: list[str]
    source: str


def load_inputs(
    path: StrPath,
    data: StrPath | None = None,
    *,
    text: str | None = None,
    sequence: int = 0,
    stop: int = 0,
) -> ReportInputs:
    """The inputs of a report: a model that ``sluice train`` wrote, and data for it.

    Args:
        path: The model file.
        data: A text file; a file or folder of a domain (`sluice.report.domains`), such as ABC;
            or a domain's name, for its own collection.
        text: The text itself, in place of ``data``.
        sequence: Which of the data's sequences comes first; others follow, up to `ROWS` steps.
        stop: Up to which step it is needed, if that is more.

    Raises:
        ReportError: no data, or both data and text; an empty text; no such sequence; tokens that
            the model does not know; a folder without known files.
        SequenceError: the model file cannot be read.
        ValueError: the domain cannot read the data.
    """
    checkpoint = Checkpoint.load(path, kind=LanguageModel)
    if (data is None) == (text is None):
        raise ReportError(f"give data ({describe_readable_data()}) or text (--text), not both")
    if text is not None:
        pieces = _wrap_text(text, "the text given")
    else:
        pieces = _read_data(str(data), checkpoint.vocabulary)
    return _build_inputs(
        checkpoint, path, _select_sequences(pieces, checkpoint.vocabulary, sequence, stop)
    )


def _select_sequences(
    pieces: RawSequences, vocabulary: Vocabulary, sequence: int, stop: int
) -> RawSequences:
    """The sequence wanted, then others that the model can read, as many as a report reads."""
    count = len(pieces.sequences)
    if not 0 <= sequence < count:
        raise ReportError(
            f"sequence must be from 0 to {count - 1} for {pieces.source}, got {sequence}"
        )
    kept, names, left = list[tuple[str, ...]](), list[str](), max(ROWS, stop)
    for k in sorted(range(count), key=lambda k: k != sequence):
        tokens = _tokenize(pieces, k, vocabulary)[:left]
        if k == sequence or all(token in vocabulary for token in tokens):
            kept.append(tokens)
            names.append(pieces.names[k])
            left -= len(tokens)
        if left <= 0:
            break
    return replace(pieces, sequences=kept, names=names)


def _read_data(data: str, vocabulary: Vocabulary) -> RawSequences:
    path = Path(data)
    domain = get_domains().get(data) or find_domain_of_path(path)
    if domain is not None:
        named = domain.read(None if data == domain.name else path, vocabulary)
        return RawSequences(
            domain, [one.tokens for one in named], [one.name for one in named], data
        )
    if path.is_dir():
        raise ReportError(
            f"the folder {path} holds no files of a known kind; give {describe_readable_data()}"
        )
    try:
        return _wrap_text(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError:
        raise ReportError(f"{path} is not text in UTF-8; give {describe_readable_data()}") from None


def _wrap_text(text: str, source: str) -> RawSequences:
    if not text:
        raise ReportError(f"{source} is empty, a sequence of length 0; give some text")
    return RawSequences(None, [(text,)], [source], source)


def _tokenize(pieces: RawSequences, number: int, vocabulary: Vocabulary) -> tuple[str, ...]:
    """A text split as in the vocabulary: into characters, or into words at white space."""
    sequence = pieces.sequences[number]
    if pieces.domain is not None:
        return sequence
    (text,) = sequence
    return tuple(text if max(map(len, vocabulary.tokens)) == 1 else text.split())


def _build_inputs(checkpoint: Checkpoint, path: StrPath, pieces: RawSequences) -> ReportInputs:
    vocabulary = checkpoint.vocabulary
    ids = [_encode(vocabulary, pieces, k) for k in range(len(pieces.sequences))]
    inputs = [torch.tensor([START, *one]) for one in ids]
    tokens = [(_MARKS[START], *sequence) for sequence in pieces.sequences]
    # Tokens of a domain may be given as text.
    domain = pieces.domain or find_domain_of_vocabulary(vocabulary)
    find_properties = domain.compute_properties if domain else text_properties
    find_span_starts = domain.find_span_starts if domain else _word_starts
    return ReportInputs(
        checkpoint.model,
        inputs,
        [torch.tensor([*one, END]) for one in ids],
        tokens,
        [*_MARKS.values(), *vocabulary.tokens],
        find_properties(tokens),
        [find_span_starts(sequence) for sequence in tokens],
        pieces.names,
        _list_facts(checkpoint, path, pieces),
    )


def _encode(vocabulary: Vocabulary, pieces: RawSequences, number: int) -> list[int]:
    sequence = pieces.sequences[number]
    try:
        return vocabulary.encode(sequence)
    except UnknownTokenError:
        strange = list(dict.fromkeys(token for token in sequence if token not in vocabulary))
        more = f" and {len(strange) - 8} more" if len(strange) > 8 else ""
        place = next(k for k, token in enumerate(sequence) if token in strange)
        where = f" of {pieces.names[number]!r}" if pieces.domain else ""
        raise ReportError(
            f"the model does not know {', '.join(map(repr, strange[:8]))}{more}, first as token "
            f"{place}{where} in {pieces.source}; it knows {len(vocabulary.tokens)} tokens, such as "
            f"{' '.join(map(repr, vocabulary.tokens[:6]))}: leave these out, or train on such data"
        ) from None


def _word_starts(tokens: Sequence[str]) -> list[int]:
    """Where each word begins: after a blank; every token where tokens are words."""
    if max(map(len, tokens[1:]), default=0) > 1:
        return list(range(len(tokens)))
    return [0, *(k + 1 for k, token in enumerate(tokens) if token.isspace())]


def _list_facts(checkpoint: Checkpoint, path: StrPath, pieces: RawSequences) -> dict[str, str]:
    model: LanguageModel = checkpoint.model
    facts = {
        "weights": str(path),
        "embedding": f"{model.config.embedding_size} numbers a token",
        "vocabulary": f"{len(checkpoint.vocabulary)} tokens",
        "data": pieces.source,
    }
    if isinstance(checkpoint.metadata.get("validation"), float):
        facts["validation"] = f"{checkpoint.metadata['validation']:.3f} nats per token"
    return facts
