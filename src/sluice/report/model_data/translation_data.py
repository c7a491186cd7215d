"""Sources and targets in a file, for a model of pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from sluice.files import StrPath, StrPaths
from sluice.report.model_data.model_data import ModelData, PairSequences
from sluice.sequence import Checkpoint, DataError, Vocabulary
from sluice.sequence.data.formats import list_files
from sluice.sequence.data.readers.pair_texts import (
    PairTexts,
    TextPair,
    read_pair_texts,
    read_parallel_texts,
)
from sluice.sequence.data.readers.token_encoders import encode_lines, split_text
from sluice.sequence.data.spooling import open_spool
from sluice.sequence.models import decode
from sluice.sequence.pair_outputs import MAX_OUTPUT

_OPTIONS = ("columns", "header", "encoding")


def load_pair_texts(data: StrPath, options: Mapping[str, object]) -> PairTexts:
    """The texts of pairs in a file or folder, read as a training read its own.

    Raises:
        DataError: as `read_pair_texts`; a line that is no pair.
    """
    chosen = select_pair_options(options)
    return read_unpacked(data, lambda files: read_pair_texts(files, **chosen))


def read_unpacked(
    data: StrPath, read: Callable[[StrPaths], PairTexts], *, strict: bool = True
) -> PairTexts:
    """The texts of a file or folder, in which some may be compressed.

    Raises:
        DataError: as `read`; a line that was skipped, if `strict`.
    """
    with open_spool() as spool:
        texts = read([spool.add(file) for file in list_files(data)])
        if strict and texts.skipped_items:
            raise DataError(str(texts.skipped_items[0]))
        texts.pairs[:] = [replace(pair, file=spool.rename(pair.file)) for pair in texts.pairs]
    return texts


def read_unpacked_sides(
    sources: StrPath, targets: StrPath, encoding: str | None = None
) -> PairTexts:
    """As `read_unpacked`, of two files whose lines belong together."""
    with open_spool() as spool:
        texts = read_parallel_texts(
            spool.add(Path(sources)), spool.add(Path(targets)), encoding=encoding
        )
        texts.pairs[:] = [replace(pair, file=spool.rename(pair.file)) for pair in texts.pairs]
    return texts


def select_pair_options(options: Mapping[str, object]) -> dict[str, Any]:
    """Of a training's options of reading, those that other files of pairs need too."""
    return {name: options[name] for name in _OPTIONS if name in options}


def build_translations(checkpoint: Checkpoint, texts: PairTexts, data: str) -> ModelData:
    """Pairs for a model of them; the target of a single source is the model's own greedy output.

    Raises:
        DataError: several sources without targets, or a source without a token.
    """
    vocabulary, output, pairs = checkpoint.vocabulary, checkpoint.target_vocabulary, texts.pairs
    assert output is not None
    sources = encode_sources(vocabulary, pairs)
    note, is_complete = "", True
    if texts.have_targets:
        targets = [encode_lines(output, pair.target or "") for pair in pairs]
    elif len(pairs) == 1:
        (own,) = decode(checkpoint.model, torch.tensor(sources[0])[:, None], max_length=MAX_OUTPUT)
        targets, is_complete = [own.ids], own.is_complete
        cut = "" if is_complete else f", which did not end within {MAX_OUTPUT} tokens"
        note = f"the target is the model's own greedy output{cut}"
    else:
        raise DataError(f"{pairs[0].place}: expected a source, a tab and a target, got no tab")

    def read_tokens(index: int, count: int) -> list[str]:
        pair = pairs[index]
        source = _split(vocabulary, pair.source, len(sources[index]))
        return [*source, *_split(output, pair.target or "", len(targets[index]))][:count]

    ids = [[*source, *target] for source, target in zip(sources, targets, strict=True)]
    return ModelData(
        PairSequences(sources, targets, is_complete),
        name_lines(pairs, data),
        data,
        ids=ids,
        read_tokens=read_tokens,
        note=note,
    )


def encode_sources(vocabulary: Vocabulary, pairs: Sequence[TextPair]) -> list[list[int]]:
    """The ids of sources.

    Raises:
        DataError: a source without a token.
    """
    sources = [encode_lines(vocabulary, pair.source) for pair in pairs]
    empty = next((p for p, ids in zip(pairs, sources, strict=True) if not ids), None)
    if empty is not None:
        raise DataError(f"{empty.place}: the source has no token; give one")
    return sources


def name_lines(pairs: Sequence[TextPair], data: str) -> list[str]:
    """What pairs of a file or folder are called: their lines."""
    names = [pair.place.removeprefix(f"{data}:") for pair in pairs]
    return [f"line {name}" if name.isdigit() else name for name in names]


def _split(vocabulary: Vocabulary, text: str, count: int) -> list[str]:
    """The tokens of a text as they stand there; those of a tokenizer are all known."""
    return [""] * count if vocabulary.tokenizer else split_text(vocabulary, text)
