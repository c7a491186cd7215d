"""Small models of pairs of every architecture, with a batch for them."""

from __future__ import annotations

from typing import Any

import torch

from sluice.sequence.models import (
    ConvSeq2Seq,
    ConvSeq2SeqConfig,
    PairModel,
    Seq2Seq,
    Seq2SeqConfig,
    TransformerSeq2Seq,
    TransformerSeq2SeqConfig,
)

ARCHITECTURES = ("recurrent", "input feeding", "convs2s", "transformer")
LENGTHS = torch.tensor([6, 2, 4])


def build_small(architecture: str, **changes: Any) -> PairModel:
    """A model in evaluation mode, of 9 source and 9 target tokens."""
    torch.manual_seed(5)
    sizes: dict[str, Any] = {"embedding_size": 8, "num_layers": 2, "dropout": 0.0, **changes}
    if architecture == "convs2s":
        return ConvSeq2Seq(ConvSeq2SeqConfig(9, 9, hidden_size=6, **sizes)).eval()
    if architecture == "transformer":
        return TransformerSeq2Seq(TransformerSeq2SeqConfig(9, 9, **sizes)).eval()
    feeds = architecture == "input feeding"
    return Seq2Seq(Seq2SeqConfig(9, 9, hidden_size=6, input_feeding=feeds, **sizes)).eval()


def make_sources() -> torch.Tensor:
    """Sources of the lengths `LENGTHS`, padded."""
    beyond = torch.arange(6)[:, None] >= LENGTHS
    return torch.randint(3, 9, (6, 3)).masked_fill(beyond, 0)
