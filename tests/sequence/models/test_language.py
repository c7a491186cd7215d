from typing import Any

import pytest
import torch

from sluice.sequence import LanguageModel, LanguageModelConfig, SequenceError
from sluice.sequence.batch import Batch
from sluice.sequence.batching.bucketed import pad


def small(**changes: Any) -> LanguageModel:
    sizes = {"vocabulary_size": 11, "embedding_size": 6, "hidden_size": 7, "num_layers": 2}
    return LanguageModel(LanguageModelConfig(**{**sizes, **changes})).eval()


@pytest.mark.parametrize(
    ("cell", "reference"),
    [("lstm", torch.nn.LSTM), ("gru", torch.nn.GRU), ("elman", torch.nn.RNN)],
)
def test_logits_equal_those_of_torch_modules(cell: Any, reference: type[torch.nn.RNNBase]) -> None:
    model = small(cell=cell)
    weights = model.state_dict()
    layers = reference(6, 7, 2)
    layers.load_state_dict(
        {name[7:]: value for name, value in weights.items() if name.startswith("layers.")}
    )
    tokens = torch.randint(11, (5, 3))
    hidden, _ = layers(weights["embedding.weight"][tokens])
    expected = hidden @ weights["readout.weight"].T + weights["readout.bias"]
    logits, _ = model(tokens)
    torch.testing.assert_close(logits, expected)


@pytest.mark.parametrize("cell", ["lstm", "gru", "elman"])
def test_steps_equal_the_whole_sequence(cell: Any) -> None:
    model, tokens = small(cell=cell), torch.randint(11, (6, 2))
    whole, _ = model(tokens)
    state, rows = None, []
    for row in tokens:
        logits, state = model(row[None], state)
        rows.append(logits)
    torch.testing.assert_close(torch.cat(rows), whole)


def test_padding_at_the_end_changes_no_logit_before_it() -> None:
    model = small()
    alone, _ = model(pad([[5, 6]]))
    beside, _ = model(pad([[5, 6], [7, 8, 9, 10, 3]]))
    torch.testing.assert_close(beside[:4, 0], alone[:, 0])


def test_tied_weights_are_one_parameter() -> None:
    model = small(tied=True, embedding_size=7)
    model.embedding.weight.data[:, :] = 0
    model.embedding.weight.data[4] = 1
    logits, _ = model(torch.tensor([[5]]))
    others = logits[0, 0, [3, 5]] - model.readout.bias[[3, 5]]
    torch.testing.assert_close(others, torch.zeros(2))
    assert logits[0, 0, 4] != model.readout.bias[4]
    assert [name for name in model.state_dict() if "readout" in name] == ["readout.bias"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cell": "transformer"}, "or a Cell of your own, got 'transformer'"),
        ({"hidden_size": 0}, "hidden_size must be an integer of at least 1, got 0"),
        ({"num_layers": 1.5}, "num_layers must be an integer of at least 1, got 1.5"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
        ({"tied": True}, "got 6 and 7"),
    ],
)
def test_a_bad_configuration_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SequenceError, match=message):
        small(**changes)


def test_the_loss_excludes_padding() -> None:
    torch.manual_seed(0)
    model = LanguageModel(LanguageModelConfig(vocabulary_size=7, hidden_size=5)).eval()
    tokens = torch.tensor([[1, 1], [4, 5], [6, 2], [2, 0]])
    (total, items), _ = model.loss(Batch(tokens[:-1], tokens[1:]))
    logits, _ = model(tokens[:-1])
    expected = sum(
        -logits[time, column].log_softmax(0)[tokens[time + 1, column]]
        for time, column in [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1)]
    )
    assert items == 5
    torch.testing.assert_close(total, expected)
