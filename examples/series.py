"""A series forecast some steps ahead, beside the last value (and, with --period, the last season).

    python examples/series.py OUT [--csv my.csv --target column --period 12] [--seconds 30]

Without --csv it is the EEG that matplotlib ships among its sample data: four channels, 800 steps.
The last fifth is kept for validation. OUT gets the series as CSV and a picture of one forecast.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from sluice.insight.plots import style
from sluice.render.theme import get_theme
from sluice.sequence import Series, TrainingConfig, load_data, make_task, train


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse_arguments(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    data = load_data(options.csv or eeg(options.out), target=options.target)
    model = make_task(
        data,
        validation=0.2,
        seq_len=options.window,
        horizon=options.horizon,
        period=options.period,
        hidden_size=options.hidden,
        num_layers=1,
        dropout=0.2,
    )
    print(data.report(), model.report, sep="\n")
    plan = TrainingConfig(seconds=options.seconds, validations=20)
    train(model.model, model.training, model.validation, plan)  # the best weights are kept
    Console().print(model.compute_metrics().to_table())
    picture(model.model, data, options.horizon).savefig(options.out / "series.png", dpi=150)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Forecast a series.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--target", action="append", default=[])
    parser.add_argument("--period", type=int)
    parser.add_argument("--horizon", type=int, default=5)
    parser.add_argument("--window", type=int, default=40)
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=30)
    return parser.parse_args(arguments)


def eeg(folder: Path) -> Path:
    """The recording as a CSV file with a column for each channel."""
    from matplotlib.cbook import get_sample_data

    with get_sample_data("eeg.dat") as file:
        values = np.frombuffer(file.read(), dtype=np.float64).reshape(-1, 4)
    path = folder / "eeg.csv"
    np.savetxt(path, values, delimiter=",", header="one,two,three,four", comments="", fmt="%.6g")
    return path


def picture(model: Any, data: Series, horizon: int, shown: int = 60) -> Any:
    """The end of the first target, and what was forecast for its last steps, unseen."""
    values = torch.as_tensor(np.asarray(data.values[0]), dtype=torch.float32)
    history = values[:-horizon]
    foretold = model.forecast(history[:, None])[:, 0, 0]
    column = model.config.targets[0]
    truth = values[-shown:, column]

    look = get_theme("light")
    figure = style.create_figure(look, 6.5, 2.8)
    axes = figure.subplots()
    steps, strokes = range(len(values) - len(truth), len(values)), style.line_styles(look)
    axes.plot(steps, truth, label="measured", **next(strokes))
    axes.plot(steps[-horizon:], foretold, label="forecast", marker=".", **next(strokes))
    style.style_axes(
        axes, look, "step", data.features[column], f"The last {horizon} steps forecast"
    )
    style.add_legend(axes, look, loc="upper left")
    return figure


if __name__ == "__main__":
    main()
