"""Models and data for the reports under test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

import sluice
from sluice.sequence import Checkpoint, LanguageModel, LanguageModelConfig, Vocabulary

TEXT = "the (cat) sat.\non a mat\n" * 6


class Reader(nn.Module):
    """Ids in, logits out, as ``(time, batch, classes)``; the layer is torch's or ours."""

    def __init__(self, layer: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, 6)
        self.layer = layer
        self.readout = nn.Linear(width, classes)

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.readout(self.layer(self.embedding(ids))[0])
        return logits


def language_model(vocabulary: Vocabulary, cell: str = "lstm", hidden: int = 12) -> LanguageModel:
    config = LanguageModelConfig(
        len(vocabulary),
        cell=cell,
        embedding_size=6,
        hidden_size=hidden,
        num_layers=2,  # type: ignore[arg-type]
    )
    return LanguageModel(config)


def save_checkpoint(folder: Path, sequences: Sequence[Sequence[str]]) -> Path:
    """A file of untrained weights that know the tokens of ``sequences``."""
    vocabulary = Vocabulary.of(sequences)
    path = folder / "weights.safetensors"
    Checkpoint(language_model(vocabulary), vocabulary, {"validation": 1.25}).save(path)
    return path


def lstm(width: int = 9) -> Reader:
    return Reader(sluice.nn.LSTM(6, width), width, 5)
