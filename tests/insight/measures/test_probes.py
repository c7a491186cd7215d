"""Probes on values with a known answer; NumPy and plain loops beside them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sluice.insight import find_correlated_units, probe
from sluice.insight.measures.readouts import Readouts


def test_ridge_is_the_least_squares_of_augmented_rows() -> None:
    x, y, penalty = torch.randn(20, 3).double(), torch.randn(20, 2).double(), 0.1
    rows = np.vstack(
        [np.c_[x, np.ones(20)], np.sqrt(penalty * 20) * np.diag([*x.numpy().std(0), 0])[:3]]
    )
    targets = np.vstack([y, np.zeros((3, 2))])
    expected, *_ = np.linalg.lstsq(rows, targets, rcond=None)
    np.testing.assert_allclose(Readouts(x, penalty).fit_numbers(y).numpy(), expected, rtol=1e-10)


def test_a_number_that_is_linear_in_the_values() -> None:
    values, weights = torch.randn(30, 4, 6), torch.randn(6)
    found = probe(values, values @ weights + 2.0, penalty=1e-9)
    assert found.score > 1 - 1e-6 and found.train_score > 1 - 1e-6 and found.control < 0.1
    torch.testing.assert_close(found.weights[:-1, 0].float(), weights, rtol=1e-3, atol=1e-3)
    assert found.weights[-1].item() == pytest.approx(2.0, abs=1e-3)


def test_the_logistic_probe_is_at_its_minimum() -> None:
    x, y = torch.randn(80, 3).double(), torch.randint(3, (80,))
    weights = probe(x, y, penalty=0.01).weights
    part = torch.cat([x[:60], torch.ones(60, 1).double()], dim=1)
    slope = part.T @ ((part @ weights).softmax(-1) - torch.eye(3).double()[y[:60]]) / 60
    spread = x[:60].var(0, correction=0).unsqueeze(1)
    slope[:-1] += 0.01 * spread * weights[:-1]  # mean cross-entropy + penalty/2 ‖σ W‖², by hand
    assert slope.abs().max() < 1e-4


def test_values_that_only_name_their_token_have_no_selectivity() -> None:
    tokens = torch.randint(12, (200, 3))
    labels = torch.randint(2, (12,))[tokens]
    names = torch.eye(12)[tokens]
    learnt = probe(names, labels, tokens)
    assert learnt.score == 1.0 and learnt.control == 1.0 and learnt.selectivity == 0.0
    counted = torch.randint(2, (200, 3))  # a property of the place, not of the token
    values = torch.cat([counted.unsqueeze(-1) + 0.1 * torch.randn(200, 3, 1)] * 2, dim=-1)
    memorised = probe(values, counted, tokens)
    assert memorised.score > 0.99 and memorised.selectivity > 0.25


def test_rows_held_out_are_other_sequences_and_chance_is_found() -> None:
    values, labels = torch.randn(40, 4, 120), torch.randint(2, (40, 4))
    found = probe(values, labels, penalty=1e-6)  # 120 rows fitted by 120 units
    assert found.train_score == 1.0 and found.score < 0.7
    spoilt = labels.clone()
    spoilt[:, 3] = 1 - labels[:, 3]
    assert probe(values, spoilt, penalty=1e-6).score == pytest.approx(1 - found.score)


def test_a_probe_changes_no_global_state() -> None:
    values, labels = torch.randn(30, 2, 4, requires_grad=True), torch.randint(2, (30, 2))
    state = torch.get_rng_state()
    with torch.no_grad():
        found = probe(values.detach(), labels)
    assert torch.equal(torch.get_rng_state(), state) and not found.weights.requires_grad
    assert probe(values.detach(), labels, seed=0).control == found.control
    padded = torch.cat([values.detach(), torch.full((5, 2, 4), 9.0)])
    more = torch.cat([labels, torch.zeros(5, 2, dtype=torch.long)])
    again = probe(padded, more, lengths=torch.tensor([30, 30]))
    assert again.score == found.score and torch.equal(again.weights, found.weights)


def test_invalid_probes_are_refused() -> None:
    values, labels = torch.randn(10, 2, 4), torch.randint(2, (10, 2))
    with pytest.raises(ValueError, match=r"each row of values, \(10, 2\), got \(10,\)"):
        probe(values, labels[:, 0])
    with pytest.raises(ValueError, match="do not vary"):
        probe(values, labels * 0)
    with pytest.raises(ValueError, match=r"held_out=0\.0 of 20 rows"):
        probe(values, labels, held_out=0.0)
    with pytest.raises(ValueError, match="must be finite, got NaN or infinity"):
        probe(values / 0, labels)
    with pytest.raises(ValueError, match=r"\(time, batch, width\) or \(rows, width\)"):
        probe(values[0, 0], labels[0, 0])


def test_correlations_are_numpys() -> None:
    values, property = torch.randn(15, 3, 5), torch.randn(15, 3)
    values[..., 2] = 1.0  # never varies
    lengths = torch.tensor([15, 4, 9])
    units, r = find_correlated_units(values, property, lengths)
    keep = [(t, b) for b in range(3) for t in range(int(lengths[b]))]
    rows = np.array([values[t, b].numpy() for t, b in keep])
    target = np.array([property[t, b].item() for t, b in keep])
    for unit, found in zip(units.tolist(), r.tolist(), strict=True):
        expected = 0.0 if unit == 2 else np.corrcoef(rows[:, unit], target)[0, 1]
        assert found == pytest.approx(expected, abs=1e-6)
    assert units[-1] == 2 and bool((r.abs().diff() <= 0).all())
