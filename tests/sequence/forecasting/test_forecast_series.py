import csv
import io
from pathlib import Path

import numpy as np
import pytest
import torch

from last_value_model import HALF_WIDTH, build_checkpoint
from sluice.sequence import Checkpoint, DataError, LanguageModel, LanguageModelConfig, Vocabulary
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.series import Series
from sluice.sequence.forecasting import forecast_series, select_series
from sluice.sequence.model_series import load_model_series


def make_series(*sequences: list[list[float]], columns: tuple[str, ...] = ("level",)) -> Series:
    values = RaggedArray.of(sequences, np.float64)
    return Series(columns, values, names=[f"s{n}" for n in range(len(sequences))])


def column(*values: float) -> list[list[float]]:
    return [[value] for value in values]


def test_the_last_value_with_intervals_of_every_series() -> None:
    series = make_series(column(1, 2, 7), column(*range(50)))
    found = forecast_series(build_checkpoint(), series)
    assert [one.name for one in found.series] == ["s0", "s1"]
    assert (found.targets, found.levels, found.intervals) == (("level",), (0.1, 0.5, 0.9), (80.0,))
    for one, last, rows in zip(found.series, (7.0, 49.0), (3, 50), strict=True):
        np.testing.assert_allclose(one.values, np.full((3, 1), last))
        ends = [last - HALF_WIDTH, last, last + HALF_WIDTH]
        np.testing.assert_allclose(one.quantiles, np.tile(ends, (3, 1, 1)), rtol=1e-6)
        assert one.times.tolist() == [rows + 1, rows + 2, rows + 3]


def test_only_the_window_of_the_training_is_read() -> None:
    torch.manual_seed(3)
    checkpoint = build_checkpoint(window=5)
    model = checkpoint.model
    with torch.no_grad():
        model.readout.weight.normal_()
    rows = torch.randn(30, dtype=torch.float64).tolist()
    found = forecast_series(checkpoint, make_series(column(*rows))).series[0].values
    short = forecast_series(checkpoint, make_series(column(*rows[-5:]))).series[0].values
    np.testing.assert_array_equal(found, short)
    whole = forecast_series(build_checkpoint(window=None), make_series(column(*rows)))
    assert whole.series[0].values[0, 0] == pytest.approx(rows[-1])


def test_a_batch_gives_each_series_what_it_gets_alone() -> None:
    checkpoint = build_checkpoint(window=8)
    with torch.no_grad():
        checkpoint.model.readout.weight.normal_()
    sequences = [column(*torch.randn(n, dtype=torch.float64).tolist()) for n in (1, 4, 8, 20)]
    together = forecast_series(checkpoint, make_series(*sequences))
    for one, alone in zip(together.series, sequences, strict=True):
        expected = forecast_series(checkpoint, make_series(alone)).series[0]
        np.testing.assert_allclose(one.values, expected.values, rtol=1e-6)
        np.testing.assert_allclose(one.quantiles, expected.quantiles, rtol=1e-6)


def test_a_counter_keeps_its_units() -> None:
    rows = [1.7e9 + 20 * n for n in range(40)]
    found = forecast_series(build_checkpoint(), make_series(column(*rows))).series[0]
    assert found.values[:, 0].tolist() == [rows[-1]] * 3


def test_steps_beyond_the_horizon_go_on_without_intervals() -> None:
    found = forecast_series(build_checkpoint(), make_series(column(1, 2)), steps=5)
    assert found.series[0].values[:, 0].tolist() == [2] * 5
    assert np.isnan(found.series[0].quantiles[3:]).all()
    assert not np.isnan(found.series[0].quantiles[:3]).any()
    assert any("beyond the horizon of 3" in note for note in found.notes)


def test_missing_values_at_the_end() -> None:
    missing = float("nan")
    found = forecast_series(build_checkpoint(), make_series(column(1, 4, missing, missing)))
    (one,) = found.series
    assert one.values[:, 0].tolist() == [4, 4, 4]
    assert one.times.tolist() == [3, 4, 5]
    assert any("2 of s0" in note and "level" in note for note in found.notes)


