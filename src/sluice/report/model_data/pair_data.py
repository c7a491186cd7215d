"""Texts with labels in a file, for models that map tokens to labels.

A line is a pair: the source, a tab, and its label; the labels of a `Tagger` stand with blanks
between them. A file without any tab has sources only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sluice.files import StrPath, StrPaths
from sluice.report.model_data.model_data import ModelData
from sluice.report.model_data.translation_data import (
    encode_sources,
    load_pair_texts,
    name_lines,
    read_unpacked,
)
from sluice.sequence import Checkpoint, DataError
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.readers.label_texts import read_label_texts
from sluice.sequence.data.readers.pair_texts import PairTexts, TextPair
from sluice.sequence.data.readers.token_encoders import find_id_dtype, split_text
from sluice.sequence.data.targets import (
    IGNORE_INDEX,
    SequenceLabels,
    StepLabels,
    SupervisedSequences,
)
from sluice.sequence.models import Classifier


def load_labelled_texts(
    checkpoint: Checkpoint, data: StrPath, options: Mapping[str, object]
) -> PairTexts:
    """The texts of a file or folder and their labels, if it has any, read as in training.

    Raises:
        DataError: a file that cannot be read, or lacks the column of texts.
    """
    if options.get("kind") != "labels":
        return load_pair_texts(data, options)
    columns, encoding = options.get("columns"), options.get("encoding")
    header = {"yes": True, "no": False}.get(str(options.get("header")))

    def read(files: StrPaths) -> PairTexts:
        return read_label_texts(
            files,
            columns=columns if isinstance(columns, list | tuple) else None,
            header=header,
            encoding=encoding if isinstance(encoding, str) else None,
            whole=options.get("per") == "file",
            labels=checkpoint.labels,
        )

    return read_unpacked(data, read)


def build_labelled_texts(
    checkpoint: Checkpoint,
    texts: PairTexts,
    data: str,
    *,
    unknown_labels: bool = False,
) -> ModelData:
    """Texts for a `Classifier` or `Tagger` of tokens.

    With `unknown_labels`, labels that the model does not have are left out.

    Raises:
        DataError: a label that the model does not have, or not one for every token; a source
            without a token.
    """
    vocabulary, pairs = checkpoint.vocabulary, texts.pairs
    sources = encode_sources(vocabulary, pairs)
    ids = RaggedArray.of(sources, find_id_dtype(vocabulary))
    labels = _LabelNumbers(checkpoint.labels, leaves_out=unknown_labels)
    sequences = _label(checkpoint, pairs, ids, labels)
    return ModelData(
        sequences,
        name_lines(pairs, data),
        data,
        has_targets=texts.have_targets,
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
