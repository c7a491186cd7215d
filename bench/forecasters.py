"""The methods of `bench/forecasting.py`, each run in a process of its own.

    python bench/forecasters.py METHOD SERIES MINUTES FOLDER

`data` writes the series and the task to the folder; any other method reads them, trains on what
lies before the first origin, and writes `METHOD.npy`: (origins, horizon, quantiles 0.1 0.5 0.9).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

LEVELS = (0.1, 0.5, 0.9)


def write_data(series: str, folder: Path) -> None:
    if series == "co2":
        from statsmodels.datasets import co2

        months = co2.load_pandas().data["co2"].resample("MS").mean().interpolate()
        values, start, step = months.to_numpy(), months.index[0].to_pydatetime(), "month"
        task = {"horizon": 12, "period": 12, "window": 48}
        origins = list(range(len(values) - 48, len(values) - 11))
    else:
        values, start, step = simulate_load(), datetime(2023, 1, 1), "hour"
        task = {"horizon": 24, "period": 168, "window": 336}
        origins = np.linspace(len(values) * 0.9, len(values) - 24, 60).astype(int).tolist()
    np.savetxt(folder / "values.txt", values)
    task |= {"origins": origins, "step": step, "start": start.isoformat()}
    (folder / "task.json").write_text(json.dumps(task))


def simulate_load() -> np.ndarray:
    rng = np.random.default_rng(0)
    hours = np.arange(8760)
    day, week = hours % 24, hours // 24 % 7
    shape = 100 + 30 * np.sin((day - 8) * np.pi / 12) + 10 * np.sin((day - 3) * np.pi / 6)
    weekend = np.where(week >= 5, 0.75, 1.0)
    holiday = np.where(np.isin(hours // 24, rng.choice(365, 10, replace=False)), 0.8, 1.0)
    season = 15 * np.cos(hours * 2 * np.pi / 8760)
    noise = np.zeros(8760)
    for hour in range(1, 8760):
        noise[hour] = 0.9 * noise[hour - 1] + rng.normal(0, 2)
    return shape * weekend * holiday + season + noise


def read_times(task: dict[str, object], count: int) -> list[datetime]:
    start = datetime.fromisoformat(str(task["start"]))
    if task["step"] == "hour":
        return [start + timedelta(hours=n) for n in range(count)]
    first = start.year * 12 + start.month - 1
    return [datetime((first + n) // 12, (first + n) % 12 + 1, 1) for n in range(count)]


def run_sluice(
    values: np.ndarray, task: dict[str, object], minutes: float, folder: Path
) -> np.ndarray:
    """The commands that a user gives, and ten lines for many origins."""
    import dataclasses

    from sluice.sequence import Checkpoint, load_data
    from sluice.sequence.forecasting import forecast_series

    end = task["origins"][0]
    rows = [
        f"{time:%Y-%m-%dT%H:%M},{value}"
        for time, value in zip(read_times(task, len(values)), values, strict=True)
    ]
    (folder / "train.csv").write_text("\n".join(["time,value", *rows[:end]]))
    (folder / "all.csv").write_text("\n".join(["time,value", *rows]))
    subprocess.run(
        [
            sys.executable, "-m", "sluice", "train", "train.csv", "--minutes", str(minutes),
            "--horizon", str(task["horizon"]), "--period", str(task["period"]),
            "--threads", "2", "--out", "out",
        ],
        cwd=folder, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    checkpoint = Checkpoint.load(folder / "out" / "model.safetensors")
    series, found = load_data(folder / "all.csv"), []
    for origin in task["origins"]:
        cut = dataclasses.replace(
            series,
            values=series.values.slice_fraction(0, origin / len(values)),
            times=series.times.slice_fraction(0, origin / len(values)),
        )
        forecast = forecast_series(checkpoint, cut)
        places = [forecast.levels.index(level) for level in LEVELS]
        found.append(forecast.series[0].quantiles[:, 0, places])
    return np.stack(found)


def run_season(
    values: np.ndarray, task: dict[str, object], minutes: float, folder: Path
) -> np.ndarray:
    period, horizon, first = task["period"], task["horizon"], task["origins"][0]
    errors = values[period:first] - values[: first - period]
    spread = np.quantile(errors, LEVELS) - np.median(errors)
    found = [
        [values[origin + step - period] + spread for step in range(horizon)]
        for origin in task["origins"]
    ]
    return np.array(found)


def run_linear(
    values: np.ndarray, task: dict[str, object], minutes: float, folder: Path
) -> np.ndarray:
    from sklearn.linear_model import RidgeCV

    window, horizon, first = task["window"], task["horizon"], task["origins"][0]

    def describe(origin: int) -> np.ndarray:
        return values[origin - window : origin] - values[origin - 1]

    origins = range(window, first - horizon + 1)
    inputs = np.stack([describe(origin) for origin in origins])
    wanted = np.stack(
        [values[origin : origin + horizon] - values[origin - 1] for origin in origins]
    )
    model = RidgeCV(alphas=np.logspace(-3, 4, 8)).fit(inputs, wanted)
    spread = np.quantile(wanted - model.predict(inputs), LEVELS, axis=0).T
    found = [
        (model.predict(describe(origin)[None])[0] + values[origin - 1])[:, None] + spread
        for origin in task["origins"]
    ]
    return np.stack(found)


def run_boosting(
    values: np.ndarray, task: dict[str, object], minutes: float, folder: Path
) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingRegressor

    lags, horizon, first = task["period"] + 24, task["horizon"], task["origins"][0]
    chosen = [*range(1, 25), *range(task["period"] - 12, task["period"] + 13)]

    def describe(origin: int) -> np.ndarray:
        past = values[origin - lags : origin][::-1]
        return past[[lag - 1 for lag in chosen if lag <= lags]] - values[origin - 1]

    def add_steps(rows: np.ndarray) -> np.ndarray:
        """Each row once for each step ahead, the number of the step beside it."""
        steps = np.tile(np.arange(horizon), len(rows))
        return np.column_stack([rows.repeat(horizon, axis=0), steps])

    origins = range(lags, first - horizon + 1)
    inputs = add_steps(np.stack([describe(origin) for origin in origins]))
    wanted = np.concatenate(
        [values[origin : origin + horizon] - values[origin - 1] for origin in origins]
    )
    asked = add_steps(np.stack([describe(origin) for origin in task["origins"]]))
    last = values[np.array(task["origins"]) - 1][:, None]
    found = []
    for level in LEVELS:
        model = HistGradientBoostingRegressor(loss="quantile", quantile=level, random_state=0)
        found.append(model.fit(inputs, wanted).predict(asked).reshape(-1, horizon) + last)
    return np.sort(np.stack(found, axis=-1), axis=-1)


def run_darts(
    values: np.ndarray, task: dict[str, object], minutes: float, folder: Path
) -> np.ndarray:
    import pandas
    from darts import TimeSeries
    from darts.dataprocessing.transformers import Scaler
    from darts.models import BlockRNNModel
    from darts.utils.likelihood_models import QuantileRegression

    frame = pandas.Series(
        values.astype(np.float32), pandas.DatetimeIndex(read_times(task, len(values)))
    )
    series = TimeSeries.from_series(frame, freq="MS" if task["step"] == "month" else "h")
    first, scaler = task["origins"][0], Scaler()
    train = scaler.fit_transform(series[:first])
    model = BlockRNNModel(
        input_chunk_length=task["window"], output_chunk_length=task["horizon"], model="LSTM",
        likelihood=QuantileRegression(list(LEVELS)), n_epochs=10_000, random_state=0,
        pl_trainer_kwargs={
            "max_time": {"seconds": int(60 * minutes)}, "accelerator": "cpu",
            "enable_progress_bar": False, "logger": False,
        },
    )  # fmt: skip
    model.fit(train)
    histories = [scaler.transform(series[:origin]) for origin in task["origins"]]
    made = model.predict(task["horizon"], series=histories, predict_likelihood_parameters=True)
    columns = [one.values() for one in made]
    low, high = (
        scaler.inverse_transform(TimeSeries.from_values(np.array([0.0, 1.0]))).values().ravel()
    )
    return np.sort(np.stack(columns) * (high - low) + low, axis=-1)


def run_neuralforecast(
    values: np.ndarray, task: dict[str, object], minutes: float, folder: Path
) -> np.ndarray:
    import pandas
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MQLoss
    from neuralforecast.models import LSTM

    freq = "MS" if task["step"] == "month" else "h"
    frame = pandas.DataFrame(
        {"unique_id": "a", "ds": read_times(task, len(values)), "y": values.astype(np.float32)}
    )
    first = task["origins"][0]
    model = LSTM(
        h=task["horizon"], input_size=task["window"], loss=MQLoss(quantiles=list(LEVELS)),
        scaler_type="standard", max_steps=1_000_000, random_seed=0, val_check_steps=1_000_000,
        max_time={"seconds": int(60 * minutes)}, accelerator="cpu", enable_progress_bar=False,
        logger=False,
    )  # fmt: skip
    forecaster = NeuralForecast(models=[model], freq=freq)
    forecaster.fit(frame[:first])
    found = []
    for origin in task["origins"]:
        made = forecaster.predict(frame[:origin])
        found.append(made[[name for name in made.columns if name.startswith("LSTM")]].to_numpy())
    return np.sort(np.stack(found), axis=-1)


def main(method: str, series: str, minutes: str, folder: str) -> None:
    place = Path(folder)
    if method == "data":
        write_data(series, place)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    task = json.loads((place / "task.json").read_text())
    values = np.loadtxt(place / "values.txt")
    run = globals()[f"run_{method}"]
    np.save(place / f"{method}.npy", run(values, task, float(minutes), place))


if __name__ == "__main__":
    main(*sys.argv[1:])