def test_values_known_ahead_are_read_from_the_rows_after_the_end() -> None:
    columns = ("price", "sold")
    checkpoint = build_checkpoint(columns, horizon=2, targets=(1,), known=(0,))
    missing = float("nan")
    rows = [[3.0, 10.0], [3.0, 11.0], [2.0, missing], [3.0, missing], [3.0, missing]]
    series = make_series(rows, columns=columns)
    found = forecast_series(checkpoint, series)
    assert found.series[0].values.tolist() == [[11.0], [11.0]]
    # The model itself, on the same rows, with weights that use the price.
    with torch.no_grad():
        checkpoint.model.readout.weight.normal_()
    found = forecast_series(checkpoint, series)
    history = torch.tensor(rows[:2], dtype=torch.float64)[:, None]
    future = torch.tensor([[2.0], [3.0], [3.0]], dtype=torch.float64)[:, None]
    expected = checkpoint.model.forecast(history, torch.tensor([2]), 2, future)
    np.testing.assert_allclose(found.series[0].values, expected[:, 0].detach().numpy())
    other = forecast_series(checkpoint, series, future=make_series(
        [[9.0, missing], [9.0, missing]], columns=columns
    ))  # fmt: skip
    assert other.series[0].values.tolist() != found.series[0].values.tolist()


def test_refusals() -> None:
    missing = float("nan")
    series = make_series(column(1, 2, 3))
    vocabulary = Vocabulary(["a"])
    language = LanguageModel(LanguageModelConfig(len(vocabulary), hidden_size=2))
    with pytest.raises(DataError, match="LanguageModel does not forecast"):
        forecast_series(Checkpoint(language, vocabulary), series)
    with pytest.raises(DataError, match="columns height, in this order, got level"):
        forecast_series(build_checkpoint(("height",)), series)
    with pytest.raises(DataError, match="Series s1 has no value of level in 2 rows"):
        forecast_series(build_checkpoint(), make_series(column(1), column(missing, missing)))
    with pytest.raises(DataError, match="steps must be at least 1, got 0"):
        forecast_series(build_checkpoint(), series, steps=0)
    columns = ("price", "sold")
    partial = build_checkpoint(columns, targets=(1,))
    two = make_series([[1.0, 2.0], [1.0, 3.0]], columns=columns)
    with pytest.raises(DataError, match=r"horizon of 3, got 4.*does not forecast price"):
        forecast_series(partial, two, steps=4)
    known = build_checkpoint(columns, targets=(1,), known=(0,))
    with pytest.raises(DataError, match=r"reads price of the steps.*s0 has 0 rows"):
        forecast_series(known, two)
    with pytest.raises(DataError, match="must be one of s0, got 's9'"):
        select_series(series, ["s9"])
    with pytest.raises(DataError, match=r"interval must be one of 80, .*got 95"):
        forecast_series(build_checkpoint(), series).find_interval(95)


def test_a_table_from_the_file_to_the_file(tmp_path: Path) -> None:
    table = tmp_path / "shops.csv"
    rows = [
        f"2024-{month:02}-01,{name},{month * factor}\n"
        for name, factor in (("a", 1), ("b", 10))
        for month in range(1, 13)
    ]
    table.write_text("month,id,level\n" + "".join(rows))
    checkpoint = build_checkpoint(load_options={"time": "month"})
    found = forecast_series(checkpoint, load_model_series(checkpoint, table))
    found.save_csv(tmp_path / "f.csv")
    written = [*csv.DictReader(io.StringIO((tmp_path / "f.csv").read_text()))]
    assert [*written[0]] == ["series", "month", "target", "forecast", "q10", "q50", "q90"]
    assert [(one["series"], one["month"], one["forecast"]) for one in written] == [
        (name, f"2025-0{month}-01", value)
        for name, value in (("a", "12"), ("b", "120"))
        for month in (1, 2, 3)
    ]
    assert float(written[0]["q10"]) == pytest.approx(12 - HALF_WIDTH)
    found.save_csv(tmp_path / "f.csv", interval=80)
    assert (tmp_path / "f.csv").read_text().startswith("series,month,target,forecast,q10,q90\n")
    figure = found.plot()
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a", "b"]
