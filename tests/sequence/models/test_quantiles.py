from typing import Any

import numpy as np
import pytest
import torch

from sluice.sequence import SequenceError
from sluice.sequence.batch import Batch
from sluice.sequence.models import Forecaster, ForecasterConfig
from sluice.sequence.models.look_ahead import append_known_ahead
from sluice.sequence.models.quantiles import (
    compute_crps,
    fit_factors,
    order_quantiles,
    require_quantiles,
    stretch_intervals,
    weigh_quantiles,
)

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
NAN = float("nan")


def forecaster(**changes: Any) -> Forecaster:
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_layers": 1, "dropout": 0.0, "quantiles": LEVELS}
    return Forecaster(ForecasterConfig(3, **{**sizes, **changes})).eval()


class Given:
    """A source of fixed batches."""

    stateful = False

    def __init__(self, *batches: Batch) -> None:
        self.given = batches

    def __len__(self) -> int:
        return len(self.given)

    def batches(self, epoch: int, first: int = 0) -> Any:
        return iter(self.given[first:])


def test_crps_is_the_weighted_pinball_loss_in_plain_loops() -> None:
    random = np.random.default_rng(0)
    ends = np.sort(random.normal(size=(7, 5)), axis=1)
    truth = random.normal(size=7)
    truth[3] = np.nan
    shares = [0.175, 0.2, 0.25, 0.2, 0.175]  # cut halfway between levels
    np.testing.assert_allclose(weigh_quantiles(LEVELS), shares)
    expected = [
        0.0
        if np.isnan(y)
        else sum(
            2 * share * (level * (y - q) if y > q else (1 - level) * (q - y))
            for share, level, q in zip(shares, LEVELS, row, strict=True)
        )
        for y, row in zip(truth, ends, strict=True)
    ]
    found = compute_crps(torch.tensor(ends), torch.tensor(truth), LEVELS)
    np.testing.assert_allclose(found, expected)


def test_crps_of_many_quantiles_is_that_of_the_normal_distribution() -> None:
    # Gneiting & Raftery 2007, equation 21.
    normal = torch.distributions.Normal(0.0, 1.0)
    levels = tuple((np.arange(999) + 1) / 1000)
    ends = normal.icdf(torch.tensor(levels))
    for y in (-1.3, 0.0, 0.4):
        z = torch.tensor(y)
        closed = y * (2 * normal.cdf(z) - 1) + 2 * normal.log_prob(z).exp() - np.pi**-0.5
        assert compute_crps(ends, z.double(), levels).item() == pytest.approx(
            float(closed), abs=2e-4
        )


def test_quantiles_never_cross_and_the_median_stays() -> None:
    outputs = 5 * torch.randn(50, 5)
    ordered = order_quantiles(outputs)
    assert (ordered.diff(dim=-1) >= 0).all()
    torch.testing.assert_close(ordered[:, 2], outputs[:, 2])
    for factors in ([3.0, 0.1, 1, 0.1, 3.0], [0.1, 5.0, 1, 5.0, 0.1]):
        moved = stretch_intervals(ordered, torch.tensor(factors))
        assert (moved.diff(dim=-1) >= 0).all()
        torch.testing.assert_close(moved[:, 2], outputs[:, 2])
    torch.testing.assert_close(stretch_intervals(ordered, torch.ones(5)), ordered)


def test_a_factor_makes_an_interval_hold_its_share() -> None:
    random = np.random.default_rng(1)
    truth = torch.tensor(random.standard_t(4, size=400))
    ordered = torch.tensor([-0.5, -0.2, 0.1, 0.3, 0.4]).double().expand(400, 5)
    factors = fit_factors(ordered, truth, LEVELS)
    moved = stretch_intervals(ordered, factors)
    for low, high, share in ((0, 4, 0.8), (1, 3, 0.5)):
        inside = (moved[:, low] - 1e-9 <= truth) & (truth <= moved[:, high] + 1e-9)
        # Exactly the value of rank ceil(share · (n + 1)) lies on an end.
        assert int(inside.sum()) == int(np.ceil(share * 401))
    assert fit_factors(ordered[:0], truth[:0], LEVELS).tolist() == [1.0] * 5


@pytest.mark.parametrize(
    "levels", [(0.5, 0.1), (0.1, 0.9), (0.1, 0.5, 0.8), (0, 0.5, 1), (0.5, 0.5, 0.5), (NAN,)]
)
def test_levels_that_are_refused(levels: tuple[float, ...]) -> None:
    with pytest.raises(SequenceError, match=r"quantiles must rise between 0 and 1"):
        require_quantiles(levels)


def test_the_point_forecast_is_the_median_and_the_loss_the_crps() -> None:
    model = forecaster(targets=(2, 0), horizon=2, changes=True)
    values = 50 + torch.randn(9, 4, 3).cumsum(0)
    targets = torch.randn(9, 4, 4) + 50
    targets[3, 2, 1] = NAN
    batch = Batch(values, targets)
    model.fit_scale(Given(batch))
    found, _ = model.predict_quantiles(values)
    assert found.shape == (9, 4, 4, 5)
    torch.testing.assert_close(found[..., 2], model(values)[0])
    (total, items), _ = model.loss(batch)
    scale = model.ahead_deviation
    expected = compute_crps(found.double(), targets.double(), LEVELS) / scale
    assert items == 9 * 4 * 4 - 1
    assert total.item() == pytest.approx(expected.sum().item(), rel=1e-4)
    assert model.loss_unit == "CRPS, in deviations of the change"


