"""Gradients of single steps against torch.nn's cells, step by step."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import sluice
from report.page.sample_models import Reader
from sluice.report.page import gradient_rows, look
from sluice.report.page.pack import unpack_tensor


def test_each_loss_adds_its_share_to_the_gradient_of_the_state() -> None:
    model, ids = Reader(sluice.nn.GRU(6, 7), 7, 5), torch.randint(5, (14, 2))
    targets = ids.roll(-1, 0)
    data = look(model, ids, targets, sequence=1, start=3).data
    cell = nn.GRUCell(6, 7)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in model.layer.state_dict().items()})
    h, states = torch.zeros(1, 7), []
    for x in model.embedding(ids[:, 1]):
        h = cell(x[None], h)
        h.retain_grad()
        states.append(h)
    logits = torch.cat([model.readout(state) for state in states])
    losses = functional.cross_entropy(logits, targets[:, 1], reduction="none")
    shares = data["places"][0]["shares"]
    assert shares["steps"] == list(range(11))
    found = unpack_tensor(shares)
    for row, step in enumerate(range(3, 14)):
        for state in states:
            state.grad = None
        losses[step].backward(retain_graph=True)
        sizes = [0.0 if s.grad is None else float(s.grad.norm()) for s in states[3:]]
        np.testing.assert_allclose(found[row], sizes, rtol=0.006, atol=1e-12)


class Mixer(nn.Module):
    """Its outputs at a step depend on later steps and on the other sequences of a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.readout = sluice.nn.GRU(3, 6, bidirectional=True), nn.Linear(12, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.readout(self.layer(x)[0])
        return logits / (1 + x.abs().sum(dim=(0, 1)).sum())


def test_a_model_that_mixes_steps_and_sequences_is_read_alone() -> None:
    model, x = Mixer(), torch.randn(9, 1, 3)
    data = look(model, x).data
    given = x.clone().requires_grad_()
    model(given)[4, 0].max().backward()
    assert given.grad is not None
    # The layer's input is differentiated, not what the scale is made of.
    hidden = x.clone().requires_grad_()
    logits = model.readout(model.layer(hidden)[0]) / (1 + x.abs().sum())
    logits[4, 0].max().backward()
    expected = hidden.grad[:, 0].norm(dim=-1)  # type: ignore[index]
    found = unpack_tensor(data["influence"])[4]
    np.testing.assert_allclose(found, (expected / expected.max()).numpy(), rtol=0.006)
    assert float(expected[-1]) > 0 < found[-1]


def test_rows_of_a_large_model_are_fewer(monkeypatch: object) -> None:
    model, ids = Reader(sluice.nn.GRU(6, 7), 7, 5), torch.randint(5, (100, 1))
    assert len(look(model, ids).data["influence"]["steps"]) == 100
    monkeypatch.setattr(gradient_rows, "_BUDGET", 1.0)  # type: ignore[attr-defined]
    assert len(look(model, ids).data["influence"]["steps"]) == 20  # every fifth
