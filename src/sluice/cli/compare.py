"""The command that trains cells side by side, and what it shows meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from math import isfinite, log10
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self, TypeVar

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sluice.cli.errors import fail, report_errors
from sluice.cli.show import ThemeName, load_cell

if TYPE_CHECKING:
    from sluice.report.comparison import Comparison, ComparisonProgress, TrialResult

Number = TypeVar("Number", int, float)

_BARS = "▁▂▃▄▅▆▇█"
_QUICK_LAGS = "10,40,160"
_LAGS = "10,20,40,80,160"
_LEAST_SHARE = 1e-20
"""Where the bars of a gradient end: that much of the last step's and less is the lowest."""


class MatchBy(StrEnum):
    hidden = "hidden"
    parameters = "parameters"


class GateInit(StrEnum):
    chrono = "chrono"
    forget = "forget"
    plain = "plain"


def compare(
    cells: Annotated[
        str, typer.Option(help="Cells of sluice.cells, and path/to/file.py:ClassName.")
    ] = "elman,gru,lstm",
    task: Annotated[str, typer.Option(help="recall, order, adding, copy or parity.")] = "order",
    lags: Annotated[
        str | None, typer.Option(help=f"Steps to remember for.  [default: {_LAGS}]")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Runs of each.  [default: 3]")] = None,
    learning_rates: Annotated[
        str | None, typer.Option(help="The best counts, of each cell.  [default: 0.003,0.01]")
    ] = None,
    hidden: Annotated[int, typer.Option(help="The width of the cells.")] = 32,
    match: Annotated[
        MatchBy, typer.Option(help="Equal widths, or as many parameters as the first cell has.")
    ] = MatchBy.hidden,
    start: Annotated[
        GateInit, typer.Option(help="How gates that keep a state begin: open for the lag, or ...")
    ] = GateInit.chrono,
    steps: Annotated[int | None, typer.Option(help="Updates of each run.  [default: 1200]")] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Stop after so long; the same command goes on.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Some 20 seconds: fewer of all.")] = False,
    out: Annotated[Path, typer.Option(help="The folder for runs and pictures.")] = Path(
        "compare-out"
    ),
    style: Annotated[ThemeName, typer.Option(help="Of the pictures.")] = ThemeName.light,
    threads: Annotated[int, typer.Option(min=1, help="Small cells are fastest on one.")] = 1,
) -> None:
    """Train cells side by side: at which lag each stops learning, and what its gradient does.

    Ctrl-C stops early; the same command goes on where it stopped.
    """
    named = [load_cell(name) for name in _split_commas(cells)]
    with report_errors(ValueError, ImportError):
        import torch

        from sluice.report import comparison as comparing

        torch.set_num_threads(threads)
        with _ComparisonDisplay(Console()) as live:
            found = comparing.compare(
                named,
                task,
                _parse_numbers("--lags", lags or (_QUICK_LAGS if quick else _LAGS), int),
                seeds=_value_or(seeds, 1 if quick else 3),
                rates=_parse_numbers(
                    "--learning-rates", learning_rates or ("0.01" if quick else "0.003,0.01"), float
                ),
                hidden=hidden,
                steps=_value_or(steps, 500 if quick else 1200),
                match=match.value,
                start=start.value,
                out=out,
                seconds=None if minutes is None else 60 * minutes,
                on_progress=live.show,
            )
        _print_results(found, out, style.value)


def _print_results(found: Comparison, out: Path, theme: str) -> None:
    console = Console()
    if found.stop_reason != "done":
        whole = len(found.settings.list_trials())
        console.print(
            f"Stopped ({found.stop_reason}) with {len(found.runs)} of {whole} runs; "
            f"the same command goes on where it stopped.",
            highlight=False,
        )
    if not found.runs:
        return
    console.print(f"{found.settings.task.name}: {found.settings.task.told}", highlight=False)
    console.print(_build_table(found))
    for verdict in found.verdicts():
        console.print(f"{verdict}.", highlight=False, soft_wrap=True)
    paths = found.save(out, theme)
    typer.echo(f"Written: {', '.join(map(str, [out / 'runs.jsonl', *paths]))}")


def _build_table(found: Comparison) -> Table:
    """Cells and lags: the median score, its range, how many runs solved the task and how soon."""
    settings = found.settings
    table = _create_table(settings.lags)
    for cell in settings.cells:
        row = [_summarise_runs(found.select_runs(cell, lag)) for lag in settings.lags]
        runs = [run for lag in settings.lags for run in found.select_runs(cell, lag)]
        size = f"{runs[0].hidden} units\n{runs[0].parameters:,} weights" if runs else ""
        table.add_row(f"{cell}\n[dim]{size}[/dim]", *row)
    return table


def _create_table(lags: Sequence[int]) -> Table:
    table = Table()
    table.add_column("cell", no_wrap=True)
    for lag in lags:
        table.add_column(f"lag {lag}", no_wrap=True)
    return table


def _summarise_runs(runs: Sequence[TrialResult]) -> str:
    """What came of some runs of one cell at one lag."""
    if not runs:
        return "·"
    from statistics import median

    scores = [float("nan") if run.scores[-1] is None else run.scores[-1] for run in runs]
    solved = [run.solved for run in runs if run.solved is not None]
    spread = f"{median(scores):.2f}\n[dim]{min(scores):.2f}–{max(scores):.2f}[/dim]"
    when = f"\n[dim]{median(solved):.0f} updates[/dim]" if solved else ""
    colour = "green" if 2 * len(solved) > len(runs) else "red"
    return f"{spread}\n[{colour}]{len(solved)}/{len(runs)} solved[/{colour}]{when}"


class _ComparisonDisplay:
    """A comparison as it goes: a table, and under it the run that goes on."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = Live(console=console, auto_refresh=False, transient=True)
        self.told = 0

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
    """Every run so far by cell and lag, and the one that goes on."""
    settings, training = progress.settings, progress.trial
    table = _create_table(settings.lags)
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
    asked = Text(f"{settings.task.name}: {settings.task.told}")
    told = Text("A bar a run: how high its score, green where it solves the task.")
    return Group(asked, table, told, *([] if training is None else _render_current_trial(progress)))


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


def _split_commas(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _parse_numbers(option: str, text: str, kind: Callable[[str], Number]) -> list[Number]:
    try:
        return [kind(part) for part in _split_commas(text)]
    except ValueError:
        fail(f"{option} are numbers with commas between, as in 5,10, but {text!r} came")


def _value_or(value: int | None, default: int) -> int:
    return default if value is None else value
