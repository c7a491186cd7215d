"""A file of weights and a file of data, as what a report is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from sluice.report.page import properties
from sluice.report.page.forward import ROWS
from sluice.report.page.inputs import ReportError, ReportInputs
from sluice.sequence import Checkpoint, LanguageModel, UnknownTokenError, Vocabulary
from sluice.sequence.vocabulary import END, PADDING, START
from sluice.tunes.corpus import collections

TUNES = "tunes"
"""The name that stands for the three collections of tunes."""
_MARKS = {PADDING: "⟨padding⟩", START: "⟨start⟩", END: "⟨end⟩"}


@dataclass(frozen=True)
class RawSequences:
    """Data before a vocabulary is known: sequences of tokens, or whole texts."""

    kind: str
    """``"tunes"`` or ``"text"``."""
    sequences: list[tuple[str, ...]]
    names: list[str]
    source: str


def load_inputs(
    path: Path,
    data: str | None = None,
    *,
    text: str | None = None,
    sequence: int = 0,
    stop: int = 0,
) -> ReportInputs:
    """What `sluice.report.look` needs of a file that ``sluice train`` wrote, and data to read.

    Args:
        weights: The file.
        data: A file of ABC (``.abc``), a file of text, a folder of ABC files, or ``"tunes"``.
        text: The text itself, in place of ``data``.
        sequence: Which of the data's sequences comes first; others follow, up to `ROWS` steps.
        stop: Up to which step it is wanted, if that is more.

    Raises:
        LookError: no data, or not one kind of it; an empty text; no such sequence; tokens that the
            model does not know.
        SequenceError, TuneError: the files cannot be read.
    """
    checkpoint = Checkpoint.load(path, kind=LanguageModel)
    if (data is None) == (text is None):
        raise ReportError("give data, a file or 'tunes', or --text, and not both")
    pieces = _wrap_text(text, "the text given") if text is not None else _read_data(str(data))
    return _build_inputs(
        checkpoint, path, _select_sequences(pieces, checkpoint.vocabulary, sequence, stop)
    )


def _select_sequences(
    pieces: RawSequences, vocabulary: Vocabulary, sequence: int, stop: int
) -> RawSequences:
    """The sequence wanted, then others that the model can read, as many as a report reads."""
    count = len(pieces.sequences)
    if not 0 <= sequence < count:
        raise ReportError(f"{pieces.source} has sequences 0 to {count - 1}, and none of {sequence}")
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


def _read_data(data: str) -> RawSequences:
    path = Path(data)
    if data == TUNES or path.is_dir() or path.suffix.lower() == ".abc":
        tunes = collections.load_collections(None if data == TUNES else [path]).tunes
        names = [tune.title or f"tune {k}" for k, tune in enumerate(tunes)]
        return RawSequences("tunes", [tune.tokens for tune in tunes], names, data)
    try:
        return _wrap_text(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError:
        raise ReportError(f"{path} is no text in UTF-8; give text, ABC or 'tunes'") from None


def _wrap_text(text: str, source: str) -> RawSequences:
    if not text:
        raise ReportError(f"{source} is empty, a sequence of length 0; give some text")
    return RawSequences("text", [(text,)], [source], source)


def _tokenize(pieces: RawSequences, number: int, vocabulary: Vocabulary) -> tuple[str, ...]:
    """A text cut as the vocabulary has it: in letters, or in words between blanks."""
    sequence = pieces.sequences[number]
    if pieces.kind == "tunes":
        return sequence
    (text,) = sequence
    return tuple(text if max(map(len, vocabulary.tokens)) == 1 else text.split())


def _build_inputs(checkpoint: Checkpoint, path: Path, pieces: RawSequences) -> ReportInputs:
    vocabulary = checkpoint.vocabulary
    ids = [_encode(vocabulary, pieces, k) for k in range(len(pieces.sequences))]
    inputs = [torch.tensor([START, *one]) for one in ids]
    tokens = [(_MARKS[START], *sequence) for sequence in pieces.sequences]
    is_music = pieces.kind == "tunes" or "K:Cmaj" in vocabulary  # a tune may come as text
    marks, found = (
        (_bar_starts, properties.tune_properties)
        if is_music
        else (_word_starts, properties.text_properties)
    )
    return ReportInputs(
        checkpoint.model,
        inputs,
        [torch.tensor([*one, END]) for one in ids],
        tokens,
        [*_MARKS.values(), *vocabulary.tokens],
        found(tokens),
        [marks(sequence) for sequence in tokens],
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
        where = f" of {pieces.names[number]!r}" if pieces.kind == "tunes" else ""
        raise ReportError(
            f"the model does not know {', '.join(map(repr, strange[:8]))}{more}, first as token "
            f"{place}{where} in {pieces.source}; it knows {len(vocabulary.tokens)} tokens, such as "
            f"{' '.join(map(repr, vocabulary.tokens[:6]))}: leave these out, or train on such data"
        ) from None


def _bar_starts(tokens: Sequence[str]) -> list[int]:
    """Where each bar begins: after a bar line."""
    return [0, *(k + 1 for k, token in enumerate(tokens) if properties.is_bar(token))]


def _word_starts(tokens: Sequence[str]) -> list[int]:
    """Where each word begins: after a blank; every token where tokens are words."""
    if max(map(len, tokens[1:]), default=0) > 1:
        return list(range(len(tokens)))
    return [0, *(k + 1 for k, token in enumerate(tokens) if token.isspace())]


def _list_facts(checkpoint: Checkpoint, path: Path, pieces: RawSequences) -> dict[str, str]:
    model: LanguageModel = checkpoint.model
    facts = {
        "weights": str(path),
        "embedding": f"{model.config.embedding_size} numbers a token",
        "vocabulary": f"{len(checkpoint.vocabulary)} tokens",
        "data": pieces.source,
    }
    if isinstance(checkpoint.figures.get("validation"), float):
        facts["validation"] = f"{checkpoint.figures['validation']:.3f} nats per token"
    return facts
