"""Forecasts beside other libraries: the same series, horizon, origins and minutes of training.

    python bench/forecasting.py [MINUTES]

Each method runs as a whole process (`bench/forecasters.py METHOD SERIES`), importing and reading
included, on this machine's processors; it may train for `MINUTES` (default 1) and writes its
forecasts at the same origins, which this script alone compares with what came. Rivals stand in an
environment of their own, named by `SLUICE_RIVALS` (the path of its python), since they pin other
versions: `pip install darts[torch] neuralforecast scikit-learn statsmodels`. One that is not
installed is left out, and said.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from paired import Report

ROOT = Path(__file__).parents[1]
LEVELS = (0.1, 0.5, 0.9)
METHODS = {
    "sluice": "`sluice train`, `forecast_series`: LSTM, 2 layers of 256, defaults",
    "darts": "darts `BlockRNNModel('LSTM')`, quantile likelihood",
    "neuralforecast": "neuralforecast `LSTM`, multi-quantile loss",
    "boosting": "scikit-learn `HistGradientBoostingRegressor` on lags and the step ahead",
    "linear": "scikit-learn `RidgeCV` on the window; quantiles of its errors in training",
    "season": "the last season; quantiles of its errors in training",
}


def compute_scores(truth: np.ndarray, found: np.ndarray, change: float) -> list[str]:
    """MAE of the median, MASE, CRPS of three levels, share within 80 %."""
    error = truth[..., None] - found
    levels = np.array(LEVELS)
    pinball = np.maximum(levels * error, (levels - 1) * error)
    inside = (found[..., 0] <= truth) & (truth <= found[..., 2])
    mae = np.abs(error[..., 1]).mean()
    return [
        f"{mae:.4g}",
        f"{mae / change:.3f}",
        f"{2 * pinball.mean():.4g}",
        f"{inside.mean():.2f}",
    ]


def run(
    report: Report, python: str, method: str, series: str, minutes: float, folder: Path
) -> float | None:
    """Seconds of a method's process; None if it is not installed."""
    began = time.perf_counter()
    done = subprocess.run(
        [python, str(ROOT / "bench" / "forecasters.py"), method, series, str(minutes), str(folder)],
        capture_output=True,
        text=True,
        cwd=folder,
    )
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["failed"])[-1]
        report.console.print(f"{method}: {why}", markup=False)
        return None
    return time.perf_counter() - began


def main(minutes: float = 1.0, chosen: list[str] | None = None) -> None:
    rivals = os.environ.get("SLUICE_RIVALS", sys.executable)
    report = Report(
        "forecasting",
        "Forecasts beside other libraries: error, coverage, seconds",
        ["series", "method", "MAE", "MASE", "CRPS", "within 80 %", "seconds"],
        [
            f"At most {minutes:g} minute(s) of training each, two processors. `co2`: monthly means "
            "of the CO2 of Mauna Loa (526 months; statsmodels), 12 months ahead from each of the "
            "last 37. `load`: a simulated hourly load with daily and weekly seasons, a holiday "
            "effect and autoregressive noise (8,760 hours), 24 hours ahead from 60 origins in the "
            "last tenth. CRPS is twice the mean pinball loss of the levels 0.1, 0.5 and 0.9; all "
            "is computed by one function of `bench/forecasting.py`.",
            "  ".join(f"{name}: {text}." for name, text in METHODS.items()),
        ],
    )
    for series in ("co2", "load"):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            subprocess.run(
                [sys.executable, str(ROOT / "bench" / "forecasters.py"), "data", series, "0", name],
                check=True,
            )
            task = json.loads((folder / "task.json").read_text())
            values = np.loadtxt(folder / "values.txt")
            rows = np.array(task["origins"])[:, None] + np.arange(task["horizon"])
            past = values[: task["origins"][0]]
            change = float(np.abs(past[task["period"] :] - past[: -task["period"]]).mean())
            for method in chosen or METHODS:
                python = sys.executable if method in ("sluice", "season") else rivals
                seconds = run(report, python, method, series, minutes, folder)
                if seconds is not None:
                    found = np.load(folder / f"{method}.npy")
                    scores = compute_scores(values[rows], found, change)
                    report.add(series, method, *scores, f"{seconds:.0f}")
                    report.keep(merge=2)


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else 1.0, sys.argv[2:])
