"""The command that trains cells side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from sluice.cli.comparison_display import ComparisonDisplay, create_table
from sluice.cli.completion import complete_cells, complete_task
from sluice.cli.errors import fail, report_errors
from sluice.cli.load_cell import load_cell
from sluice.cli.options import Theme, Threads, value_or
from sluice.cli.usage import refuse_unused

if TYPE_CHECKING:
    from sluice.cells import Cell
    from sluice.report.comparison import Comparison, TrialResult

Number = TypeVar("Number", int, float)
MatchBy = Literal["hidden", "parameters"]
GateInit = Literal["chrono", "forget", "plain"]

_QUICK_LAGS = "10,40,160"
_LAGS = "10,20,40,80,160"
_TASK, _CELLS, _TRAINING = "Task", "Cells", "Training"


def compare(
    context: typer.Context,
    task: Annotated[
        str,
        typer.Option(
            help="Task to learn: recall, order, adding, copy or parity.",
            autocompletion=complete_task,
            rich_help_panel=_TASK,
        ),
    ] = "order",
    lags: Annotated[
        str | None,
        typer.Option(
            help=f"Lags: how many steps to remember, separated by commas; default {_LAGS}.",
            rich_help_panel=_TASK,
        ),
    ] = None,
    cells: Annotated[
        str,
        typer.Option(
            help="Cells, separated by commas: names, or path/to/file.py:ClassName.",
            autocompletion=complete_cells,
            rich_help_panel=_CELLS,
        ),
    ] = "elman,gru,lstm",
    hidden: Annotated[
        int,
        typer.Option(
            help="Hidden units per layer (with --match parameters, of the first cell).",
            rich_help_panel=_CELLS,
        ),
    ] = 32,
    match: Annotated[
        MatchBy,
        typer.Option(
            help="Give all cells the same width, or the first cell's number of parameters.",
            rich_help_panel=_CELLS,
        ),
    ] = "hidden",
    gate_init: Annotated[
        GateInit,
        typer.Option(
            help="Initial gate biases: chrono (memories as long as the lag), forget "
            "(a forget bias of 1) or plain (as in torch).",
            rich_help_panel=_CELLS,
        ),
    ] = "chrono",
    steps: Annotated[
        int | None,
        typer.Option(
            help="Number of weight updates per run; default 1200.",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Runs per cell; default 3.", rich_help_panel=_TRAINING)
    ] = None,
    learning_rates: Annotated[
        str | None,
        typer.Option(
            help="Learning rates to try per cell; default 0.003,0.01.", rich_help_panel=_TRAINING
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Smaller defaults, for about 20 seconds of training.",
            rich_help_panel=_TRAINING,
        ),
    ] = False,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Time limit in minutes; default none. The same command resumes.",
            rich_help_panel=_TRAINING,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Output folder.", rich_help_panel="Output")] = Path(
        "compare-out"
    ),
    theme: Theme = "light",
    threads: Threads = None,
) -> None:
    """Train cells side by side: at which lag does each stop learning, and how do gradients flow?

    Ctrl-C stops early; the same command resumes.
    """
    named = [load_cell(name) for name in _split_commas(cells)]
    if named:
        refuse_unused(context, _name_situation(named))
    with report_errors(ValueError, ImportError):
        import torch

        from sluice.report import comparison as comparing

        torch.set_num_threads(threads or 1)
        with ComparisonDisplay(Console()) as live:
            found = comparing.compare(
                named,
                task,
                _parse_numbers("--lags", lags or (_QUICK_LAGS if quick else _LAGS), int),
                seeds=value_or(seeds, 1 if quick else 3),
                rates=_parse_numbers(
                    "--learning-rates", learning_rates or ("0.01" if quick else "0.003,0.01"), float
                ),
                hidden=hidden,
                steps=value_or(steps, 500 if quick else 1200),
                match=match,
                start=gate_init,
                out=out,
                seconds=None if minutes is None else 60 * minutes,
                on_progress=live.show,
            )
        _print_results(found, out, theme)


def _name_situation(cells: Sequence[Cell]) -> str:
    """Which cells are compared, as a key of `usage.USES`."""
    from sluice.report.comparison.trial import gate_init_options

    gated = any(gate_init_options(cell, "forget", 1) for cell in cells)
    return ("one cell" if len(cells) == 1 else "several cells") + (
        "" if gated else " without gates"
    )


def _print_results(found: Comparison, out: Path, theme: str) -> None:
    console = Console()
    if found.stop_reason != "done":
        whole = len(found.settings.list_trials())
        console.print(
            f"Stopped ({found.stop_reason}) with {len(found.runs)} of {whole} runs; "
            f"the same command resumes.",
            highlight=False,
        )
    if not found.runs:
        return
    console.print(f"{found.settings.task.name}: {found.settings.task.description}", highlight=False)
    console.print(_build_table(found))
    for verdict in found.verdicts():
        console.print(f"{verdict}.", highlight=False, soft_wrap=True)
    paths = found.save(out, theme)
    typer.echo(f"Written: {', '.join(map(str, [out / 'runs.jsonl', *paths]))}")


def _build_table(found: Comparison) -> Table:
    """Cells and lags: the median score, its range, how many runs solved the task and how soon."""
    settings = found.settings
    table = create_table(settings.lags)
    for cell in settings.cells:
        row = [_summarise_runs(found.select_runs(cell, lag)) for lag in settings.lags]
        runs = [run for lag in settings.lags for run in found.select_runs(cell, lag)]
        size = f"{runs[0].hidden} units\n{runs[0].parameters:,} weights" if runs else ""
        table.add_row(f"{cell}\n[dim]{size}[/dim]", *row)
    return table


def _summarise_runs(runs: Sequence[TrialResult]) -> str:
    """The scores of some runs of one cell at one lag."""
    if not runs:
        return "·"
    from statistics import median

    scores = [float("nan") if run.scores[-1] is None else run.scores[-1] for run in runs]
    solved = [run.solved for run in runs if run.solved is not None]
    spread = f"{median(scores):.2f}\n[dim]{min(scores):.2f}–{max(scores):.2f}[/dim]"
    when = f"\n[dim]{median(solved):.0f} updates[/dim]" if solved else ""
    colour = "green" if 2 * len(solved) > len(runs) else "red"
    return f"{spread}\n[{colour}]{len(solved)}/{len(runs)} solved[/{colour}]{when}"


def _split_commas(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _parse_numbers(option: str, text: str, kind: Callable[[str], Number]) -> list[Number]:
    try:
        return [kind(part) for part in _split_commas(text)]
    except ValueError:
        fail(f"{option} must be numbers separated by commas, as in 5,10, got {text!r}")
