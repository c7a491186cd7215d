"""The contents of a report against torch and the recording."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import sluice
from report.page.sample_models import Reader, lstm
from sluice.report.page import ReportError, look
from sluice.report.page.pack import unpack_tensor


def test_values_are_those_recorded() -> None:
    model, ids = lstm(), torch.randint(5, (30, 3))
    data = look(model, ids, ids.roll(-1, 0), sequence=1, start=4, steps=20).data
    with torch.no_grad(), sluice.record(model) as tape:
        model(ids)
    (place,) = data["places"]
    assert place["units"] == list(range(9)) and data["axes"][0]["first"] == 4
    for name in ("forget", "input", "candidate", "output", "c", "h"):
        expected = tape[("layer")][name][4:24, 1].numpy()
        found = unpack_tensor(place["values"][name])
        assert np.abs(found - expected).max() <= np.ptp(expected) / 65535 + 1e-6
        np.testing.assert_allclose(place["values"][name]["mean"], expected.mean(1), rtol=1e-3)


def test_losses_probabilities_and_gradients_are_those_of_torch() -> None:
    model, ids = lstm(), torch.randint(5, (12, 2))
    targets = ids.roll(-1, 0)
    data = look(model, ids, targets, start=2).data
    plain = nn.LSTM(6, 9)
    plain.load_state_dict(model.layer.state_dict())
    hidden = plain(model.embedding(ids[:, :1]))[0]
    hidden.retain_grad()
    logits = model.readout(hidden)[:, 0]
    losses = functional.cross_entropy(logits, targets[:, 0], reduction="none")
    np.testing.assert_allclose(data["losses"], losses[2:].detach(), rtol=1e-3)
    chances = logits.softmax(-1)[range(12), targets[:, 0]][2:].detach()
    np.testing.assert_allclose(data["predictions"]["trueChance"], chances, rtol=1e-3)
    assert data["predictions"]["true"] == targets[2:, 0].tolist()
    # At the last step h reaches the loss through the readout alone.
    losses[2:].sum().backward()
    assert hidden.grad is not None
    flow = data["places"][0]["flow"]
    np.testing.assert_allclose(flow["every"]["h"][-1], hidden.grad[-1, 0].norm(), rtol=1e-3)
    assert flow["last"]["h"][-1] == pytest.approx(flow["every"]["h"][-1], rel=1e-3)
    assert flow["path"][-1] == 1.0


def test_influence_is_the_derivative_of_a_logit() -> None:
    model, ids = lstm(), torch.randint(5, (10, 1))
    data = look(model, ids).data
    x = model.embedding(ids).detach().requires_grad_()
    logits = model.readout(model.layer(x)[0])
    logits[6, 0].max().backward()
    assert x.grad is not None
    expected = x.grad[:, 0].norm(dim=-1)
    found = unpack_tensor(data["influence"])[6]
    np.testing.assert_allclose(found, (expected / expected.max()).numpy(), rtol=6e-3)
    assert data["losses"] is None and data["places"][0]["flow"] is None


def test_the_most_variable_units_are_kept_or_all() -> None:
    model, ids = lstm(20), torch.randint(5, (25, 1))
    with torch.no_grad(), sluice.record(model) as tape:
        model(ids)
    most_variable = tape["layer"].c[:, 0].std(0).argsort(descending=True)[:4]
    (place,) = look(model, ids, units=4).data["places"]
    assert place["units"] == sorted(most_variable.tolist())
    assert place["width"] == 20 and len(place["memory"]["timescales"]) == 20
    assert len(look(model, ids, units=None).data["places"][0]["units"]) == 20


def test_a_model_of_torch_is_converted_and_the_original_is_unchanged() -> None:
    layer = nn.GRU(6, 7, num_layers=2, bidirectional=True)
    model = Reader(layer, 14, 5).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ids = torch.randint(5, (15, 2))
    data = look(model, ids, ids.roll(-1, 0)).data
    names = [place["name"] for place in data["places"]]
    assert names == ["layer l0", "layer l0_reverse", "layer l1", "layer l1_reverse"]
    assert type(model.layer) is nn.GRU and model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


class Labels(nn.Module):
    """Values in, batch first; one label a sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LSTM(2, 8, batch_first=True)
        self.readout = nn.Linear(8, 3)

    def forward(self, values: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.readout(self.layer(values)[0][:, -1])}


def test_values_and_one_label_a_sequence() -> None:
    model, values = Labels(), torch.randn(6, 40, 2)
    labels = torch.tensor([0, 2, 1, 0, 1, 2])
    report = look(model, values, labels, sequence=1, batch_first=True, title="Labels <3>")
    expected = functional.cross_entropy(model(values[1:2])["logits"].detach(), labels[1:2])
    assert report.data["loss"] == pytest.approx(float(expected), rel=1e-4)
    assert report.data["predictions"]["true"] == [2] and report.data["axes"][0]["length"] == 40
    assert {one["name"] for one in report.data["followed"]} >= {"input 0", "change of input 1"}
    assert "<h1>Labels &lt;3&gt;</h1>" in report.html


def test_values_are_predicted() -> None:
    model = nn.Sequential(nn.RNN(1, 5), First(), nn.Linear(5, 1))
    values = torch.randn(30, 2, 1)
    targets = values.roll(-1, 0)
    targets[-1] = float("nan")  # not known
    data = look(model, values[:-1], targets[:-1], forward=lambda m, x: m(x)).data
    expected = (model(values[:-1, :1])[:, 0] - targets[:-1, 0]).square()
    np.testing.assert_allclose(data["losses"], expected[:, 0].detach(), rtol=1e-3, atol=1e-6)
    assert data["places"][0]["memory"] == {"timescales": None, "gates": {}}


class First(nn.Module):
    def forward(self, both: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return both[0]


def test_invalid_inputs_are_refused() -> None:
    ids = torch.randint(5, (10, 2))
    with pytest.raises(ReportError, match="holds no recurrent layer"):
        look(nn.Embedding(5, 3), ids)
    with pytest.raises(ReportError, match="length 0"):
        look(lstm(), ids[:0])
    with pytest.raises(ReportError, match="sequence must be from 0 to 1, got 2"):
        look(lstm(), ids, sequence=2)
    with pytest.raises(ReportError, match="within the 10 of sequence 0, counted from 0, got 10"):
        look(lstm(), ids, start=10)
    with pytest.raises(
        ReportError, match="tokens must have one entry for each of 2 sequences, got 1"
    ):
        look(lstm(), ids, tokens=["abc"])
    with pytest.raises(ReportError, match=r"takes about .* GiB; look at a part"):
        look(lstm(1000), torch.zeros(30_000, 1, dtype=torch.long), steps=30_000)


def test_the_first_nan_is_located() -> None:
    model = lstm()
    with torch.no_grad():
        model.layer.weight_hh_l0[0, 0] = float("nan")
    with pytest.raises(
        ReportError, match=r"NaN first appears in 'layer' l0, value 'input', step \d"
    ):
        look(model, torch.randint(5, (10, 1)))
    other = lstm()
    with torch.no_grad():
        other.readout.bias[0] = float("inf")
    with pytest.raises(ReportError, match=r"of the model readout\.bias hold NaN or infinity"):
        look(other, torch.randint(5, (10, 1)))


def test_a_model_must_return_a_tensor() -> None:
    model = torch.nn.Sequential(torch.nn.Embedding(5, 4), sluice.nn.GRU(4, 8))
    with pytest.raises(ReportError, match="must return a tensor, got float"):
        look(model, torch.zeros(3, 1, dtype=torch.long), forward=lambda model, batch: 1.0)
