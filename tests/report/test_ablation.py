"""Ablations of trained layers against hand-written loops; the contents of a report."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sluice
from sluice.report.ablation import Ablation, AblationError, Effect, Intervention, ablate


class Model(nn.Module):
    """Two bidirectional LSTM layers and a GRU: every kind of place for an ablation."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = sluice.nn.LSTM(3, 5, num_layers=2, bidirectional=True, dropout=0.5)
        self.decoder = sluice.nn.GRU(10, 4)
        self.readout = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        answered: Tensor = self.readout(self.decoder(self.encoder(x)[0])[0])
        return answered


Change = dict[str, Tensor]


def lstm(layer: Any, x: Tensor, suffix: str, change: Change, silent: list[int]) -> Tensor:
    """One layer, one direction; ``change`` gives gates their values, ``silent`` units are 0."""
    w, r, b, d = (
        getattr(layer, name + suffix) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    h = c = x.new_zeros(x.shape[1], r.shape[1])
    steps = range(len(x))[::-1] if suffix.endswith("reverse") else range(len(x))
    found: dict[int, Tensor] = {}
    for t in steps:
        i, f, g, o = (x[t] @ w.T + b + h @ r.T + d).chunk(4, dim=-1)
        gates = dict(input=i.sigmoid(), forget=f.sigmoid(), candidate=g.tanh(), output=o.sigmoid())
        gates |= {name: at.expand_as(gates[name]) for name, at in change.items()}
        c = gates["forget"] * c + gates["input"] * gates["candidate"]
        c[:, silent] = 0.0
        h = gates["output"] * c.tanh()
        found[t] = h
    return torch.stack([found[t] for t in range(len(x))])


def gru(layer: Any, x: Tensor, change: Change, silent: list[int]) -> Tensor:
    h, found = x.new_zeros(x.shape[1], layer.hidden_size), []
    for row in x:
        a = (row @ layer.weight_ih_l0.T + layer.bias_ih_l0).chunk(3, dim=-1)
        p = (h @ layer.weight_hh_l0.T + layer.bias_hh_l0).chunk(3, dim=-1)
        gates = dict(reset=(a[0] + p[0]).sigmoid(), update=(a[1] + p[1]).sigmoid())
        gates |= {n: v.expand_as(gates["reset"]) for n, v in change.items() if n != "candidate"}
        n = (a[2] + gates["reset"] * p[2]).tanh()
        n = change["candidate"].expand_as(n) if "candidate" in change else n
        h = (1 - gates["update"]) * n + gates["update"] * h
        h[:, silent] = 0.0
        found.append(h)
    return torch.stack(found)


def by_hand(model: Model, x: Tensor, place: str, change: Change, silent: list[int]) -> Tensor:
    y = x
    for number in (0, 1):
        halves = []
        for suffix in (f"_l{number}", f"_l{number}_reverse"):
            here = place == "encoder." + suffix[1:]
            chosen = (change, silent) if here else ({}, [])
            halves.append(lstm(model.encoder, y, suffix, *chosen))
        y = torch.cat(halves, dim=-1)
    chosen = (change, silent) if place == "decoder.l0" else ({}, [])
    answered: Tensor = model.readout(gru(model.decoder, y, *chosen))
    return answered


def means(model: Model, x: Tensor) -> dict[str, Tensor]:
    with torch.no_grad(), sluice.record(model) as tape:
        model(x)
    return {name: value.mean(dim=(0, 1)) for name, value in tape.tensors().items()}


def test_every_ablation_equals_a_loop_by_hand() -> None:
    model, x, y = Model().double(), torch.randn(6, 3, 3).double(), torch.randn(6, 3, 2).double()
    model.train()

    def loss_of(answered: Tensor) -> float:
        return float((answered - y).square().mean())

    batches: list[tuple[int, int]] = []
    found = ablate(
        model,
        lambda: loss_of(model(x)),
        group=2,
        on_progress=lambda done, whole, effect: batches.append((done, whole)),
    )
    assert model.training  # and nothing was dropped:
    model.eval()
    with torch.no_grad():
        assert found.loss == pytest.approx(loss_of(model(x)), rel=1e-12)
        average = means(model, x)
        for effect in found.effects:
            cut, change, silent = effect.intervention, {}, list(effect.intervention.units or [])
            if cut.units is None:
                at = {"open": 1.0, "shut": 0.0, "zero": 0.0}.get(cut.mode)
                mean = average[f"{cut.layer_name}.{cut.target}"]
                change = {cut.target: mean if at is None else torch.tensor(at).double()}
            expected = loss_of(by_hand(model, x, cut.layer_name, change, silent))
            assert effect.loss == pytest.approx(expected, rel=1e-9), str(cut)
            assert effect.increase == pytest.approx(expected - found.loss, abs=1e-12)
    # Four places of an LSTM: three gates three ways, a candidate two; the GRU has two gates.
    assert len(found.gates()) == 4 * 11 + 8
    last = [str(effect.intervention) for effect in found.effects][-2:]
    assert last == ["decoder.l0 units 0–1", "decoder.l0 units 2–3"]
    assert len(found.units()) == 4 * 3 + 2
    assert batches == [(k, len(found.effects)) for k in range(1, len(found.effects) + 1)]
    assert loss_of(model(x).detach()) == pytest.approx(found.loss, rel=1e-12)


def test_ranks_figure_and_json() -> None:
    def effect(what: str, increase: float, units: tuple[int, ...] | None = None) -> Effect:
        return Effect(Intervention("", 0, False, what, "zero", units, {}), 1.0 + increase, increase)

    nan = float("nan")
    effects = [effect("a", 0.5), effect("b", nan), effect("c", 2.0)]
    effects += [effect("units", u / 10, (u,)) for u in (3, 1, 2)]
    found = Ablation(1.0, effects)
    assert [one.intervention.target for one in found.gates()] == ["b", "c", "a"]
    assert [one.intervention.units for one in found.units()] == [(3,), (2,), (1,)]
    bars, units = found.figure("dark").axes
    assert [label.get_text() for label in bars.get_yticklabels()] == [
        "l0 b zero", "l0 c zero", "l0 a zero",
    ]  # fmt: skip
    assert [bar.get_width() for bar in bars.patches] == [0.0, 2.0, 0.5]
    assert "not finite" in bars.texts[0].get_text()
    assert units.lines[0].get_ydata().tolist() == [0.3, 0.2, 0.1]
    report = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert report["effects"][0]["increase"] is None and report["effects"][2]["units"] is None


def test_invalid_ablations_are_refused() -> None:
    layer = sluice.nn.GRU(2, 3)
    with pytest.raises(AblationError, match="group must be at least 1 unit, got 0"):
        ablate(layer, lambda: 0.0, group=0)
    with pytest.raises(AblationError, match="the loss is nan before any intervention"):
        ablate(layer, lambda: float("nan"))
    with pytest.raises(ValueError, match="no recurrent layer"):
        ablate(nn.Linear(2, 2), lambda: 0.0)
