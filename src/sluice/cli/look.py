"""The command that looks into a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from sluice.cli.completion import complete_data
from sluice.cli.errors import report_known_errors
from sluice.cli.live import follow_training
from sluice.cli.options import CheckpointArgument, parse_units
from sluice.cli.usage import refuse_unused

_INPUT, _SHOWN = "Input", "What is shown"


def look(
    context: typer.Context,
    checkpoint: CheckpointArgument,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="What to read, of the kind the model was trained on: text, ABC, MIDI, a table "
            "(CSV, Parquet), piano rolls (JSON), a folder of these, or 'tunes'; for a model of "
            "pairs, or of labels of tokens, lines of a source, a tab and a target.",
            autocompletion=complete_data,
        ),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(
            help="Text to read instead of DATA, for models of text.", rich_help_panel=_INPUT
        ),
    ] = None,
    sequence: Annotated[
        int,
        typer.Option(
            min=0, help="Which sequence of the data, counted from 0.", rich_help_panel=_INPUT
        ),
    ] = 0,
    start: Annotated[
        int, typer.Option(min=0, help="First time step to show.", rich_help_panel=_SHOWN)
    ] = 0,
    steps: Annotated[
        int,
        typer.Option(min=1, help="Maximum number of time steps to show.", rich_help_panel=_SHOWN),
    ] = 400,
    units: Annotated[
        str,
        typer.Option(
            metavar="N|all",
            help="Number of units to show per layer: those that follow a property of the data, "
            "then those with the highest variance.",
            rich_help_panel=_SHOWN,
        ),
    ] = "64",
    beside: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A second model, or another checkpoint of the same training, to show beside the "
            "first on the same data.",
            rich_help_panel=_SHOWN,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Output file, an HTML page.", rich_help_panel="Output")
    ] = Path("report.html"),
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Follow a training that runs with `sluice train --watch`; CHECKPOINT is its "
            "output folder.",
            rich_help_panel=_INPUT,
        ),
    ] = False,
) -> None:
    """Write an HTML page on what a model does inside: its gates, gradients and memory."""
    if live:
        follow_training(context, checkpoint)
        return
    refuse_unused(context, "data" if text is None else "text")
    kept = parse_units(units)
    from sluice.report.page import build_report
    from sluice.report.page.load import load_inputs

    console = Console()
    with report_known_errors():
        with Progress(
            BarColumn(bar_width=24),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ) as bar:
            task = bar.add_task("reading files", total=1.0)
            files = [checkpoint] if beside is None else [checkpoint, beside]
            chosen = [
                load_inputs(file, data, text=text, sequence=sequence, stop=start + steps)
                for file in files
            ]
            report = build_report(
                chosen[0],
                beside=None if beside is None else chosen[1],
                start=start,
                steps=steps,
                units=kept,
                on_progress=lambda phase, part: bar.update(task, description=phase, completed=part),
            )
        report.save(out)
    size = len(report.html.encode()) / 2**20
    typer.echo(f"Written: {out} ({size:.1f} MiB); open it in a browser.")