def test_calibration_holds_on_other_data_of_the_same_kind() -> None:
    model, shape = forecaster(targets=(0,), horizon=2), (120, 20, 3)
    random = torch.Generator().manual_seed(2)
    values = torch.randn(*shape, generator=random)
    make = lambda: Batch(values, 4 * torch.randn(120, 20, 2, generator=random))  # noqa: E731
    assert model.calibrate(Given(make())) == 120 * 20 * 2
    other = make()
    ends = model.predict_quantiles(other.inputs)[0]
    for low, high, share in ((0, 4, 0.8), (1, 3, 0.5)):
        inside = (ends[..., low] <= other.targets) & (other.targets <= ends[..., high])
        assert inside.float().mean().item() == pytest.approx(share, abs=0.03)


def test_forecast_quantiles_follow_each_sequences_last_step() -> None:
    model, values = forecaster(horizon=4, targets=(1,)), torch.randn(6, 3, 3)
    lengths = torch.tensor([6, 2, 4])
    found = model.forecast_quantiles(values, lengths, steps=3)
    assert found.shape == (3, 3, 1, 5)
    for column, length in enumerate(lengths.tolist()):
        alone, _ = model.predict_quantiles(values[:length, column : column + 1])
        torch.testing.assert_close(found[:, column, 0], alone[-1, 0, :3])
    with pytest.raises(SequenceError, match="at most its horizon of 4, got 5"):
        model.forecast_quantiles(values, steps=5)
    with pytest.raises(SequenceError, match="as far as the horizon of 4 steps, got steps=5"):
        forecaster(horizon=4).forecast_quantiles(values, steps=5)
    with pytest.raises(SequenceError, match="points without intervals"):
        forecaster(quantiles=()).forecast_quantiles(values)


def test_a_counter_is_forecast_to_the_unit() -> None:
    """Values near 1.7e9 that grow by 20: float32 has steps of 128 there."""
    model = forecaster(targets=(0,), changes=True)
    random = np.random.default_rng(3)
    counts = 1.7e9 + np.cumsum(20 + random.integers(-2, 3, size=(81, 1, 3)), axis=0).astype(float)
    batch = Batch(torch.tensor(counts[:-1]), torch.tensor(counts[1:, :, :1]))
    model.fit_scale(Given(batch))
    torch.nn.init.zeros_(model.readout.weight), torch.nn.init.zeros_(model.readout.bias)
    found = model(batch.inputs)[0].detach()
    assert found.dtype == torch.float64
    drift = float(np.diff(counts[:, 0, 0]).mean())
    np.testing.assert_allclose(found[:, 0, 0], counts[:-1, 0, 0] + drift, rtol=0, atol=1e-5)
    np.testing.assert_allclose(model.mean, counts[:-1, 0].mean(axis=0), rtol=0, atol=1e-5)


def test_values_known_ahead_stand_beside_each_step() -> None:
    config = ForecasterConfig(3, known=(2, 1), horizon=2, hidden_size=4)
    assert config.targets == (0,)
    values, future = torch.arange(24.0).view(4, 2, 3), 100 + torch.arange(12.0).view(3, 2, 2)
    lengths = torch.tensor([4, 2])
    found = append_known_ahead(values, future, lengths, config)
    for b, length in enumerate(lengths.tolist()):
        rows = [values[t, b, [2, 1]].tolist() for t in range(length)]
        rows += future[:, b].tolist()
        for t in range(length):
            assert found[t, b].tolist() == [*values[t, b].tolist(), *rows[t + 1], *rows[t + 2]]


def test_a_model_reads_what_is_known_ahead_and_goes_on_beyond_its_horizon() -> None:
    model = forecaster(known=(1,), horizon=2, targets=(0, 2))
    values, future = torch.randn(6, 2, 3), torch.randn(6, 2, 1)
    found = model.forecast(values, steps=4, future=future)
    first = model.forecast(values, future=future[:2])
    assert not torch.equal(first, model.forecast(values, future=future[:2] + 1))
    longer = torch.cat((values, torch.stack((first[..., 0], future[:2, :, 0], first[..., 1]), -1)))
    rows = append_known_ahead(longer, future[2:], None, model.config)
    # At the end of the values proper, only two steps ahead were known when they were read.
    again = model(rows)[0][-1].view(2, 2, 2).transpose(0, 1)
    torch.testing.assert_close(found, torch.cat((first, again)))
    with pytest.raises(SequenceError, match="future must give them for 2 steps, got 0"):
        model.forecast(values)
    with pytest.raises(SequenceError, match=r"future must be \(steps, 2, 1\)"):
        model.forecast(values, future=future[:, :1])
    with pytest.raises(SequenceError, match="reads 5 values a step, got 3"):
        model(values)
    with pytest.raises(SequenceError, match="known ahead cannot be forecast"):
        forecaster(known=(1,), targets=(1,))
