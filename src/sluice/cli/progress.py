"""The display of progress: of training, and of what takes a moment."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

if TYPE_CHECKING:
    from sluice import sequence


class TrainingDisplay:
    """A progress bar, and after each validation a sample of the best weights so far.

    `loss_unit` is the unit of the losses; `sample` generates text with the best weights.
    """

    def __init__(self, console: Console, loss_unit: str, sample: Callable[[], str] | None) -> None:
        self.console, self.loss_unit, self.sample = console, loss_unit, sample
        self.bar = Progress(
            BarColumn(bar_width=24), TextColumn("{task.description}"), console=console
        )
        self.task = self.bar.add_task("", total=1.0)

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def show(self, progress: sequence.Progress) -> None:
        left = "?"
        if math.isfinite(progress.seconds_left):
            left = "{}:{:02}".format(*divmod(round(progress.seconds_left), 60))
        validation = "" if progress.best_loss is None else f" | validation {progress.best_loss:.3f}"
        self.bar.update(
            self.task,
            completed=progress.fraction,
            description=f"loss {progress.loss:.3f} {self.loss_unit}{validation} | "
            f"{progress.tokens_per_second:,.0f} tokens/s | {left} left",
        )
        if progress.has_new_validation:
            self._print_validation(progress)

    def _print_validation(self, progress: sequence.Progress) -> None:
        sample = "" if self.sample is None else " ".join(self.sample().split())
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
