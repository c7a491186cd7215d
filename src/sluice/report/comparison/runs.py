"""The runs of a comparison, by cell and lag."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sluice.report.comparison.settings import ComparisonSettings, TrialSpec
from sluice.report.comparison.trial import TrialResult

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ComparisonRuns:
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
        """A cell's runs at a lag, at its best learning rate there.

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
        return solve_rate(runs), -float(np.median(spent)), score

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
        found = [solve_rate(runs) for runs in each if runs]
        return (min(found), max(found)) if found else (1.0, 1.0)


def _final_score(run: TrialResult) -> float:
    score = run.scores[-1]
    return np.nan if score is None else score


def solve_rate(runs: list[TrialResult]) -> float:
    """The share of runs that solve the task."""
    return sum(run.solved is not None for run in runs) / len(runs)
