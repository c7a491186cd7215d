"""How much of a network counts beside its linear part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.sequence.models.test_linear_part import Given, draw, make_batch

from sluice.sequence.models import Forecaster, ForecasterConfig
from sluice.sequence.models.network_share import SHARES, choose_share, fold_share

SIZES: dict[str, Any] = {"hidden_size": 4, "num_layers": 1, "dropout": 0.0}


def make_forecaster(quantiles: tuple[float, ...], seed: int = 0) -> tuple[Forecaster, np.ndarray]:
    """With a linear part, and a readout that disturbs its forecasts."""
    x = draw(400, seed)
    config = ForecasterConfig(
        1, horizon=3, changes=True, linear_lags=4, quantiles=quantiles, **SIZES
    )
    model = Forecaster(config)
    model.fit_scale(Given(make_batch(x[:300], 3)))
    torch.nn.init.normal_(model.readout.weight, std=3.0)
    return model.eval(), x


def test_the_rule_of_one_standard_error() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        losses = random.normal(1, 0.3, (9, 1)) + random.normal(0, 0.2, (9, len(SHARES)))
        means = losses.mean(axis=0)
        best = losses[:, means.argmin()]
        fits = []
        for place in range(len(SHARES)):
            difference = losses[:, place] - best
            error = np.sqrt(((difference - difference.mean()) ** 2).sum() / 8) / 3
            fits.append(difference.mean() <= error)
        assert choose_share(torch.tensor(losses)) == SHARES[fits.index(True)]


def test_a_single_block_shows_nothing() -> None:
    assert choose_share(torch.tensor([[5.0, 4.0, 3.0, 2.0, 1.0]])) == 0.0


@pytest.mark.parametrize("quantiles", [(), (0.1, 0.5, 0.9)])
def test_what_held_out_data_do_not_bear_out_is_left_out(quantiles: tuple[float, ...]) -> None:
    model, x = make_forecaster(quantiles)
    values = torch.tensor(x[100:160])[:, None, None]
    disturbed = model(values)[0]
    model.calibrate(Given(make_batch(x[300:], 3)))
    assert model.network_share == 0
    torch.nn.init.zeros_(model.readout.weight)
    alone = model(values)[0]
    torch.testing.assert_close(model(values)[0], alone, rtol=0, atol=0)
    assert (disturbed - alone).abs().max() > 1
    # Calibrating again looks at the network itself.
    torch.nn.init.normal_(model.readout.weight, std=3.0)
    torch.testing.assert_close(model(values)[0], alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("quantiles", [(), (0.1, 0.5, 0.9)])
def test_a_share_stands_between_both(quantiles: tuple[float, ...]) -> None:
    """The median is a readout's output itself, so that it moves in a straight line."""
    model, x = make_forecaster(quantiles)
    values = torch.tensor(x[100:160])[:, None, None]
    assert model.network_share is not None
    found = {}
    for share in SHARES:
        model.network_share.fill_(share)
        found[share] = model(values)[0]
    torch.testing.assert_close(found[0.25], found[0.0] * 0.75 + found[1.0] * 0.25)
    model.network_share.fill_(0.25)
    weight, bias = fold_share(
        model.readout.weight.detach(),
        model.readout.bias.detach(),
        model.find_linear_outputs(),
        model.network_share,
    )
    with torch.no_grad():
        model.readout.weight.copy_(weight)
        model.readout.bias.copy_(bias)
    model.network_share.fill_(1.0)
    torch.testing.assert_close(model(values)[0], found[0.25])


def test_training_sees_the_whole_network() -> None:
    model, x = make_forecaster((0.1, 0.5, 0.9))
    batch = make_batch(x[:100], 3)
    assert model.network_share is not None
    whole = model.train().step_losses(batch).losses
    model.network_share.fill_(0.0)
    torch.testing.assert_close(model.step_losses(batch).losses, whole, rtol=0, atol=0)
    assert not torch.equal(model.eval().step_losses(batch).losses, whole)
