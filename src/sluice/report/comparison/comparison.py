"""What a comparison found: verdicts, arrays, a table, pictures, JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sluice.files import StrPath, write_atomically
from sluice.render.picture import save_figure
from sluice.report.comparison import pictures
from sluice.report.comparison.runs import Array, ComparisonRuns, solve_rate
from sluice.report.comparison.settings import SOLVED

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Verdict(NamedTuple):
    """Up to which lag a cell learns.

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
class Comparison(ComparisonRuns):
    """Runs of several cells on one task at several lags: verdicts, pictures and files."""

    def verdicts(self) -> list[Verdict]:
        """Up to which lag each cell learns."""
        return [self._verdict(cell) for cell in self.settings.cells if self._has_runs(cell)]

    def _has_runs(self, cell: str) -> bool:
        return any(job.cell == cell for job in self.runs)

    def _verdict(self, cell: str) -> Verdict:
        learns, stops = None, None
        for lag in self.settings.lags:
            runs = self.select_runs(cell, lag)
            if not runs:
                continue
            if solve_rate(runs) <= 0.5:
                stops = lag
                break
            learns = lag
        lag = stops or learns or self.settings.lags[0]
        shares = [_gradient_ratio(self.flows(cell, lag, when)) for when in ("before", "after")]
        return Verdict(cell, learns, stops, *shares)

    def figures(self, theme: str = "light") -> dict[str, Figure]:
        """The pictures by name: ``comparison``, ``curves`` and ``gradients``.

        Raises:
            MissingExtraError: matplotlib is not installed.
            ValueError: an unknown style, or no run to draw.
        """
        if not self.runs:
            raise ValueError("no run has come to its end; there is nothing to draw yet")
        return {
            "comparison": pictures.plot_comparison(self, theme),
            "curves": pictures.plot_curves(self, theme),
            "gradients": pictures.plot_gradients(self, theme),
        }

    def to_dict(self) -> dict[str, object]:
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
            "runs": [run.to_dict() for run in self.runs.values()],
        }

    def save(self, folder: StrPath, theme: str = "light") -> list[Path]:
        """Write ``comparison.json``, and the pictures as PNG and SVG; the paths.

        Raises:
            OSError: the folder cannot be written.
        """
        folder = Path(folder)
        paths = [folder / "comparison.json"]
        write_atomically(paths[0], json.dumps(self.to_dict(), indent=1).encode())
        for name, figure in self.figures(theme).items():
            for ending in ("png", "svg"):
                paths.append(folder / f"{name}.{ending}")
                save_figure(figure, paths[-1])
                figure.set_layout_engine("none")  # it stays as it was laid out for the first
        return paths


def _gradient_ratio(flows: Array) -> float:
    """The median share of the last step's norm that arrives at the first."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.median(flows[:, 0] / flows[:, -1]))
