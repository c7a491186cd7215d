"""Cells trained side by side on a task, lag after lag."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sluice.cells.cell import Cell
from sluice.files import StrPath, require_writable
from sluice.report.comparison.comparison import Comparison
from sluice.report.comparison.journal import Journal
from sluice.report.comparison.settings import (
    ComparisonSettings,
    TrialSpec,
    find_task,
    load_cells,
    max_sequence_length,
    sort_lags,
)
from sluice.report.comparison.trial import Trial, TrialResult, fingerprint


@dataclass(frozen=True)
class ComparisonProgress:
    """Where a comparison stands.

    Attributes:
        settings: what is compared.
        runs: those finished, kept ones included, the latest last.
        trial: the running one, just validated; None when a run has just ended.
        fraction: the share of the work that is done, from 0 to 1; solved runs count in full.
        seconds: since the start.
    """

    settings: ComparisonSettings
    runs: dict[TrialSpec, TrialResult]
    trial: Trial | None
    fraction: float
    seconds: float


def compare(
    cells: Iterable[str | Cell | type[Cell]] = ("Elman", "GRU", "LSTM"),
    task: str = "order",
    lags: Sequence[int] = (10, 20, 40, 80, 160),
    *,
    seeds: int = 3,
    rates: Sequence[float] = (0.003, 0.01),
    hidden: int = 32,
    steps: int = 1200,
    batch: int = 32,
    match: str = "hidden",
    start: str = "chrono",
    out: StrPath | None = None,
    seconds: float | None = None,
    on_progress: Callable[[ComparisonProgress], None] = lambda progress: None,
) -> Comparison:
    """Train cells side by side on a task at several lags, in float32.

    All cells see the same sequences in the same order, start from the same seeds, and are trained
    by Adam with gradients clipped to a norm of 1. A run ends when its score on sequences never
    trained on reaches 0.95, or when its updates are spent. Of several learning rates each cell is
    given the best one at each lag: no cell fails because a rate suits another.
    Ctrl-C (KeyboardInterrupt) ends early and cleanly, with the runs finished until then.

    Args:
        cells: names of `sluice.cells`, cells or classes of cells.
        task: one of `sluice.report.tasks.list_tasks`.
        lags: for how many steps something must be remembered.
        seeds: how many runs of each cell at each lag and rate.
        rates: learning rates to choose from.
        hidden: the width of every cell; with ``match="parameters"`` that of the first.
        steps: how many updates a run has.
        batch: sequences in an update.
        match: ``"hidden"`` for equal widths, ``"parameters"`` for about as many parameters as the
            first cell has.
        start: how the gate that keeps the state begins: ``"chrono"``, for memories as long as the
            lag (Tallec & Ollivier 2018); ``"forget"``, with a bias of 1 (Gers, Schmidhuber &
            Cummins 2000); ``"plain"``, as in torch. Cells without such a gate begin as in torch.
        out: a folder for finished runs: the same call resumes where it stopped, and more cells,
            lags, seeds or rates add to it.
        seconds: stop after so long; None for no limit.
        on_progress: called after every validation and after every run.

    Raises:
        ComparisonError: an unknown cell or task, anything out of range, a lag too long for this
            machine's memory, or a folder with runs of other settings.
        OSError: the folder cannot be written.

    Example:
        >>> found = compare(["Elman", "GRU"], lags=[2], seeds=1, rates=[0.01], steps=2, hidden=4)
        >>> [(run.cell, run.lag, run.updates) for run in found.runs.values()]
        [('Elman', 2, [0, 1, 2]), ('GRU', 2, [0, 1, 2])]
    """
    settings = ComparisonSettings(
        cells=load_cells(cells),
        task=find_task(task),
        lags=sort_lags(lags),
        seeds=seeds,
        rates=tuple(dict.fromkeys(map(float, rates))),
        hidden=hidden,
        steps=steps,
        batch=batch,
        match=match,
        start=start,
    )
    equations = {name: fingerprint(cell) for name, cell in settings.cells.items()}
    kept = Journal(out, settings.common_settings(), equations)
    if out is not None:
        require_writable(out)
    ended = _Sweep(settings, kept, seconds, on_progress).run()
    wanted = set(settings.list_trials())
    runs = {job: run for job, run in kept.runs.items() if job in wanted}
    return Comparison(
        settings, {job: runs[job] for job in settings.list_trials() if job in runs}, ended
    )


class _Sweep:
    """The runs that are still to do, one after another."""

    def __init__(
        self,
        settings: ComparisonSettings,
        journal: Journal,
        seconds: float | None,
        on_progress: Callable[[ComparisonProgress], None],
    ) -> None:
        self.settings, self.journal, self.on_progress = settings, journal, on_progress
        self.start_time = time.monotonic()
        self.limit = float("inf") if seconds is None else seconds
        self.specs = settings.list_trials()
        self.total_cost = sum(map(self._estimate_cost, self.specs))

    def run(self) -> str:
        """Do them; how it ended: ``"done"``, ``"interrupted"`` or ``"out of time"``."""
        try:
            for job in self.specs:
                if job not in self.journal.runs and not self._run_trial(job):
                    return "out of time"
        except KeyboardInterrupt:
            return "interrupted"
        return "done"

    def _run_trial(self, spec: TrialSpec) -> bool:
        training = Trial(self.settings, spec)
        if not training.run(self._report, lambda: self._seconds_since_start() > self.limit):
            return False
        self.journal.add(training.result())
        self._report(None)
        return True

    def _report(self, trial: Trial | None) -> None:
        asked = set(self.specs)
        runs = {job: run for job, run in self.journal.runs.items() if job in asked}
        done = sum(map(self._estimate_cost, runs))
        if trial is not None:
            done += self._estimate_cost(trial.spec) * trial.updates[-1] / self.settings.steps
        part = min(1.0, done / self.total_cost)
        self.on_progress(
            ComparisonProgress(self.settings, runs, trial, part, self._seconds_since_start())
        )

    def _estimate_cost(self, spec: TrialSpec) -> float:
        return 40.0 + max_sequence_length(self.settings.task, spec.lag)

    def _seconds_since_start(self) -> float:
        return time.monotonic() - self.start_time
