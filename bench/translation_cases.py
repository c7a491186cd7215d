"""What `bench/translation.py` compares: models, their settings, and the sentences."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluice.sequence import PairBatches, Vocabulary
from sluice.sequence.data.readers.token_encoders import make_encoder
from sluice.sequence.data.readers.tokenizers import extract_vocabulary, train_tokenizer
from sluice.sequence.models import (
    ConvSeq2Seq,
    ConvSeq2SeqConfig,
    PairModel,
    Seq2Seq,
    Seq2SeqConfig,
    TransformerSeq2Seq,
    TransformerSeq2SeqConfig,
)

SUBWORDS = 6_000
_ONE_MATRIX: dict[str, Any] = {"tied": True, "joint": True, "label_smoothing": 0.1}
_PARTS = ("train", "val", "test_2016_flickr")


@dataclass(frozen=True)
class Case:
    """A model and how it is trained; all but the sizes were tuned for it alone."""

    title: str
    build: Callable[[int], PairModel]
    training: dict[str, Any]
    batch_size: int = 64


@dataclass(frozen=True)
class Sentences:
    """The parts of a collection: texts of both sides, and their ids in one vocabulary."""

    vocabulary: Vocabulary
    texts: dict[str, tuple[list[str], list[str]]]
    ids: dict[str, tuple[list[Any], list[Any]]] = field(default_factory=dict)

    def batches(self, part: str, batch_size: int) -> PairBatches:
        """Batches of a part, always in the same order."""
        return PairBatches(*self.ids[part], batch_size, seed=0)


def _recurrent(size: int, **changes: Any) -> PairModel:
    sizes = {"embedding_size": 256, "hidden_size": 384, "num_layers": 1}
    rates = {"dropout": 0.4, "embedding_dropout": 0.3}
    return Seq2Seq(Seq2SeqConfig(size, size, **sizes, **rates, **_ONE_MATRIX, **changes))


def _convolutional(size: int) -> PairModel:
    sizes = {"embedding_size": 256, "hidden_size": 256, "num_layers": 4, "kernel_width": 3}
    return ConvSeq2Seq(ConvSeq2SeqConfig(size, size, **sizes, dropout=0.25, **_ONE_MATRIX))


def _transformer(size: int) -> PairModel:
    sizes = {"embedding_size": 256, "num_layers": 2, "num_heads": 4}
    config = TransformerSeq2SeqConfig(size, size, **sizes, dropout=0.25, **_ONE_MATRIX)
    return TransformerSeq2Seq(config)


CASES = {
    "lstm": Case("LSTM with attention", _recurrent, {"learning_rate": 2e-3}),
    "lstm-feeding": Case(
        "LSTM with attention and input feeding",
        lambda size: _recurrent(size, input_feeding=True),
        {"learning_rate": 2e-3},
    ),
    "convs2s": Case("ConvS2S", _convolutional, {"learning_rate": 1e-3}),
    "transformer": Case("transformer, for comparison", _transformer, {"learning_rate": 1e-3}),
}


def read_sentences(folder: Path) -> Sentences:
    """Multi30k's raw files in a folder, gzip or plain: `train.de`, `train.en` and so on."""
    texts = {
        part: (_read_lines(folder, f"{part}.de"), _read_lines(folder, f"{part}.en"))
        for part in _PARTS
    }
    german, english = texts["train"]
    vocabulary = extract_vocabulary(
        train_tokenizer([*german, *english], "subwords", SUBWORDS), "subwords"
    )
    encode = make_encoder(vocabulary)
    ids = {
        part: ([encode(one) for one in source], [encode(one) for one in target])
        for part, (source, target) in texts.items()
    }
    return Sentences(vocabulary, texts, ids)


def _read_lines(folder: Path, name: str) -> list[str]:
    packed = folder / f"{name}.gz"
    if packed.exists():
        text = gzip.decompress(packed.read_bytes()).decode("utf-8")
    else:
        text = (folder / name).read_text(encoding="utf-8")
    return [line.strip() for line in text.removesuffix("\n").split("\n")]
