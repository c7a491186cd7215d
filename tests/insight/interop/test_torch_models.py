"""Conversion of torch.nn models: equal outputs, the original unchanged, bad ones refused."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sluice
from sluice.insight import from_state_dict, from_torch


class Tagger(nn.Module):
    """Two recurrent layers of torch, dropout, and a dictionary as output."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 3)
        self.encoder = nn.LSTM(3, 5, num_layers=2, bidirectional=True, dropout=0.5)
        self.top = nn.GRU(10, 4)

    def forward(self, tokens: Tensor, scale: float = 1.0) -> dict[str, Any]:
        y, states = self.encoder(self.embedding(tokens))
        return {"y": scale * self.top(y)[0], "states": states}


def test_a_model_is_converted_and_the_original_is_unchanged() -> None:
    model = Tagger()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.top.eval()
    opened = from_torch(model, torch.randint(7, (9, 2)), scale=2.0)
    assert str(opened).startswith("converted 3 layers; outputs differ by at most ")
    assert 0 <= opened.difference < 1e-5
    assert type(model.encoder) is nn.LSTM and model.training and not model.top.training
    assert opened.model.training and not opened.model.top.training
    for name, tensor in opened.model.state_dict().items():
        assert torch.equal(tensor, before[name])
        assert tensor.data_ptr() != model.state_dict()[name].data_ptr()
    with sluice.record(opened.model) as tape:
        opened.model(torch.randint(7, (9, 2)))
    assert tape["encoder"].layer(1, reverse=True).forget.shape == (9, 2, 5)


def test_a_difference_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(model: nn.Module) -> nn.Module:
        layer = sluice.nn.convert(model)
        with torch.no_grad():
            layer.bias_hh_l0.add_(0.01)
        return layer

    monkeypatch.setattr("sluice.insight.interop.torch_models.convert", spoil)
    with pytest.raises(ValueError, match=r"outputs differ by 0\.0\d+, which is above the toler"):
        from_torch(nn.GRU(3, 4))
    assert 1e-3 < from_torch(nn.GRU(3, 4), tolerance=0.1).difference < 0.1


def test_an_input_is_drawn_for_a_lone_layer() -> None:
    layer = nn.RNN(3, 4, batch_first=True).double()
    state = torch.get_rng_state()
    assert from_torch(layer).difference < 1e-12
    assert torch.equal(torch.get_rng_state(), state)


def test_a_decoder_of_one_step_cells_is_converted_and_recorded() -> None:
    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.top = nn.LSTMCell(3, 4), nn.GRU(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            state, above, found = None, None, []
            for row in x:
                state = self.cell(row, state)
                y, above = self.top(state[0][None], above)
                found.append(y[0])
            return torch.stack(found)

    theirs, x = Decoder(), torch.randn(6, 2, 3)
    opened = from_torch(theirs, x)
    assert opened.layers == 2 and from_torch(nn.GRUCell(3, 4)).layers == 1
    with sluice.record(opened.model) as tape:
        y = opened.model(x)
    assert tape["cell"].forget.shape == (6, 2, 4)
    torch.testing.assert_close(tape["top"].h, theirs(x).detach())
    assert torch.equal(tape["top"].h, y.detach())


def test_unsupported_models_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Linear holds no recurrent layer of torch\.nn"):
        from_torch(nn.Linear(2, 2), torch.zeros(1, 2))
    with pytest.raises(ValueError, match="Tagger needs an input to be compared on"):
        from_torch(Tagger())
    layer = nn.LSTM(3, 4)
    layer.weight_hh_l0.data[2, 1] = torch.nan
    with pytest.raises(ValueError, match="outputs differ by nan"):
        from_torch(layer)


OPTIONS = list(itertools.product((1, 3), (True, False), (True, False)))


@pytest.mark.parametrize(("layers", "both", "bias"), OPTIONS)
@pytest.mark.parametrize("kind", ["LSTM", "projected", "GRU", "tanh", "relu"])
@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_a_layer_is_inferred_from_its_state_dict(
    kind: str, layers: int, both: bool, bias: bool
) -> None:
    options: dict[str, Any] = {"num_layers": layers, "bidirectional": both, "bias": bias}
    keywords: dict[str, Any] = {}
    if kind in ("tanh", "relu"):
        keywords = {"nonlinearity": kind}
        theirs: nn.RNNBase = nn.RNN(3, 7, **options, **keywords)
    elif kind == "GRU":
        theirs = nn.GRU(3, 7, **options)
    else:
        theirs = nn.LSTM(3, 7, proj_size=2 * (kind == "projected"), **options)
    state = {f"deep.net.{name}": tensor for name, tensor in theirs.state_dict().items()}
    opened = from_state_dict(state, **keywords)
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(opened.model(x), theirs(x), rtol=1e-5, atol=1e-6)
    assert opened.layers == layers and opened.difference < 1e-5
    assert opened.model.hidden_size == 7 and type(opened.model).__module__ == "sluice.nn.rnn"


def test_state_dicts_that_are_not_those_of_one_layer() -> None:
    state = nn.LSTM(3, 4, num_layers=2).state_dict()
    with pytest.raises(ValueError, match=r"a name that ends in weight_ih_l0, got weight, bias"):
        from_state_dict(nn.Linear(2, 2).state_dict())
    with pytest.raises(ValueError, match="'readout' is not a parameter of a recurrent layer"):
        from_state_dict({**state, "readout": torch.zeros(2)})
    with pytest.raises(
        ValueError,
        match=r"_hh_l1 must have shape \(16, 4\) for a LSTM .*, got none",
    ):
        from_state_dict({name: t for name, t in state.items() if name != "weight_hh_l1"})
    with pytest.raises(
        ValueError, match=r"weight_ih_l1 must have shape \(16, 4\) .*, got shape \(15, 4\)"
    ):
        from_state_dict({**state, "weight_ih_l1": torch.zeros(15, 4)})
    with pytest.raises(ValueError, match="got 8 rows for 4 units"):
        from_state_dict({"weight_ih_l0": torch.zeros(8, 3), "weight_hh_l0": torch.zeros(8, 4)})
