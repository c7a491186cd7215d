"""Pairs of texts in a file, for models that map tokens to other tokens or to labels.

A line is a pair: the source, a tab, and the target; the labels of a `Tagger` stand with blanks
between them. A file without any tab has sources only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from sluice.report.model_data.model_data import ModelData, PairSequences
from sluice.sequence import Checkpoint, DataError, Vocabulary
from sluice.sequence.data.formats import list_files
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.readers.encodings import open_text, scan_text
from sluice.sequence.data.readers.token_encoders import encode_lines, find_id_dtype, split_text
from sluice.sequence.data.targets import (
    IGNORE_INDEX,
    SequenceLabels,
    StepLabels,
    SupervisedSequences,
)
from sluice.sequence.models import Classifier, Seq2Seq, decode

MAX_OUTPUT = 200
"""Tokens of an output that the model itself gives."""


@dataclass(frozen=True)
class TextPair:
    """A source and its target, None where there is none; `place` says where they stand."""

    source: str
    target: str | None
    place: str


def read_pairs(data: str) -> list[TextPair]:
    """The pairs of a file or of all files of a folder; empty lines are skipped.

    Raises:
        DataError: a line with two tabs, with an empty source, or without a target where others have
            one; no line at all; a file that is no text.
    """
    pairs = []
    for file in list_files(Path(data)):
        with open_text(file, scan_text(file).encoding) as lines:
            for number, line in enumerate(lines, 1):
                text = line.removesuffix("\n")
                if text.strip():
                    pairs.append(_parse_line(text, f"{file}:{number}"))
    if not pairs:
        raise DataError(f"{data} has no line that is not empty; give pairs, one a line")
    lone = next((pair for pair in pairs if pair.target is None), None)
    if lone is not None and any(pair.target is not None for pair in pairs):
        raise DataError(f"{lone.place}: expected a source, a tab and a target, got no tab")
    return pairs


def _parse_line(text: str, place: str) -> TextPair:
    source, *rest = text.split("\t")
    if len(rest) > 1 or not source.strip():
        found = f"{len(rest)} tabs" if len(rest) > 1 else "an empty source"
        raise DataError(f"{place}: expected a source, a tab and a target, got {found}")
    return TextPair(source, rest[0] if rest else None, place)


def build_pair_data(
    checkpoint: Checkpoint,
    pairs: Sequence[TextPair],
    data: str,
    *,
    unknown_labels: bool = False,
) -> ModelData:
    """Pairs for a `Seq2Seq`, or for a `Classifier` or `Tagger` of tokens.

    The target of a single source without one is the model's own greedy output. With
    `unknown_labels`, labels that the model does not have are left out.

    Raises:
        DataError: a label that the model does not have, or not one for every token; a source
            without a token.
    """
    vocabulary, model = checkpoint.vocabulary, checkpoint.model
    sources = [encode_lines(vocabulary, pair.source) for pair in pairs]
    empty = next((p for p, ids in zip(pairs, sources, strict=True) if not ids), None)
    if empty is not None:
        raise DataError(f"{empty.place}: the source has no token; give one")
    has_targets = pairs[0].target is not None
    names = [pair.place.removeprefix(f"{data}:") for pair in pairs]
    names = [f"line {name}" if name.isdigit() else name for name in names]
    if isinstance(model, Seq2Seq):
        return _build_translation(checkpoint, pairs, sources, names, data)
    ids = RaggedArray.of(sources, find_id_dtype(vocabulary))
    labels = _LabelNumbers(checkpoint.labels, leaves_out=unknown_labels)
    sequences = _label(checkpoint, pairs, ids, labels)
    return ModelData(
        sequences,
        names,
        data,
        has_targets=has_targets,
        note=labels.describe_unknown(),
        ids=ids,
        read_tokens=lambda index, count: split_text(vocabulary, pairs[index].source)[:count],
    )


@dataclass
class _LabelNumbers:
    """The numbers of a model's labels from 0; None for one that is left out."""

    labels: tuple[str, ...]
    leaves_out: bool
    unknown: dict[str, int] = field(default_factory=dict)

    def find(self, label: str, place: str) -> int | None:
        if label in self.labels:
            return self.labels.index(label)
        if not self.leaves_out:
            raise DataError(
                f"{place}: the label {label!r} is not among the model's, {', '.join(self.labels)}; "
                "give data with these"
            )
        self.unknown[label] = self.unknown.get(label, 0) + 1
        return None

    def describe_unknown(self) -> str:
        """A sentence on the labels that were left out; empty without any."""
        if not self.unknown:
            return ""
        number, names = sum(self.unknown.values()), ", ".join(list(self.unknown)[:8])
        return f"{number:,} labels that the model does not know are not compared: {names}."


def _label(
    checkpoint: Checkpoint, pairs: Sequence[TextPair], ids: RaggedArray, labels: _LabelNumbers
) -> SupervisedSequences:
    if isinstance(checkpoint.model, Classifier):
        found = [(pair.target or "").strip() for pair in pairs]
        numbers = [
            labels.find(label, pair.place) if label else None
            for label, pair in zip(found, pairs, strict=True)
        ]
        return SequenceLabels(ids, [IGNORE_INDEX if one is None else one for one in numbers])
    steps = []
    for pair, tokens in zip(pairs, ids, strict=True):
        names = [] if pair.target is None else pair.target.split()
        if pair.target is not None and len(names) != len(tokens):
            raise DataError(
                f"{pair.place}: expected a label for each of {len(tokens)} tokens, got {len(names)}"
            )
        places = [labels.find(name, pair.place) for name in names]
        steps.append([0 if one is None else one + 1 for one in places] or [0] * len(tokens))
    return StepLabels(ids, RaggedArray.of(steps))


def _build_translation(
    checkpoint: Checkpoint,
    pairs: Sequence[TextPair],
    sources: list[list[int]],
    names: list[str],
    data: str,
) -> ModelData:
    vocabulary, output = checkpoint.vocabulary, checkpoint.target_vocabulary
    assert output is not None
    note, is_complete = "", True
    if pairs[0].target is not None:
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
        names,
        data,
        ids=ids,
        read_tokens=read_tokens,
        note=note,
    )


def _split(vocabulary: Vocabulary, text: str, count: int) -> list[str]:
    """The tokens of a text as they stand there; those of a tokenizer are all known."""
    return [""] * count if vocabulary.tokenizer else split_text(vocabulary, text)
