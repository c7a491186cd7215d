"""The display of a comparison's progress."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, log10
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from sluice.report.comparison import ComparisonProgress

_BARS = "▁▂▃▄▅▆▇█"
_LEAST_SHARE = 1e-20
"""Where the bars of a gradient end: that share of the last step's and less is the lowest."""


def create_table(lags: Sequence[int]) -> Table:
    table = Table()
    table.add_column("cell", no_wrap=True)
    for lag in lags:
        table.add_column(f"lag {lag}", no_wrap=True)
    return table


class ComparisonDisplay:
    """A comparison's progress: a table of runs, and below it the current run."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.live.stop()

    def show(self, progress: ComparisonProgress) -> None:
        if self.console.is_terminal:
            self.live.update(_render_progress(progress), refresh=True)
        elif progress.trial is None and progress.runs:
            run = list(progress.runs.values())[-1]
            how = f"solved after {run.solved} updates" if run.solved else "not solved"
            self.console.print(
                f"{run.cell}, lag {run.lag}, seed {run.seed}, rate {run.rate:g}: {how}, "
                f"{run.seconds:.1f} s",
                highlight=False,
            )


def _render_progress(progress: ComparisonProgress) -> Group:
    """Every run so far by cell and lag, and the current one."""
    settings, training = progress.settings, progress.trial
    table = create_table(settings.lags)
    for cell in settings.cells:
        row = []
        for lag in settings.lags:
            marks = Text()
            for job, run in progress.runs.items():
                if (job.cell, job.lag) == (cell, lag):
                    score = run.scores[-1] or 0.0
                    marks.append(_draw_bar(score), style="green" if run.solved else "red")
            if training is not None and (training.spec.cell, training.spec.lag) == (cell, lag):
                marks.append(f" {training.scores[-1]:.2f}", style="bold")
            row.append(marks)
        table.add_row(cell, *row)
    asked = Text(f"{settings.task.name}: {settings.task.description}")
    legend = Text("One bar per run: its score, green if it solves the task.")
    return Group(
        asked, table, legend, *([] if training is None else _render_current_trial(progress))
    )


def _render_current_trial(progress: ComparisonProgress) -> list[Text]:
    training = progress.trial
    assert training is not None
    job, task = training.spec, progress.settings.task
    chance = task.chance_loss
    losses = [loss / chance for loss in training.losses]
    flow = training.gradient_norms
    shares = [share / flow[-1] if flow[-1] > 0 else 0.0 for share in flow]
    left = progress.seconds * (1 - progress.fraction) / max(progress.fraction, 1e-6)
    minutes, seconds = divmod(round(min(left, 359_999)), 60)
    return [
        Text(
            f"{job.cell}, lag {job.lag}, seed {job.seed}, rate {job.rate:g}, "
            f"update {training.updates[-1]}"
        ),
        Text(
            f"loss      {_draw_sparkline(losses)} {training.losses[-1]:.3f} (chance {chance:.3f})"
        ),
        Text(
            f"gradient  {_draw_sparkline(_thin([_log_height(s) for s in shares]))} "
            "at each step, log scale"
        ),
        Text(f"          {shares[0]:.0e} of the last step's arrives at the first"),
        Text(f"{progress.fraction:.0%} done, at most about {minutes}:{seconds:02} left"),
    ]


def _log_height(share: float) -> float:
    """A share as a height from 0 to 1 on a logarithmic scale."""
    if not share > _LEAST_SHARE:
        return 0.0
    return 1 - log10(min(share, 1.0)) / log10(_LEAST_SHARE)


def _thin(values: Sequence[float], most: int = 48) -> list[float]:
    """At most so many of the values, evenly, the first and the last among them."""
    count = min(most, len(values))
    return [values[round(k * (len(values) - 1) / max(1, count - 1))] for k in range(count)]


def _draw_sparkline(heights: Sequence[float]) -> str:
    return "".join(map(_draw_bar, heights))


def _draw_bar(height: float) -> str:
    if not isfinite(height):
        return "?"
    return _BARS[max(0, min(len(_BARS) - 1, int(height * len(_BARS))))]
