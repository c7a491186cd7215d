from typing import Any

import pytest
import torch

import sluice
from sampling import thin_out
from sluice import nn
from sluice.cells.registry import list_cells
from sluice.sequence import LanguageModel, LanguageModelConfig, Sampling, SequenceError, generate
from sluice.sequence.batch import Batch

TOKENS = torch.tensor([[1, 1, 1], [3, 5, 6], [4, 6, 2], [5, 2, 0], [2, 0, 0]])


def small(cell: Any, **changes: Any) -> LanguageModel:
    torch.manual_seed(1)
    sizes = {"embedding_size": 6, "hidden_size": 8, "num_layers": 2, "dropout": 0.0}
    return LanguageModel(LanguageModelConfig(7, cell, **{**sizes, **changes}))


def sharp(model: LanguageModel) -> LanguageModel:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return model


NAMES = sorted(name for name, kind in list_cells().items() if not kind().graph.inputs)


@pytest.mark.parametrize("name", thin_out(NAMES, 3))
def test_any_cell_learns_on_the_kernels(name: str) -> None:
    model = small(name.lower(), projection_size=4 if name == "ProjectedLSTM" else 0).double()
    assert model.layers.resolved_backend.name == "fused"
    (total, items), _ = model.loss(Batch(TOKENS[:-1], TOKENS[1:]))
    total.backward()
    assert items == 9
    reference = small(name, projection_size=4 if name == "ProjectedLSTM" else 0).double()
    reference.layers.backend = "reference"
    (expected, _), _ = reference.loss(Batch(TOKENS[:-1], TOKENS[1:]))
    expected.backward()
    for ours, theirs in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize(
    ("cell", "layer"),
    [("LSTM", nn.LSTM), ("gru", nn.GRU), ("Elman", nn.RNN), ("mgu", nn.Recurrent)],
)
def test_plain_layers_are_those_of_torch(cell: str, layer: type) -> None:
    assert type(small(cell).layers) is layer


MASKED: list[dict[str, Any]] = [
    {"recurrent_dropout": 0.4},
    {"zoneout": 0.3},
    {"zoneout": {"c": 0.5, "h": 0.05}, "recurrent_dropout": 0.2, "layer_norm": True},
]


@pytest.mark.parametrize("options", MASKED)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_masks_act_in_training_and_generation_uses_their_expectation(
    cell: str, options: dict[str, Any]
) -> None:
    if cell == "gru" and isinstance(options.get("zoneout"), dict):
        options = {**options, "zoneout": {"h": 0.05}}
    model = sharp(small(cell, **options)).double()
    batch = Batch(TOKENS[:-1], TOKENS[1:])
    losses = {round(model.loss(batch)[0].total.item(), 9) for _ in range(3)}
    assert len(losses) == 3
    sampling = Sampling(max_length=30)
    found = generate(model.eval(), range(8), sampling=sampling)
    assert model.layers.resolved_backend.name == "fused"
    model.layers.backend = "reference"
    assert found == generate(model, range(8), sampling=sampling)


def test_zoneout_in_evaluation_uses_the_expected_value() -> None:
    model = small("elman", zoneout=0.25, num_layers=1).eval()
    weights = {n.removesuffix("_l0"): p for n, p in model.layers.named_parameters()}
    h = torch.zeros(3, 8)
    for x in model.embedding(TOKENS):
        pre = x @ weights["weight_ih"].T + weights["bias_ih"] + weights["bias_hh"]
        h = 0.25 * h + 0.75 * (pre + h @ weights["weight_hh"].T).tanh()
    _, state = model(TOKENS)
    torch.testing.assert_close(state[0], h)


def test_layer_norm_takes_the_papers_lstm() -> None:
    assert small("lstm", layer_norm=True).layers.cell.name == "LayerNormLSTM"
    assert small("cifg", layer_norm=True).layers.cell.name == "LayerNormed(CIFG)"


class Leaky(sluice.Cell):
    candidate, leak = sluice.Gate(), sluice.Gate()

    def step(self, x: Any, h: Any) -> dict[str, Any]:
        k = sluice.sigmoid(self.leak(x, h))
        return dict(h=k * h + (1 - k) * sluice.tanh(self.candidate(x, h)), leak=k)


@pytest.mark.parametrize("cell", [Leaky, Leaky()])
def test_a_custom_cell_is_saved_as_its_equations(cell: Any) -> None:
    model = small(cell)
    assert model.config.cell == Leaky().text
    assert model.layers.cell.name == "Leaky"
    plain = nn.Recurrent(Leaky, 6, 8, num_layers=2)
    plain.load_state_dict(model.layers.state_dict())
    embedded = model.embedding(TOKENS)
    torch.testing.assert_close(plain(embedded)[0], model.layers(embedded)[0])


def test_dropout_is_placed_as_requested() -> None:
    def kinds(**options: float) -> list[float]:
        model = small("gru", **options)
        parts = (model.embedding_dropout, model.dropout)
        return [getattr(part, "p", 0.0) for part in parts] + [model.layers.dropout]

    assert kinds() == [0, 0, 0]
    assert kinds(dropout=0.3) == [0, 0.3, 0.3]
    assert kinds(dropout=0.3, output_dropout=0.1, embedding_dropout=0.2) == [0.2, 0.1, 0.3]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cell": "grud"}, "GRUD takes observed, since beside x"),
        ({"cell": "transformer"}, "cell must be one of atr, .*, got 'transformer'"),
        ({"zoneout": 1.0}, r"zoneout must be in \[0, 1\), got 1.0"),
        ({"zoneout": {"m": 0.1}}, r"zoneout must name states of the cell, \['h', 'c'\], got 'm'"),
        ({"cell": "slstm", "zoneout": 0.1}, "those of SLSTM are h, c, n, m; give a rate by name"),
        ({"recurrent_dropout": -0.1}, r"recurrent_dropout must be in \[0, 1\), got -0.1"),
        ({"output_dropout": "much"}, r"output_dropout must be in \[0, 1\), got 'much'"),
        ({"cell": "projectedlstm"}, "needs proj_size"),
        ({"projection_size": 4}, "takes no proj_size"),
        ({"bidirectional": True}, "must not see"),
        ({"num_layers": True}, "num_layers must be an integer"),
    ],
)
def test_invalid_arguments_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SequenceError, match=message):
        small(changes.pop("cell", "lstm"), **changes)
