from typing import Any

import pytest
import torch

import sluice
from sluice.sequence import SequenceError
from sluice.sequence.batch import Batch
from sluice.sequence.data.targets import IGNORE_INDEX
from sluice.sequence.models import Classifier, LabelsConfig, Tagger

LENGTHS = torch.tensor([6, 2, 5, 1])


def config(**changes: Any) -> LabelsConfig:
    sizes = {"classes": 3, "features": 4, "embedding_size": 0, "hidden_size": 5, "num_layers": 2}
    return LabelsConfig(**{**sizes, **changes})


@pytest.mark.parametrize("cell", ["lstm", "gru", "mgu"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_classifier_reads_the_last_real_step_of_each_direction(
    cell: str, bidirectional: bool
) -> None:
    model = Classifier(config(cell=cell, bidirectional=bidirectional)).eval()
    x = torch.randn(6, 4, 4)
    logits, _ = model(x, lengths=LENGTHS)
    for column, length in enumerate(LENGTHS.tolist()):
        alone, _ = model.layers(x[:length, column : column + 1])
        ends = alone[-1, 0]
        if bidirectional:
            ends = torch.cat((alone[-1, 0, :5], alone[0, 0, 5:]))
        expected = model.readout.weight @ ends + model.readout.bias
        torch.testing.assert_close(logits[column], expected)


def test_padding_and_missing_values_reach_no_logit_and_no_gradient() -> None:
    model = Classifier(config()).eval()
    x = torch.randn(6, 4, 4)
    beyond = torch.arange(6)[:, None] >= LENGTHS
    dirty = torch.where(beyond[..., None], float("nan"), x)
    torch.testing.assert_close(model(dirty, lengths=LENGTHS), model(x, lengths=LENGTHS))
    dirty[0, 0, 0] = float("nan")
    model.loss(Batch(dirty, torch.tensor([0, 1, 2, 0]), LENGTHS))[0].total.backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_a_classifiers_loss_leaves_out_ignored_sequences() -> None:
    model = Classifier(config()).eval()
    x, targets = torch.randn(6, 4, 4), torch.tensor([2, IGNORE_INDEX, 0, 1])
    (total, items), state = model.loss(Batch(x, targets, LENGTHS))
    logs = model(x, lengths=LENGTHS)[0].log_softmax(dim=1)
    assert items == 3 and state is None
    torch.testing.assert_close(total, -(logs[0, 2] + logs[2, 0] + logs[3, 1]))
    assert model.predict(x, LENGTHS).tolist() == logs.argmax(dim=1).tolist()


def test_a_classifier_of_tokens_learns_which_token_came_first() -> None:
    model = Classifier(
        LabelsConfig(classes=2, vocabulary_size=6, cell="gru", hidden_size=16, num_layers=1)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(50):
        tokens = torch.randint(3, 5, (5, 32))
        (total, items), _ = model.loss(Batch(tokens, tokens[0] - 3))
        optimizer.zero_grad()
        (total / items).backward()
        optimizer.step()
    tokens = torch.randint(3, 5, (5, 50))
    assert model.train().predict(tokens).eq(tokens[0] - 3).all()
    assert model.training


def test_a_taggers_loss_and_labels() -> None:
    model = Tagger(config()).eval()
    x = torch.randn(6, 4, 4)
    targets = torch.zeros(6, 4, dtype=torch.int64)
    targets[0, 0], targets[1, 1], targets[5, 0] = 3, 1, 2
    (total, items), _ = model.loss(Batch(x, targets, LENGTHS))
    logs = model(x, lengths=LENGTHS)[0].log_softmax(dim=2)
    assert items == 3
    torch.testing.assert_close(total, -(logs[0, 0, 2] + logs[1, 1, 0] + logs[5, 0, 1]))
    labels = model.predict(x, LENGTHS)
    assert labels[:, 1].tolist() == [*(logs[:2, 1].argmax(dim=1) + 1).tolist(), 0, 0, 0, 0]


def test_a_unidirectional_tagger_carries_its_state_and_a_bidirectional_one_does_not() -> None:
    x = torch.randn(6, 4, 4)
    model = Tagger(config(bidirectional=False)).eval()
    first, state = model(x[:3])
    second, _ = model(x[3:], state)
    torch.testing.assert_close(torch.cat((first, second)), model(x)[0])
    assert Tagger(config())(x)[1] is None


def test_resets_separate_adjacent_sequences() -> None:
    model = Tagger(config()).eval()
    x, resets = torch.randn(6, 4, 4), torch.zeros(6, 4, dtype=torch.bool)
    resets[4] = True
    torch.testing.assert_close(model(x, resets=resets)[0][:4], model(x[:4])[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": 1}, "classes must be an integer of at least 2, got 1"),
        ({"vocabulary_size": 5}, "must be given, got 5 and 4"),
        ({"features": 0}, "must be given, got 0 and 0"),
        ({"features": 0, "vocabulary_size": 5}, "embedding_size must be an integer of at least 1"),
    ],
)
def test_a_bad_configuration_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SequenceError, match=message):
        config(**changes)


class Narrow(sluice.Cell):
    """Its output is no state, and of a width apart."""

    gate, read = sluice.Gate(), sluice.Map(width=3)
    output = "y"

    def step(self, x: Any, h: Any) -> dict[str, Any]:
        h = sluice.tanh(self.gate(x, h))
        return dict(h=h, y=self.read(h))


def test_a_classifier_reads_the_final_state_and_a_tagger_the_output_of_any_cell() -> None:
    sizes: dict[str, Any] = dict(classes=2, features=4, hidden_size=5, bidirectional=False)
    seen: list[Any] = []
    x = torch.randn(6, 3, 4)
    for kind, place in ((Classifier, 1), (Tagger, 0)):
        model = kind(LabelsConfig(cell=Narrow(), **sizes)).eval()
        model.layers.register_forward_hook(lambda module, given, found: seen.append(found))
        logits, _ = model(x)
        read = seen[-1][place]
        torch.testing.assert_close(logits, model.readout(read[-1] if place else read))
