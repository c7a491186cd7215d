"""What a comparison found: verdicts, arrays, a table, pictures, JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sluice.files import StrPath, write_atomically
from sluice.report.comparison.settings import SOLVED, ComparisonSettings, TrialSpec
from sluice.report.comparison.trial import TrialResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]


class Verdict(NamedTuple):
    """How far a cell came.

    Attributes:
        cell: which.
        learns: the longest lag up to which, at every lag, most of its runs solve the task; None
            if it fails at the shortest.
        stops: the first lag at which most runs do not; None if there is none.
        before, after: there, or else at the longest lag, the median share of the last step's
            gradient that arrives at the first step, before training and after it.
    """

    cell: str
    learns: int | None
    stops: int | None
    before: float
    after: float

    def __str__(self) -> str:
        share = (
            f"there {self.before:.0e} of the last step's gradient arrives at the first before "
            f"training, {self.after:.0e} after it"
        )
        if self.stops is None:
            return f"{self.cell} learns every lag up to {self.learns}; {share}"
        return f"{self.cell} stops learning at lag {self.stops}; {share}"


@dataclass(frozen=True)
class Comparison:
    """Runs of several cells on one task at several lags.

    Attributes:
        settings: what was compared, and how.
        runs: the finished runs by cell, lag, seed and rate.
        ended: ``"done"``, ``"interrupted"`` or ``"out of time"``.
    """

    settings: ComparisonSettings
    runs: dict[TrialSpec, TrialResult]
    stop_reason: str

    def select_runs(self, cell: str, lag: int) -> list[TrialResult]:
        """A cell's runs at a lag, at the learning rate that serves it best there.

        That is the rate at which most runs solve the task; of equals that at which they need the
        fewest updates, then that with the best median score.
        """
        found: dict[float, list[TrialResult]] = {}
        for job, run in self.runs.items():
            if (job.cell, job.lag) == (cell, lag):
                found.setdefault(job.rate, []).append(run)
        return max(found.values(), key=self._rate_runs, default=[])

    def _rate_runs(self, runs: list[TrialResult]) -> tuple[float, float, float]:
        spent = [run.solved or self.settings.steps for run in runs]
        score = float(np.median([_final_score(run) for run in runs]))
        return _solve_rate(runs), -float(np.median(spent)), score

    def scores(self, cell: str) -> Array:
        """Final scores, ``(lags, seeds)``; NaN where there is no run."""
        found = np.full((len(self.settings.lags), self.settings.seeds), np.nan)
        for row, lag in enumerate(self.settings.lags):
            for run in self.select_runs(cell, lag):
                found[row, run.seed] = _final_score(run)
        return found

    def curves(self, cell: str, lag: int, what: str = "losses") -> tuple[Array, Array]:
        """``losses``, ``scores`` or ``arrives`` over updates: ``(points,)``, ``(runs, points)``.

        A run that ended stays where it ended. NaN for what was not finite.
        """
        runs = self.select_runs(cell, lag)
        longest: list[int] = max((run.updates for run in runs), key=len, default=[])
        rows = np.full((len(runs), len(longest)), np.nan)
        for row, run in zip(rows, runs, strict=True):
            values = [np.nan if value is None else value for value in getattr(run, what)]
            row[:] = values + [values[-1]] * (len(longest) - len(values))
        return np.array(longest, dtype=np.float64), rows

    def flows(self, cell: str, lag: int, when: str = "before") -> Array:
        """‖∂L/∂s_t‖ ``before`` training or ``after`` it, ``(runs, time)``."""
        return np.array(
            [getattr(run, when) for run in self.select_runs(cell, lag)], dtype=np.float64
        )

    def verdicts(self) -> list[Verdict]:
        """How far each cell came."""
        return [self._verdict(cell) for cell in self.settings.cells if self._has_runs(cell)]

    def _has_runs(self, cell: str) -> bool:
        return any(job.cell == cell for job in self.runs)

    def _verdict(self, cell: str) -> Verdict:
        learns, stops = None, None
        for lag in self.settings.lags:
            runs = self.select_runs(cell, lag)
            if not runs:
                continue
            if _solve_rate(runs) <= 0.5:
                stops = lag
                break
            learns = lag
        lag = stops or learns or self.settings.lags[0]
        shares = [_gradient_ratio(self.flows(cell, lag, when)) for when in ("before", "after")]
        return Verdict(cell, learns, stops, *shares)

    def find_discriminating_lag(self) -> int:
        """The shortest lag at which no run of one cell succeeds and most of another do; where
        there is none, that at which most of one fail; else the longest.
        """
        longest = max((job.lag for job in self.runs), default=self.settings.lags[-1])
        parted = [(lag, *self._solve_rate_range(lag)) for lag in self.settings.lags]
        clear = [lag for lag, least, most in parted if least == 0 and most > 0.5]
        fair = [lag for lag, least, most in parted if least <= 0.5 < most]
        return min(clear or fair or [longest])

    def _solve_rate_range(self, lag: int) -> tuple[float, float]:
        """The least and the greatest share of a cell's runs that solve the task at a lag."""
        each = [self.select_runs(cell, lag) for cell in self.settings.cells]
        found = [_solve_rate(runs) for runs in each if runs]
        return (min(found), max(found)) if found else (1.0, 1.0)

    def figures(self, theme: str = "light") -> dict[str, Figure]:
        """The pictures by name: ``comparison``, ``curves`` and ``gradients``.

        Raises:
            MissingExtra: matplotlib is not installed.
            ValueError: an unknown style, or no run to draw.
        """
        from sluice.report.comparison import pictures

        if not self.runs:
            raise ValueError("no run has come to its end; there is nothing to draw yet")
        return {
            "comparison": pictures.plot_comparison(self, theme),
            "curves": pictures.plot_curves(self, theme),
            "gradients": pictures.plot_gradients(self, theme),
        }

    def as_json(self) -> dict[str, Any]:
        """Everything: settings, verdicts, the rates chosen, all runs."""
        settings = self.settings
        task = {k: v for k, v in asdict(settings.task).items() if not k.startswith("_")}
        return {
            "task": task,
            "solved from score": SOLVED,
            "settings": settings.common_settings()
            | {"lags": settings.lags, "seeds": settings.seeds, "rates": settings.rates},
            "ended": self.stop_reason,
            "verdicts": [
                {name: None if value != value else value for name, value in one._asdict().items()}
                for one in self.verdicts()
            ],
            "chosen rates": {
                cell: {
                    lag: runs[0].rate
                    for lag in settings.lags
                    if (runs := self.select_runs(cell, lag))
                }
                for cell in settings.cells
            },
            "runs": [run.as_json() for run in self.runs.values()],
        }

    def save(self, folder: StrPath, theme: str = "light") -> list[Path]:
        """Write ``comparison.json``, and the pictures as PNG and SVG; the paths.

        Raises:
            OSError: the folder cannot be written.
        """
        from sluice.render.picture import save_figure

        folder = Path(folder)
        paths = [folder / "comparison.json"]
        write_atomically(paths[0], json.dumps(self.as_json(), indent=1).encode())
        for name, figure in self.figures(theme).items():
            for ending in ("png", "svg"):
                paths.append(folder / f"{name}.{ending}")
                save_figure(figure, paths[-1])
                figure.set_layout_engine("none")  # it stays as it was laid out for the first
        return paths


def _final_score(run: TrialResult) -> float:
    score = run.scores[-1]
    return np.nan if score is None else score


def _solve_rate(runs: list[TrialResult]) -> float:
    return sum(run.solved is not None for run in runs) / len(runs)


def _gradient_ratio(flows: Array) -> float:
    """The median share of the last step's norm that arrives at the first."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.median(flows[:, 0] / flows[:, -1]))
