"""The linear part of a forecaster, beside least squares in plain loops."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from sluice.sequence import SequenceError, Series, evaluate_forecasts, make_task
from sluice.sequence.batch import Batch
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.metrics.linear_forecast import LinearForecast
from sluice.sequence.models import Forecaster, ForecasterConfig
from sluice.sequence.models.linear_part import LinearPart, choose_lags, invert_order
from sluice.sequence.models.quantiles import order_quantiles

SIZES: dict[str, Any] = {"hidden_size": 4, "num_layers": 1, "dropout": 0.0}


class Given:
    stateful = False

    def __init__(self, *batches: Batch) -> None:
        self.given = batches

    def __len__(self) -> int:
        return len(self.given)

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        return iter(self.given[first:])


def draw(rows: int, seed: int = 0) -> np.ndarray:
    """An autoregression of order 2 around a level of 30."""
    random = np.random.default_rng(seed)
    x = np.zeros(rows)
    for t in range(2, rows):
        x[t] = 1.2 * x[t - 1] - 0.5 * x[t - 2] + random.normal()
    return 30 + x


def make_batch(x: np.ndarray, horizon: int) -> Batch:
    """One sequence of all steps that have a whole horizon after them."""
    steps = len(x) - horizon
    ahead = [[x[t + k] for k in range(1, horizon + 1)] for t in range(steps)]
    return Batch(torch.tensor(x[:steps])[:, None, None], torch.tensor(np.array(ahead))[:, None])


def solve_ridge(rows: np.ndarray, wanted: np.ndarray, ridge: float) -> np.ndarray:
    """By numpy's least squares, with a row for each penalty; the first column is free."""
    penalty = np.sqrt(ridge * (rows**2).sum(axis=0))
    penalty[0] = 0
    whole = np.vstack((rows, np.diag(penalty)))
    aim = np.concatenate((wanted, np.zeros((rows.shape[1], *wanted.shape[1:]))))
    return np.linalg.lstsq(whole, aim, rcond=None)[0]


def describe(z: np.ndarray, t: int, lags: int) -> list[float]:
    return [1.0, z[t], *(z[t - k] - z[t] for k in range(lags - 1, 0, -1))]


def test_weights_are_those_of_least_squares() -> None:
    x, lags = draw(300), 5
    model = Forecaster(ForecasterConfig(1, horizon=2, changes=True, linear_lags=lags, **SIZES))
    model.fit_scale(Given(make_batch(x, 2)))
    z = (x - x[:298].mean()) / x[:298].std()
    rows = np.array([describe(z, t, lags) for t in range(lags - 1, 298)])
    wanted = np.array([[z[t + 1] - z[t], z[t + 2] - z[t]] for t in range(lags - 1, 298)])
    expected = solve_ridge(rows, wanted, 1e-3)
    assert model.linear is not None
    np.testing.assert_allclose(model.linear.weights[:, 0].T, expected, atol=1e-6)
    # Until it is trained, the model forecasts as its linear part does.
    found = model(torch.tensor(x[100:140])[:, None, None])[0].detach()
    t = 130
    change = np.array(describe(z, t, lags)) @ expected * x[:298].std()
    np.testing.assert_allclose(found[30, 0], x[t] + change, atol=1e-4)
    early = [1.0, z[101], 0, 0, 0, z[100] - z[101]]  # what is before the start is no change
    np.testing.assert_allclose(
        found[1, 0], x[101] + np.array(early) @ expected * x[:298].std(), atol=1e-4
    )


def test_held_out_data_choose_the_penalty_and_are_fitted_too() -> None:
    x, lags = draw(400, 1), 4
    first, second = make_batch(x[:300], 1), make_batch(x[300:], 1)
    part = LinearPart(ForecasterConfig(1, changes=True, linear_lags=lags, **SIZES), lags)
    zero, one = torch.zeros(1).double(), torch.ones(1).double()
    part.fit(Given(first), zero, one, Given(second))
    parts = []
    for begin, end in ((0, 300), (300, 400)):
        span = range(begin + lags - 1, end - 1)
        parts.append(
            (
                np.array([describe(x, t, lags) for t in span]),
                np.array([x[t + 1] - x[t] for t in span]),
            )
        )
    (rows, wanted), (later, came) = parts
    tried = []
    for ridge in (1e-3, 1e-2, 1e-1, 1.0):
        for reads in (True, False):
            keep = np.array([True, reads, *[True] * (lags - 1)])
            weights = np.zeros(lags + 1)
            weights[keep] = solve_ridge(rows[:, keep], wanted, ridge)
            error = np.abs(came - later @ weights).mean()
            both = np.zeros(lags + 1)
            joined = np.vstack((rows, later))[:, keep]
            both[keep] = solve_ridge(joined, np.concatenate((wanted, came)), ridge)
            tried.append((error, weights, both))
    best = min(tried, key=lambda one: one[0])
    assert part.training_weights is not None
    np.testing.assert_allclose(part.training_weights[0, 0], best[1], rtol=1e-5)
    np.testing.assert_allclose(part.weights[0, 0], best[2], rtol=1e-5)


