"""The trials of `sluice search`: a task with the settings of each, and the best model."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as ProgressBar

from sluice.cli.errors import fail
from sluice.cli.jobs import task_options
from sluice.cli.search_display import format_settings, format_trial
from sluice.cli.train_options import TrainOptions

if TYPE_CHECKING:
    import optuna

    from sluice.sequence import Progress, Task
    from sluice.sequence.data.formats import AnyData
    from sluice.sequence.search import Proposal, SearchResult, SearchSpace, SearchTrial

WEIGHTS = "model.safetensors"
_LONGEST_WAIT = 60.0


class TrialRunner:
    """Trains with the settings of each trial, and writes the best model to a folder.

    Args:
        options: what is the same for all trials.
        space: what is varied.
        data: what is trained on.
        out: the folder.
        console: for a line a trial.
        shows_progress: whether a terminal also gets a bar; one process at a time has it.
    """

    def __init__(
        self,
        options: TrainOptions,
        space: SearchSpace,
        data: AnyData,
        out: Path,
        console: Console,
        *,
        shows_progress: bool = True,
    ) -> None:
        self.options, self.space, self.data = options, space, data
        self.out, self.console = out, console
        self.shows_progress = shows_progress and console.is_terminal
        self._task: Task | None = None

    def make_task(self, settings: Mapping[str, object]) -> Task:
        """An untrained model of these settings with its batches."""
        from sluice.sequence import make_task

        options = self._with_settings(settings)
        return make_task(self.data, seed=options.build_config().seed, **task_options(options))

    def check_space(self) -> Task:
        """A task of the space's first values; the ends of all ranges and all choices are tried.

        Raises:
            SequenceError: settings that no model can have.
        """
        first = {name: entry.ends[0] for name, entry in self.space.entries.items()}
        task = self.make_task(first)
        for name, entry in self.space.entries.items():
            for value in entry.ends[1:]:
                _require_same_unit(name, task, self.make_task({**first, name: value}))
        return self.make_task(first)

    def run(self, study: optuna.Study, trials: int) -> SearchResult:
        """Run trials until there are `trials`, or until Ctrl-C."""
        from sluice.sequence.search.study import run_trials

        bar = ProgressBar(
            BarColumn(bar_width=24),
            TextColumn("{task.description}", markup=False),
            console=self.console,
            transient=True,
            disable=not self.shows_progress,
        )
        with bar:
            line = bar.add_task("", total=1.0)

            def show(number: int, progress: Progress) -> None:
                loss = progress.validation_loss
                validation = "" if loss is None else f", validation {loss:.3f}"
                bar.update(
                    line,
                    completed=progress.fraction,
                    description=f"trial {number} of {trials}: loss {progress.loss:.3f}{validation}",
                )

            def end(trial: SearchTrial) -> None:
                self._save_best(study, trial)
                self.console.print(
                    format_trial(trial), markup=False, highlight=False, soft_wrap=True
                )

            seed = self.options.build_config().seed
            return run_trials(
                study, self._propose, trials, seed=seed, on_trial=end, on_progress=show
            )

    def _with_settings(self, settings: Mapping[str, object]) -> TrainOptions:
        changes: dict[str, Any] = {name.replace("-", "_"): v for name, v in settings.items()}
        return replace(self.options, **changes)

    def _propose(self, trial: optuna.Trial) -> Proposal:
        from sluice.sequence.search import Proposal

        settings = self.space.suggest(trial)
        config = self._with_settings(settings).build_config()
        self._task = task = self.make_task(settings)
        return Proposal(task.model, config, task.training, task.validation)

    def _save_best(self, study: optuna.Study, trial: SearchTrial) -> None:
        """Write the model if its trial is the best of all, also of other processes."""
        if trial.status != "complete" or self._task is None:
            return
        with _wait_for_folder(self.out):
            if study.best_trial.number == trial.number:
                self._task.calibrate()
                figures = {
                    "validation": trial.loss,
                    "trial": trial.number,
                    "settings": format_settings(trial.settings),
                }
                replace(self._task.checkpoint, metadata=figures).save(self.out / WEIGHTS)


def _require_same_unit(name: str, one: Task, other: Task) -> None:
    """Refuse forecasts whose losses are in units of different linear parts."""
    lags = [getattr(task.model.config, "linear_lags", 0) for task in (one, other)]
    if lags[0] != lags[1]:
        fail(
            f"--tune {name} changes how many values the linear part of a forecast reads (here "
            f"{lags[0]} and {lags[1]}), and losses are in units of its errors, so that trials "
            f"could not be compared; say --linear-lags {min(lags)}, for all of them"
        )


@contextmanager
def _wait_for_folder(out: Path) -> Iterator[None]:
    """Own the folder inside the ``with`` block; others that write a model are waited for."""
    from sluice.folder_lock import FolderInUseError, lock_folder

    end = time.monotonic() + _LONGEST_WAIT
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(lock_folder(out, "search", remedy="choose another --out"))
                break
            except FolderInUseError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.05)
        yield
