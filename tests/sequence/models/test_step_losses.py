"""The loss of each step, of every kind of model: against `loss`, and against plain functions."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from sluice.sequence import Batch, Checkpoint, Vocabulary
from sluice.sequence.models import (
    ChoraleConfig,
    ChoraleModel,
    Classifier,
    Forecaster,
    ForecasterConfig,
    LabelsConfig,
    LanguageModel,
    LanguageModelConfig,
    Seq2Seq,
    Seq2SeqConfig,
    SequenceModel,
    Tagger,
)

NAN = math.nan
SIZES = {"hidden_size": 6, "num_layers": 1, "embedding_size": 4, "dropout": 0.0}
VALUES = {"hidden_size": 6, "num_layers": 1, "dropout": 0.0}


def cross_entropy(logits: Tensor, truth: int) -> float:
    """−log softmax, one number at a time."""
    row = logits.tolist()
    top = max(row)
    return math.log(sum(math.exp(value - top) for value in row)) + top - row[truth]


def keys_cross_entropy(logits: Tensor, keys: Tensor) -> float:
    chances = [1 / (1 + math.exp(-value)) for value in logits.tolist()]
    pairs = zip(chances, keys.tolist(), strict=True)
    return -sum(math.log(p) if on else math.log(1 - p) for p, on in pairs)


def language() -> tuple[SequenceModel, Batch, list[list[float]]]:
    model = LanguageModel(LanguageModelConfig(9, **SIZES))  # type: ignore[arg-type]
    batch = Batch(
        torch.tensor([[1, 1], [4, 5], [6, 0]]),
        torch.tensor([[4, 5], [6, 2], [2, 0]]),
        torch.tensor([3, 2]),
    )
    logits = model(batch.inputs)[0]
    found = [
        [cross_entropy(logits[t, b], int(batch.targets[t, b])) for b in (0, 1)] for t in (0, 1)
    ]
    return model, batch, [*found, [cross_entropy(logits[2, 0], 2), 0.0]]


def tagger() -> tuple[SequenceModel, Batch, list[list[float]]]:
    model = Tagger(LabelsConfig(3, features=2, **VALUES))  # type: ignore[arg-type]
    batch = Batch(torch.randn(2, 2, 2), torch.tensor([[1, 0], [3, 2]]))  # 0: no label
    logits = model(batch.inputs)[0]
    first = [cross_entropy(logits[0, 0], 0), 0.0]
    return model, batch, [first, [cross_entropy(logits[1, b], k) for b, k in ((0, 2), (1, 1))]]


def classifier() -> tuple[SequenceModel, Batch, list[float]]:
    model = Classifier(LabelsConfig(3, vocabulary_size=8, **SIZES))  # type: ignore[arg-type]
    batch = Batch(torch.tensor([[3, 4, 5], [5, 6, 6]]), torch.tensor([2, -100, 0]))
    logits = model(batch.inputs)[0]
    return model, batch, [cross_entropy(logits[0], 2), 0.0, cross_entropy(logits[2], 0)]


def forecaster(error: str) -> tuple[SequenceModel, Batch, list[list[float]]]:
    config = ForecasterConfig(2, targets=(1,), horizon=2, error=error, **VALUES)  # type: ignore[arg-type]
    model = Forecaster(config)
    model.mean.copy_(torch.tensor([5.0, -3.0]))
    model.deviation.copy_(torch.tensor([2.0, 0.5]))
    inputs = torch.tensor([[[4.0, -3.0]], [[NAN, -2.0]], [[6.0, NAN]]])
    batch = Batch(inputs, torch.tensor([[[-2.0, -1.0]], [[-1.0, NAN]], [[NAN, NAN]]]))
    forecasts = model(inputs)[0][:, 0].tolist()
    norm = (lambda e: e * e) if error == "squared" else abs
    found = [
        sum(norm((y - f) / 0.5) for f, y in zip(row, true, strict=True) if not math.isnan(y))
        for row, true in zip(forecasts, batch.targets[:, 0].tolist(), strict=True)
    ]
    return model, batch, [[value] for value in found]


def chorale() -> tuple[SequenceModel, Batch, list[list[float]]]:
    model = ChoraleModel(ChoraleConfig(4, **VALUES))  # type: ignore[arg-type]
    keys = (torch.rand(3, 1, 4) < 0.5).float()
    targets = torch.cat((keys[1:], torch.full((1, 1, 4), NAN)))
    logits = model(keys)[0]
    return model, Batch(keys, targets), [
        *([keys_cross_entropy(logits[t, 0], targets[t, 0])] for t in (0, 1)), [0.0],
    ]  # fmt: skip


def pairs() -> tuple[SequenceModel, Batch, list[list[float]]]:
    model = Seq2Seq(Seq2SeqConfig(8, 7, **SIZES))  # type: ignore[arg-type]
    sources, lengths = torch.tensor([[3, 4], [5, 0], [6, 0]]), torch.tensor([3, 1])
    batch = Batch(sources, torch.tensor([[4, 5], [2, 6], [0, 2]]), lengths)
    logits = model(sources, batch.targets, lengths)[0]
    found = [
        [cross_entropy(logits[t, b], k) if (k := int(batch.targets[t, b])) else 0.0 for b in (0, 1)]
        for t in range(3)
    ]
    return model, batch, found


KINDS = {
    "language": language,
    "tagger": tagger,
    "classifier": classifier,
    "forecaster": lambda: forecaster("squared"),
    "forecaster of absolute errors": lambda: forecaster("absolute"),
    "chorale": chorale,
    "pairs": pairs,
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_of_each_step(kind: str) -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        model, batch, expected = KINDS[kind]()  # type: ignore[operator]
        steps = model.step_losses(batch)
        (total, items), _ = model.loss(batch)
    torch.testing.assert_close(steps.losses, torch.tensor(expected), rtol=1e-5, atol=1e-6)
    assert int(steps.items.sum()) == items
    assert float(steps.losses.sum()) == pytest.approx(float(total), rel=1e-6)
    if steps.truth is not None:
        assert ((steps.truth >= 0) == (steps.items > 0)).all()


def test_large_values_lose_no_precision() -> None:
    """A pressure in pascals, of which only the last digits change."""
    torch.manual_seed(0)
    model = Forecaster(ForecasterConfig(1, **VALUES)).eval()  # type: ignore[arg-type]
    model.mean.fill_(101_325.0)
    x = 101_325 + torch.randint(-3, 4, (20, 1, 1)).float()
    exact = model.double().step_losses(Batch(x[:-1].double(), x[1:].double())).losses
    found = model.float().step_losses(Batch(x[:-1], x[1:])).losses
    torch.testing.assert_close(found.double(), exact, rtol=1e-4, atol=1e-4)


def test_units() -> None:
    torch.manual_seed(0)
    letters = Vocabulary(tuple("abcdef"), "characters")
    model = LanguageModel(LanguageModelConfig(9, **SIZES))  # type: ignore[arg-type]
    assert Checkpoint(model, letters).loss_unit == "nats per character"
    assert Checkpoint(model, replace(letters, unit="tokens")).loss_unit == "nats per token"
    units = {kind: make()[0].loss_unit for kind, make in KINDS.items()}  # type: ignore[operator]
    assert units["forecaster of absolute errors"] == "absolute error, in deviations"
    assert units["chorale"] == "nats per step" and units["tagger"] == "nats per label"
