"""Text, tunes and MIDI, in the tokens of a language model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sluice.report.domains import (
    NamedSequence,
    TokenDomain,
    find_domain_of_vocabulary,
    get_domains,
)
from sluice.report.model_data.model_data import ModelData
from sluice.sequence import Checkpoint, DataError, TextCodec, Tokens, Vocabulary, load_data
from sluice.sequence.data.formats import find_format, list_files
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.readers.encodings import open_text, scan_text
from sluice.sequence.data.readers.token_encoders import (
    encode_lines,
    encode_tokens,
    find_id_dtype,
    split_text,
    splits_characters,
)
from sluice.sequence.data.targets import Example, NextToken
from sluice.sequence.vocabulary import END, PADDING

TEXT_SOURCE = "the text given"
_STORED = ("per", "encoding", "fallback_encoding")
"""How a model's own text was read."""


class Needed(NamedTuple):
    """How much of the data is needed: a sequence, and steps of any that the model knows."""

    sequence: int
    steps: int


@dataclass(frozen=True)
class OpenText(NextToken):
    """The next token at every step of a text that goes on: the last step has no target."""

    def read(self, index: int, first: int, last: int) -> Example:
        """As `SupervisedSequences.read`."""
        before, after = super().read(index, first, last)
        return before, np.where(after == END, PADDING, after)


def load_token_data(
    checkpoint: Checkpoint, data: str, options: Mapping[str, object], needed: Needed | None = None
) -> ModelData:
    """Read a file or folder for a language model, or a domain's own collection by its name.

    Of a domain no more sequences are read than are needed, if that is given.
    """
    vocabulary, path = checkpoint.vocabulary, Path(data)
    kind = options.get("kind")
    domain = get_domains().get(data) if not path.exists() else None
    if domain is None and kind in (None, "abc"):
        domain = find_domain_of_vocabulary(vocabulary)
    if domain is not None:
        own = data == domain.name
        return _load_domain(domain, vocabulary, None if own else path, data, needed)
    if kind is None:
        is_text = vocabulary.unit != "tokens" or find_format(path).name != "midi"
        kind = "text" if is_text else "midi"
    if kind == "text":
        return _load_text(vocabulary, path, options)
    given = {name: value for name, value in options.items() if name != "kind"}
    loaded = load_data(path, kind=str(kind), **given)
    if not isinstance(loaded, Tokens):
        raise DataError(f"{data} holds no tokens; give {kind} data, as the model was trained on")
    names = loaded.names or [f"sequence {number}" for number in range(len(loaded))]
    sequences = [loaded.vocabulary.decode(ids.tolist()) for ids in loaded.ids]
    return _build(vocabulary, sequences, names, data)


def load_text(checkpoint: Checkpoint, text: str, options: Mapping[str, object]) -> ModelData:
    """A text given in place of data: it goes on, unless training's own sequences are such."""
    vocabulary = checkpoint.vocabulary
    domain = find_domain_of_vocabulary(vocabulary)
    if vocabulary.tokenizer:
        TextCodec(vocabulary).encode(text)  # refuses unknown words, which files may have
    ids = RaggedArray.of([encode_lines(vocabulary, text)], find_id_dtype(vocabulary))
    goes_on = domain is None and options.get("per") != "line"
    return ModelData(
        OpenText(ids) if goes_on else NextToken(ids),
        [TEXT_SOURCE],
        TEXT_SOURCE,
        is_stream=goes_on,
        domain=domain,
        ids=ids,
        read_tokens=lambda _, count: split_text(vocabulary, text)[:count],
    )


def _load_domain(
    domain: TokenDomain,
    vocabulary: Vocabulary,
    path: Path | None,
    data: str,
    needed: Needed | None,
) -> ModelData:
    if path is not None and not path.exists():
        raise DataError(f"There is no file or folder {path}; check the path.")
    read, steps = list[NamedSequence](), 0
    for one in domain.read(path, vocabulary):
        read.append(one)
        steps += (len(one.tokens) + 1) * all(token in vocabulary for token in one.tokens)
        if needed is not None and len(read) > needed.sequence and steps >= needed.steps:
            break
    sequences = [one.tokens for one in read]
    return _build(vocabulary, sequences, [one.name for one in read], data, domain)


def _build(
    vocabulary: Vocabulary,
    sequences: Sequence[Sequence[str]],
    names: Sequence[str],
    source: str,
    domain: TokenDomain | None = None,
) -> ModelData:
    ids = RaggedArray.of(
        [encode_tokens(vocabulary, one) for one in sequences], find_id_dtype(vocabulary)
    )
    return ModelData(
        NextToken(ids),
        names,
        source,
        domain=domain,
        ids=ids,
        read_tokens=lambda index, count: sequences[index][:count],
    )


def _load_text(vocabulary: Vocabulary, path: Path, options: Mapping[str, object]) -> ModelData:
    given = {name: options[name] for name in _STORED if name in options}
    tokens = load_data(path, kind="text", vocabulary=vocabulary, **given)
    assert isinstance(tokens, Tokens)
    per_line = options.get("per") == "line"
    names = tokens.names or [f"line {number}" for number in range(1, len(tokens) + 1)]

    def read_tokens(index: int, count: int) -> list[str]:
        files = list_files(path) if per_line else [Path(names[index])]
        lines = _read_lines(files, options)
        if per_line:
            texts = (line.removesuffix("\n") for line in lines)
            lines = islice((text for text in texts if text), index, index + 1)
        pieces = chain.from_iterable(_split(vocabulary, line) for line in lines)
        return list(islice(pieces, count))

    return ModelData(
        NextToken(tokens.ids),
        names,
        str(path),
        is_stream=not per_line,
        ids=tokens.ids,
        read_tokens=read_tokens,
    )


def _read_lines(files: Sequence[Path], options: Mapping[str, object]) -> Iterator[str]:
    asked, fallback = (
        str(options[name]) if options.get(name) else None
        for name in ("encoding", "fallback_encoding")
    )
    for file in files:
        found = scan_text(file, asked, fallback=fallback)
        with open_text(file, found.encoding) as lines:
            yield from lines


def _split(vocabulary: Vocabulary, text: str) -> Iterable[str]:
    """The tokens of a text as they stand there, for a vocabulary without a tokenizer."""
    return text if splits_characters(vocabulary) else text.split()
