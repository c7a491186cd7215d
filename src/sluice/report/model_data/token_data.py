"""Text, tunes and MIDI, in the tokens of a language model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path

from sluice.report.domains import TokenDomain, find_domain_of_vocabulary, get_domains
from sluice.report.model_data.model_data import ModelData
from sluice.sequence import Checkpoint, DataError, Tokens, Vocabulary, load_data
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
from sluice.sequence.data.targets import NextToken

TEXT_SOURCE = "the text given"


def load_token_data(checkpoint: Checkpoint, data: str, options: Mapping[str, object]) -> ModelData:
    """Read a file or folder for a language model, or a domain's own collection by its name."""
    vocabulary, path = checkpoint.vocabulary, Path(data)
    kind = options.get("kind")
    domain = get_domains().get(data) if not path.exists() else None
    if domain is None and kind in (None, "abc"):
        domain = find_domain_of_vocabulary(vocabulary)
    if domain is not None:
        return _load_domain(domain, vocabulary, None if data == domain.name else path, data)
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
    """A text given in place of data: it ends only where training's own sequences end so."""
    vocabulary = checkpoint.vocabulary
    domain = find_domain_of_vocabulary(vocabulary)
    ids = RaggedArray.of([encode_lines(vocabulary, text)], find_id_dtype(vocabulary))
    return ModelData(
        NextToken(ids),
        [TEXT_SOURCE],
        TEXT_SOURCE,
        is_stream=domain is None and options.get("per") != "line",
        domain=domain,
        ids=ids,
        read_tokens=lambda _, count: split_text(vocabulary, text)[:count],
    )


def _load_domain(
    domain: TokenDomain, vocabulary: Vocabulary, path: Path | None, data: str
) -> ModelData:
    if path is not None and not path.exists():
        raise DataError(f"There is no file or folder {path}; check the path.")
    read = domain.read(path, vocabulary)
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
    given = {name: options[name] for name in ("per", "encoding") if name in options}
    tokens = load_data(path, kind="text", vocabulary=vocabulary, **given)
    assert isinstance(tokens, Tokens)
    per_line = options.get("per") == "line"
    names = tokens.names or [f"line {number}" for number in range(1, len(tokens) + 1)]

    def read_tokens(index: int, count: int) -> list[str]:
        files = list_files(path) if per_line else [Path(names[index])]
        lines = _read_lines(files, options.get("encoding"))
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


def _read_lines(files: Sequence[Path], encoding: object) -> Iterator[str]:
    for file in files:
        found = scan_text(file, encoding if isinstance(encoding, str) else None)
        with open_text(file, found.encoding) as lines:
            yield from lines


def _split(vocabulary: Vocabulary, text: str) -> Iterable[str]:
    """The tokens of a text as they stand there, for a vocabulary without a tokenizer."""
    return text if splits_characters(vocabulary) else text.split()
