import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from sluice.sequence import (
    BucketBatches,
    Checkpoint,
    CheckpointError,
    LanguageModel,
    LanguageModelConfig,
    TrainingConfig,
    Vocabulary,
    grow_vocabulary,
    train,
)
from sluice.sequence.models.labels import Classifier, LabelsConfig

KNOWN = ("d", "a", "c", "b")
NEW = ["z", "b", "x", "z"]
"""Two new tokens, one of them twice, and a known one."""


def make_checkpoint(**changes: Any) -> Checkpoint:
    torch.manual_seed(5)
    sizes = {"embedding_size": 6, "hidden_size": 6, "num_layers": 2, "dropout": 0.0}
    config = LanguageModelConfig(**{"vocabulary_size": 7, **sizes, **changes})
    model = LanguageModel(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return Checkpoint(model.eval(), Vocabulary(KNOWN), {"loss": 2.0})


def compute_logits_one_by_one(model: LanguageModel, ids: list[int]) -> list[list[float]]:
    """Of the last step's output, a dot product for each token, in a plain loop."""
    tied = model.config.tied
    with torch.inference_mode():
        state, found = None, []
        for number in ids:
            output, state = model.layers(model.embedding.weight[[number]][None], state)
            weights = (model.embedding if tied else model.readout).weight.tolist()
            (hidden,) = output[0].tolist()
            found.append(
                [
                    sum(w * h for w, h in zip(row, hidden, strict=True)) + bias
                    for row, bias in zip(weights, model.readout.bias.tolist(), strict=True)
                ]
            )
    return found


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru", "mgu"])
def test_known_tokens_keep_their_logits_and_new_ones_have_the_mean(tied: bool, cell: str) -> None:
    before = make_checkpoint(tied=tied, cell=cell)
    after = grow_vocabulary(before, NEW)
    assert after.vocabulary.tokens == (*KNOWN, "x", "z")
    ids = before.vocabulary.encode(["d", "b", "b", "a"])
    assert after.vocabulary.encode(["d", "b", "b", "a"]) == ids
    old = compute_logits_one_by_one(before.model, ids)
    with torch.inference_mode():
        logits, _ = after.model(torch.tensor(ids)[:, None])
    for step, known in enumerate(old):
        mean = sum(known[3:]) / 4
        expected = torch.tensor([*known, mean, mean])
        torch.testing.assert_close(logits[step, 0], expected, rtol=1e-4, atol=1e-4)
        lost = torch.tensor(known).log_softmax(0) - logits[step, 0].log_softmax(0)[:7]
        assert 0 < lost.max() <= math.log(1 + 2 / 4) + 1e-5


def test_new_tokens_are_read_as_the_mean_of_the_known() -> None:
    before = make_checkpoint()
    after = grow_vocabulary(before, NEW)
    rows = before.model.embedding.weight.tolist()[3:]
    mean = [sum(column) / 4 for column in zip(*rows, strict=True)]
    for token in ("x", "z"):
        (number,) = after.vocabulary.encode([token])
        assert after.model.embedding.weight[number].tolist() == pytest.approx(mean, abs=1e-6)


def test_everything_else_stays_and_the_given_model_is_not_changed() -> None:
    before = make_checkpoint(recurrent_dropout=0.25, dropout=0.5)
    before.model.layers.precision = "bfloat16"
    after = grow_vocabulary(before, NEW)
    assert after.model.config == replace(before.model.config, vocabulary_size=9)
    assert after.metadata == {"loss": 2.0}
    assert after.model.layers.precision == "bfloat16" and not after.model.training
    shapes = {name: tuple(value.shape) for name, value in after.model.state_dict().items()}
    for name, value in before.model.state_dict().items():
        grown = name in ("embedding.weight", "readout.weight", "readout.bias")
        assert shapes[name] == (len(value) + 2 * grown, *value.shape[1:])
        torch.testing.assert_close(after.model.state_dict()[name][: len(value)], value)
    with torch.no_grad():
        after.model.embedding.weight.fill_(0)
    assert before.model.embedding.weight.abs().sum() > 0 and len(before.vocabulary) == 7


def test_without_new_tokens_the_model_is_the_same() -> None:
    before = make_checkpoint()
    after = grow_vocabulary(before, ["a", "d"])
    assert after.vocabulary == before.vocabulary
    ids = torch.tensor([[3], [6]])
    torch.testing.assert_close(after.model(ids)[0], before.model(ids)[0], rtol=0, atol=0)


def test_growing_twice_is_growing_once() -> None:
    once = grow_vocabulary(make_checkpoint(), NEW)
    twice = grow_vocabulary(once, NEW)
    assert twice.vocabulary == once.vocabulary
    for name, value in once.model.state_dict().items():
        assert torch.equal(twice.model.state_dict()[name], value)


def test_the_grown_model_learns_the_new_token() -> None:
    grown = grow_vocabulary(make_checkpoint(), ["x"])
    ids = grown.vocabulary.encode(["a", "x", "b", "x", "c", "x"])
    data = BucketBatches([ids] * 16, batch_size=4, seed=0)
    config = TrainingConfig(epochs=40, learning_rate=0.05)
    assert train(grown.model, data, data, config).validation_loss < 0.3


def test_models_whose_vocabulary_cannot_grow() -> None:
    classifier = Classifier(LabelsConfig(vocabulary_size=7, classes=2, hidden_size=4))
    with pytest.raises(CheckpointError, match=r"got a Classifier"):
        grow_vocabulary(Checkpoint(classifier, Vocabulary(KNOWN)), NEW)
    words = Vocabulary(KNOWN, "words", "{}")
    with pytest.raises(CheckpointError, match=r"words that its tokenizer decides.*'x'"):
        grow_vocabulary(replace(make_checkpoint(), vocabulary=words), NEW)
