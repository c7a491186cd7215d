"""A seasonal series: made regular, forecast with intervals, and compared with a published figure.

    python examples/series.py OUT [--steps 600]

The series is the CO2 in the air of Mauna Loa, 1958 to 2001, weekly with gaps, which statsmodels
ships (Keeling & Whorf 2004; in the public domain). It is read as monthly means. The last 48 months,
from January 1998 on, are held out. OUT gets the series as CSV, the model, the forecasts and a
picture.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from sluice.sequence import Checkpoint, TrainingConfig, load_data, make_task, train
from sluice.sequence.forecasting import evaluate_forecasts, forecast_series

HELD_OUT = 48
PUBLISHED_MSE = 0.07
"""One month ahead from 1998-01 on, by a seasonal ARIMA (1, 1, 1)(1, 1, 1, 12) whose parameters were
fitted to all months, those of the test too: T. Vincent, "A Guide to Time Series Forecasting with
ARIMA in Python 3", DigitalOcean 2017."""


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse_arguments(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    table = write_table(options.out / "co2.csv")
    series = load_data(table, time="date", regular="month:mean,fill=interpolate")
    print(series.report())

    share = HELD_OUT / len(series.values[0])
    task = make_task(
        series, horizon=12, period=12, seq_len=48, validation=share, test=share,
        hidden_size=options.hidden, num_layers=1, dropout=0.1,
    )  # fmt: skip
    print(task.report)
    train(task.model, task.training, task.validation, TrainingConfig(steps=options.steps))
    task.calibrate()  # intervals that hold on the validation part
    task.checkpoint.save(options.out / "co2.safetensors")

    checkpoint = Checkpoint.load(options.out / "co2.safetensors")
    scores = evaluate_forecasts(checkpoint, series, held_out=share, stride=1)
    for score_table in scores.to_score_tables():
        Console(width=110).print(score_table.to_table())
    first = scores.compute(step=1)["RMSE"]
    print(f"One month ahead: RMSE {first:.2f} ppm; published: {PUBLISHED_MSE**0.5:.2f}.")

    forecast = forecast_series(checkpoint, series)  # the twelve months after the last
    print(forecast.describe())
    forecast.save_csv(options.out / "forecast.csv")
    forecast.plot().savefig(options.out / "forecast.png", dpi=150)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Forecast a seasonal series.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--hidden", type=int, default=64)
    return parser.parse_args(arguments)


def write_table(path: Path) -> Path:
    """The weekly values as CSV; an empty cell is a week without one."""
    from statsmodels.datasets import co2

    weeks = co2.load_pandas().data
    weeks.to_csv(path, index_label="date")
    return path


if __name__ == "__main__":
    main()
