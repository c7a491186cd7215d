from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from sluice.sequence import DataError, Series, evaluate, make_task
from sluice.sequence.batch import Batch
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.metrics.forecasts import measure_residuals

SIZES: dict[str, Any] = {"hidden_size": 4, "num_layers": 1, "dropout": 0.0}


def count_up(*lengths: int, **changes: Any) -> Series:
    """Series whose values say where they stand: 1000 × series + step."""
    values = [
        np.stack((1000 * n + np.arange(size), np.zeros(size)), 1)
        for n, size in enumerate(lengths, 1)
    ]
    return Series(("x", "price"), RaggedArray.of(values, np.float64), ("x",), **changes)


def test_each_held_out_value_is_forecast_once_from_each_distance() -> None:
    task = make_task(count_up(100, 57), horizon=3, seq_len=12, batch_size=4, **SIZES)
    ends = {1: (80, 90, 100), 2: (46, 51, 57)}
    assert task.test is not None
    for number, source in enumerate((task.validation, task.test)):
        seen = Counter[tuple[int, int]]()
        for batch in source.batches(0):
            for t, b, k in (~batch.targets.isnan()).nonzero().tolist():
                value = int(batch.targets[t, b, k])
                assert value == int(batch.inputs[t, b, 0]) + k + 1
                seen[value, k] += 1
        expected = {
            (1000 * series + step, k)
            for series, cut in ends.items()
            for step in range(cut[number], cut[number + 1])
            for k in range(3)
        }
        assert seen.keys() == expected and set(seen.values()) == {1}
    trained = {int(batch.targets.nan_to_num().max()) for batch in task.training.batches(0)}
    assert max(trained) == 2045
    assert "which nothing was chosen by" in task.report


def test_missing_values_stay_missing_for_the_model_to_fill() -> None:
    series = count_up(100)
    series.values.flat[:3, 0] = np.nan
    task = make_task(series, seq_len=50, **SIZES)
    assert task.model.config.indicate
    inputs = torch.cat([batch.inputs[:, :, 0].T for batch in task.training.batches(0)])
    assert inputs.isnan().any() and not (inputs == 0).any()


def test_what_is_known_ahead_is_named_and_read() -> None:
    task = make_task(count_up(100), horizon=3, seq_len=12, known=("price",), **SIZES)
    assert task.model.config.known == (1,) and task.model.config.targets == (0,)
    (batch, *_) = task.training.batches(0)
    assert batch.inputs.shape[2] == 2 + 3
    with pytest.raises(DataError, match="The column 'cost', known ahead, is none of those"):
        make_task(count_up(100), known=("cost",))
    with pytest.raises(DataError, match="'x' is to be forecast, so it cannot be known ahead"):
        make_task(count_up(100), known=("x",))
    with pytest.raises(DataError, match="too few to train on"):
        make_task(count_up(1))


def test_figures_of_intervals_in_plain_loops() -> None:
    random = np.random.default_rng(1)
    values = random.normal(size=(200, 1)).cumsum(axis=0)
    series = Series(("x",), RaggedArray.of([values], np.float64))
    levels = (0.1, 0.5, 0.9)
    task = make_task(series, horizon=2, seq_len=20, batch_size=8, quantiles=levels, **SIZES)
    task.calibrate()
    found = task.compute_metrics()
    model: Any = task.model
    assert task.test is not None
    rows = []
    for batch in task.test.batches(0):
        ends = model.predict_quantiles(batch.inputs, None, batch.lengths)[0].detach()
        for t, b, k in (~batch.targets.isnan()).nonzero().tolist():
            rows.append((k, float(batch.targets[t, b, k]), ends[t, b, k].tolist()))
    assert found.items == len(rows) == 2 * 20
    for step in (None, 0, 1):
        mine = [(y, e) for k, y, e in rows if step in (None, k)]
        inside = np.mean([low <= y <= high for y, (low, _, high) in mine])
        shares = (0.3, 0.4, 0.3)
        score = np.mean(
            [
                sum(
                    2 * w * max(q * (y - v), (q - 1) * (y - v))
                    for w, q, v in zip(shares, levels, e, strict=True)
                )
                for y, e in mine
            ]
        )
        figures = found.by_method["model"] if step is None else found.by_step[str(step + 1)]
        assert figures["in 80 %"] == pytest.approx(inside)
        assert figures["CRPS"] == pytest.approx(score)
        if step is not None:
            width = np.mean([e[2] - e[0] for _, e in mine])
            assert figures["width of 80 %"] == pytest.approx(width)
    assert [*found.by_method] == ["model", "last value", "linear (15 steps)"]
    assert len(found.to_score_tables()) == 2


def test_the_intervals_of_a_baseline_are_quantiles_of_its_errors() -> None:
    class Naught:
        name, history = "naught", 1

        def predict(self, batch: Batch) -> torch.Tensor:
            return torch.zeros_like(batch.targets)

    targets = torch.randn(30, 4, 2).double()
    targets[5] = torch.nan

    class Given:
        stateful = False

        def __len__(self) -> int:
            return 1

        def batches(self, epoch: int, first: int = 0) -> Any:
            return iter([Batch(targets, targets)])

    found = measure_residuals(Naught(), Given(), (0.1, 0.5, 0.9))
    rows = targets[1:].flatten(0, 1).numpy()
    np.testing.assert_allclose(found, np.nanquantile(rows, (0.1, 0.5, 0.9), axis=0).T)


def test_a_season_is_one_more_baseline() -> None:
    values = np.sin(np.arange(300) * 2 * np.pi / 12)[:, None]
    series = Series(("x",), RaggedArray.of([values], np.float64))
    task = make_task(series, horizon=12, seq_len=40, period=12, **SIZES)
    figures = evaluate(task.model, task.test or task.validation, **task.evaluation_options)
    assert figures.by_method["last season (12 steps)"]["MAE"] == pytest.approx(0, abs=1e-9)
    assert figures.by_method["linear (24 steps)"]["MAE"] < 0.05