def test_what_is_known_ahead_is_read_of_its_own_step() -> None:
    random = np.random.default_rng(2)
    price, base = random.normal(size=200), draw(200)
    x = base + 3 * price
    config = ForecasterConfig(
        2, targets=(0,), known=(1,), horizon=2, changes=True, linear_lags=3, **SIZES
    )
    steps = 198
    inputs = np.array([[x[t], price[t], price[t + 1], price[t + 2]] for t in range(steps)])
    targets = np.array([[x[t + 1], x[t + 2]] for t in range(steps)])
    model = Forecaster(config)
    model.fit_scale(Given(Batch(torch.tensor(inputs)[:, None], torch.tensor(targets)[:, None])))
    assert model.linear is not None and model.linear.weights.shape == (2, 1, 1 + 2 * 3 + 1)
    found = model(torch.tensor(inputs)[:, None])[0][3:, 0].detach().numpy()
    assert np.abs(found - targets[3:]).mean() < 0.6 * np.abs(x[4:199] - x[3:198]).mean()
    scale = model.linear.weights[:, 0, -1] * model.deviation[0] / model.deviation[1]
    np.testing.assert_allclose(scale, 3, atol=0.3)


@pytest.mark.parametrize("cut", [1, 3, 7])
def test_it_goes_on_where_it_ended(cut: int) -> None:
    model = Forecaster(
        ForecasterConfig(
            2, horizon=2, changes=True, linear_lags=4, quantiles=(0.1, 0.5, 0.9), **SIZES
        )
    ).eval()
    torch.nn.init.normal_(model.linear.weights)  # type: ignore[union-attr]
    values, lengths = torch.randn(12, 3, 2).double(), torch.tensor([12, 12, 12])
    whole, _ = model.predict_quantiles(values)
    first, state = model.predict_quantiles(values[:cut], None, lengths.clamp_max(cut))
    second, _ = model.predict_quantiles(values[cut:], state)
    torch.testing.assert_close(torch.cat((first, second)), whole)
    # A shorter sequence goes on from its own end.
    lengths = torch.tensor([5, 2, 7])
    _, state = model(values[:7], None, lengths)
    after, _ = model(values[7:], state)
    for column, length in enumerate(lengths.tolist()):
        alone = torch.cat((values[:length, column], values[7:, column]))[:, None]
        torch.testing.assert_close(after[:, column], model(alone)[0][length:, 0])
    resets = torch.zeros(12, 3, dtype=torch.bool)
    resets[6, 1] = True
    found, state = model(values, None, None, resets)
    torch.testing.assert_close(found[6:, 1], model(values[6:, 1:2])[0][:, 0])
    later, again = torch.randn(2, 3, 2).double(), model(values[6:, 1:2])[1]
    torch.testing.assert_close(model(later, state)[0][:, 1], model(later[:, 1:2], again)[0][:, 0])


def test_only_steps_with_all_lags_are_trained_on() -> None:
    model = Forecaster(ForecasterConfig(1, changes=True, linear_lags=4, **SIZES))
    lengths = torch.tensor([6, 2])
    inputs, targets = torch.randn(6, 2, 1), torch.randn(6, 2, 1)
    targets[2:, 1] = torch.nan
    batch = Batch(inputs, targets, lengths)
    found = model.train().step_losses(batch).items
    assert found.T.tolist() == [[0, 0, 0, 1, 1, 1], [1, 1, 0, 0, 0, 0]]
    assert int(model.eval().step_losses(batch).items.sum()) == 8


def test_quantiles_as_outputs_of_a_readout() -> None:
    wanted = torch.tensor([[-3.0, -1.0, -0.5, 0.25, 4.0]])
    torch.testing.assert_close(order_quantiles(invert_order(wanted)), wanted)


def test_lags_fit_windows_rows_and_features() -> None:
    assert choose_lags(window=400, steps=9000, features=1, horizon=24, period=168) == 300
    assert choose_lags(window=100, steps=9000, features=40, horizon=24, period=24) == 12
    assert choose_lags(window=100, steps=60, features=1, horizon=1, period=None) == 15
    assert choose_lags(window=1, steps=2, features=1, horizon=1, period=None) == 1
    with pytest.raises(SequenceError, match="set changes too"):
        ForecasterConfig(1, linear_lags=2)
    with pytest.raises(ValueError, match="needs one that is fitted"):
        LinearForecast(Forecaster(ForecasterConfig(1, **SIZES)))


def test_training_and_evaluation_give_one_figure_for_it() -> None:
    series = Series(("x",), RaggedArray.of([draw(205)[:, None]], np.float64))
    task = make_task(series, seq_len=40, period=6, **SIZES)
    task.calibrate()
    trained = task.compute_metrics().by_method["linear (24 steps)"]
    scores = evaluate_forecasts(task.checkpoint, series, stride=1)
    evaluated = scores.compute("linear (24 steps)")
    assert trained == pytest.approx(evaluated)
    names = ("last season (6 steps)", "model")
    for name in names:
        mine, other = task.compute_metrics().by_method[name], scores.compute(name)
        assert mine["MASE"] == pytest.approx(other["MASE"], rel=1e-5)
