"""What an ablated model generates, and its loss by torch alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sluice.report.ablation import ablate
from sluice.report.generation_samples import generate_continuations
from sluice.sequence import (
    Batch,
    Checkpoint,
    LanguageModel,
    LanguageModelConfig,
    Sampling,
    Vocabulary,
    generate,
)


def checkpoint(tokens: str | tuple[str, ...], cell: str = "lstm") -> Checkpoint:
    vocabulary = Vocabulary(tuple(tokens))
    config = LanguageModelConfig(len(vocabulary), cell, embedding_size=6, hidden_size=8)  # type: ignore[arg-type]
    return Checkpoint(LanguageModel(config).eval(), vocabulary, {})


def loss_by_torch(model: LanguageModel, ids: list[int], has_ended: bool) -> float:
    """On torch's own layers with the same weights."""
    layer = torch.nn.LSTM(6, 8, 2)
    layer.load_state_dict(model.layers.state_dict())
    inputs, targets = [1, *ids][: len(ids) + has_ended], [*ids, 2][: len(ids) + has_ended]
    with torch.no_grad():
        logits: Tensor = model.readout(layer(model.embedding(torch.tensor(inputs)))[0])
        return float(torch.nn.functional.cross_entropy(logits, torch.tensor(targets)))


def test_samples_of_an_ablated_model() -> None:
    unchanged = checkpoint("abcdefgh")
    with torch.no_grad():
        unchanged.model.readout.bias[2] = -2.0  # an end is rare
    ids, targets = torch.tensor([[1, 3, 4, 5, 6, 7]]).T, torch.tensor([[3, 4, 5, 6, 7, 2]]).T

    def loss() -> float:
        return float(unchanged.model.loss(Batch(ids, targets))[0].total)

    found = ablate(unchanged.model, loss, group=8)
    cuts = {str(effect.intervention): effect.intervention for effect in found.effects}
    shut, still = cuts["layers.l1 output shut"], cuts["layers.l1 units 0–7"]
    whole, first, second = generate_continuations(unchanged, [shut, still], seed=3, length=50)
    (made,) = generate(unchanged.model, [3], sampling=Sampling(max_length=50))
    assert whole.tokens == unchanged.vocabulary.decode(made)
    assert (whole.label, whole.differs) == ("whole", None)
    expected = loss_by_torch(unchanged.model, made, len(made) < 50)
    assert whole.loss == pytest.approx(expected, rel=1e-5)
    (short,) = generate_continuations(unchanged, [], seed=3, length=4)  # cut off: it has no end
    assert short.loss == pytest.approx(loss_by_torch(unchanged.model, made[:4], False), rel=1e-5)
    # Both remove the last layer's output: only the readout's bias is left.
    assert first.tokens == second.tokens != whole.tokens
    bias, drawn = unchanged.model.readout.bias.detach().double(), []
    uniforms = torch.rand(50, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    shares = bias.clone()
    shares[:2] = -torch.inf  # padding and start are not drawn
    for uniform in uniforms:
        drawn.append(int((shares.softmax(0).cumsum(0) <= uniform).sum()))
        if drawn[-1] == 2:
            break
    assert first.tokens == unchanged.vocabulary.decode(drawn)
    both = zip(whole.tokens, first.tokens, strict=False)
    assert first.differs == next(place for place, (a, b) in enumerate(both) if a != b)
