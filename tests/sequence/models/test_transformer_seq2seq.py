"""The transformer beside torch's own decoder and encoder."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from sequence.models.pair_models import LENGTHS, build_small, make_sources
from sluice.sequence import SequenceError
from sluice.sequence.models import TransformerSeq2Seq, TransformerSeq2SeqConfig
from sluice.sequence.models.transformer_seq2seq import make_positions


def test_it_is_torchs_encoder_and_decoder() -> None:
    model = build_small("transformer")
    assert isinstance(model, TransformerSeq2Seq)
    sources, targets = make_sources(), torch.randint(2, 9, (5, 3))
    logits, weights = model(sources, targets, LENGTHS)
    beyond = torch.arange(6) >= LENGTHS[:, None]
    x = model.embedding(sources) * math.sqrt(8) + make_positions(6, 8).float()[:, None]
    for layer in model.encoder:
        x = layer(x, src_key_padding_mask=beyond)
    memory = model.encoder_norm(x)
    before = torch.cat((torch.ones(1, 3, dtype=torch.int64), targets[:-1]))
    x = model.target_embedding(before) * math.sqrt(8) + make_positions(5, 8).float()[:, None]
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    for layer in model.decoder:
        read = x + layer.self_attn(*[layer.norm1(x)] * 3, attn_mask=mask)[0]
        x = layer(x, memory, tgt_mask=mask, memory_key_padding_mask=beyond)
    torch.testing.assert_close(logits, model.readout(model.decoder_norm(x)))
    _, expected = layer.multihead_attn(
        layer.norm2(read), memory, memory, key_padding_mask=beyond, average_attn_weights=True
    )
    torch.testing.assert_close(weights.transpose(0, 1), expected)


def test_positions_are_sines_and_cosines() -> None:
    found = make_positions(3, 6, first=4)
    for row, place in enumerate((4, 5, 6)):
        for i in range(3):
            angle = place / 10000 ** (2 * i / 6)
            assert found[row, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-12)
            assert found[row, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-12)


def test_heads_divide_the_width() -> None:
    with pytest.raises(SequenceError, match="multiple of its 4 heads, got 30"):
        TransformerSeq2SeqConfig(9, 9, embedding_size=30)
