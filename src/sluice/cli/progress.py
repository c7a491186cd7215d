"""The display of progress: of training, and of what takes a moment."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from sluice.cli.still import StillRenderable, WatchedProgress

if TYPE_CHECKING:
    from torch import nn

    from sluice import sequence
    from sluice.insight import Monitor, Observation


def name_items(loss_unit: str) -> str:
    """What a loss is a mean over: characters of "nats per character", values of forecasts.

    >>> name_items("nats per subword"), name_items("CRPS, in deviations")
    ('subwords', 'values')
    """
    item = loss_unit.partition(" per ")[2]
    return f"{item}s" if item else "values"


class TrainingDisplay:
    """A progress bar, and after each validation a sample of the best weights so far.

    `loss_unit` is the unit of the losses; `sample` generates text with the best weights.
    """

    def __init__(self, console: Console, loss_unit: str, sample: Callable[[], str] | None) -> None:
        self.console, self.loss_unit, self.sample = console, loss_unit, sample
        self.bar = WatchedProgress(
            BarColumn(bar_width=24), TextColumn("{task.description}"), console=console
        )
        self.observations: deque[Observation] = deque(maxlen=64)
        self.task = self.bar.add_task("", total=1.0)

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def make_monitor_factory(self, out: Path) -> Callable[[nn.Module], Monitor]:
        """From a model to a monitor that is shown here and keeps its journal in `out`."""
        from sluice.insight import Monitor
        from sluice.insight.monitor.journal import JOURNAL

        return partial(
            Monitor,
            journal=out / JOURNAL,
            on_observation=self._show_observation,
            on_message=self._print_message,
        )

    def _show_observation(self, observation: Observation) -> None:
        from sluice.insight.monitor.display import render_observations

        if self.console.is_terminal:
            self.observations.append(observation)
            self.bar.below = StillRenderable(render_observations(self.observations))

    def _print_message(self, message: str) -> None:
        if not self.console.is_terminal:  # there they stand below the bar
            self.console.print(message, markup=False, highlight=False, soft_wrap=True)

    def show(self, progress: sequence.Progress) -> None:
        left = "?"
        if math.isfinite(progress.seconds_left):
            left = "{}:{:02}".format(*divmod(round(progress.seconds_left), 60))
        validation = "" if progress.best_loss is None else f" | validation {progress.best_loss:.3f}"
        self.bar.update(
            self.task,
            completed=progress.fraction,
            description=f"loss {progress.loss:.3f} {self.loss_unit}{validation} | "
            f"{progress.tokens_per_second:,.0f} {name_items(self.loss_unit)}/s | {left} left",
        )
        if progress.has_new_validation:
            self._print_validation(progress)

    def _print_validation(self, progress: sequence.Progress) -> None:
        from sluice.sequence.metrics.fitted_table import escape_controls

        sample = "" if self.sample is None else escape_controls(" ".join(self.sample().split()))
        self.console.print(
            f"{progress.seconds:4.0f} s  {progress.validation_loss:.3f}  {sample}",
            markup=False,
            highlight=False,
            overflow="ellipsis",
            no_wrap=True,
        )


@contextmanager
def show_fraction(what: str) -> Iterator[Callable[[float], None]]:
    """A progress bar on stderr, if that is a terminal, which goes away in the end.

    What is yielded is told the fraction that is done.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24))
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task(what, total=1.0)
    with bar:
        yield lambda fraction: bar.update(task, completed=fraction)
