import math

import numpy as np
import pytest

from last_value_model import HALF_WIDTH, build_checkpoint
from sluice.sequence import DataError
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.series import Series
from sluice.sequence.forecasting import evaluate_forecasts

HORIZON = 3


def make_series(*rows: np.ndarray) -> Series:
    values = RaggedArray.of([one[:, None] for one in rows], np.float64)
    return Series(("level",), values, names=[f"s{n}" for n in range(len(rows))])


def walk(rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=rows).cumsum()


def test_scores_are_those_of_plain_loops() -> None:
    rows, period = walk(120, 0), 7
    rows[115] = np.nan
    scores = evaluate_forecasts(build_checkpoint(), make_series(rows), held_out=0.2, period=period)
    known = rows.copy()
    known[115] = known[114]
    errors: dict[str, list[float]] = {"model": [], f"last season ({period} steps)": []}
    crps, inside = [], []
    for origin in range(96, 118):
        for step in range(HORIZON):
            truth = rows[origin + step]
            if math.isnan(truth):
                continue
            last, season = known[origin - 1], known[origin + step - period]
            errors["model"].append(abs(truth - last))
            errors[f"last season ({period} steps)"].append(abs(truth - season))
            pinball = [
                max(level * (truth - end), (level - 1) * (truth - end))
                for level, end in ((0.1, last - HALF_WIDTH), (0.5, last), (0.9, last + HALF_WIDTH))
            ]
            crps.append(2 * (0.3 * pinball[0] + 0.4 * pinball[1] + 0.3 * pinball[2]))
            inside.append(abs(truth - last) <= HALF_WIDTH)
    scale = np.mean([abs(rows[t] - rows[t - period]) for t in range(period, 96)])
    for method, found in errors.items():
        computed = scores.compute(method)
        assert computed["MAE"] == pytest.approx(np.mean(found))
        assert computed["RMSE"] == pytest.approx(np.sqrt(np.mean(np.square(found))))
        assert computed["MASE"] == pytest.approx(np.mean(found) / scale)
    model = scores.compute()
    assert model["CRPS"] == pytest.approx(np.mean(crps))
    assert model["in 80 %"] == pytest.approx(np.mean(inside))
    assert scores.compute("last value")["MAE"] == pytest.approx(model["MAE"])


def test_no_origin_reads_what_comes_after_it() -> None:
    rows = walk(100, 1)
    changed = rows.copy()
    changed[95:] += 1000
    before, after = (
        evaluate_forecasts(build_checkpoint(), make_series(one), held_out=0.2, period=4)
        for one in (rows, changed)
    )
    early = 95 - 80 + 1 - HORIZON  # origins whose steps end before the change
    for method, found in before.predictions.items():
        other = after.predictions[method]
        np.testing.assert_array_equal(found.values[:early], other.values[:early])
        np.testing.assert_array_equal(found.quantiles[:early], other.quantiles[:early])


def test_a_linear_model_finds_what_is_linear() -> None:
    time = np.arange(300)
    rows = 5 + np.sin(2 * np.pi * time / 12)
    scores = evaluate_forecasts(build_checkpoint(), make_series(rows), period=12)
    linear = next(name for name in scores.predictions if name.startswith("linear"))
    assert (scores.compute(linear)["MAE"] or 0) < 0.02 < (scores.compute()["MAE"] or 0)
    assert scores.compute("last season (12 steps)")["MAE"] == pytest.approx(0, abs=1e-12)


def test_errors_in_the_past_give_intervals_that_hold() -> None:
    many = [walk(200, seed) for seed in range(20)]
    scores = evaluate_forecasts(build_checkpoint(), make_series(*many), origins=5)
    assert len(scores.places) == 100
    assert scores.compute("last value")["in 80 %"] == pytest.approx(0.8, abs=0.1)
    tables = {table.name: table for table in scores.to_score_tables()}
    assert [row[0] for row in tables["by step"].rows] == ["1", "2", "3"]
    assert [row[0] for row in tables["by series"].rows] == [f"s{n}" for n in range(20)]
    steps = [row[tables["by step"].columns.index("MAE")] for row in tables["by step"].rows]
    assert steps[2] == scores.compute(step=3)["MAE"]
    assert np.mean(steps) == pytest.approx(scores.compute()["MAE"])  # type: ignore[arg-type]


def test_series_of_two_columns_are_not_averaged_in_two_units() -> None:
    rows = np.stack((walk(100, 0), 1000 * walk(100, 1)), axis=1)
    series = Series(("a", "b"), RaggedArray.of([rows], np.float64), names=["s"])
    scores = evaluate_forecasts(build_checkpoint(("a", "b")), series, stride=4)
    assert scores.compute()["MAE"] is None and scores.compute()["MASE"] is not None
    (table,) = [one for one in scores.to_score_tables() if one.name == "by target"]
    assert table.rows[1][1] == scores.compute(target="b")["MAE"]
    # 10 rows are held out; a forecast of 3 fits at 90 and 94.
    assert len(scores.places) == 2


def test_refusals() -> None:
    series = make_series(walk(50, 0))
    with pytest.raises(DataError, match="held_out must be between 0 and 1, got 1"):
        evaluate_forecasts(build_checkpoint(), series, held_out=1)
    with pytest.raises(DataError, match="stride must be at least 1"):
        evaluate_forecasts(build_checkpoint(), series, stride=0)
    with pytest.raises(DataError, match="at least 4 rows, but the longest of s0 has 3"):
        evaluate_forecasts(build_checkpoint(), make_series(walk(3, 0)))
