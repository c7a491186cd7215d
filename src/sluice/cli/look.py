"""The command that looks into a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from sluice.cli.errors import fail, report_errors

_DATA = "A file of text or ABC, a folder of ABC, or 'tunes'; or --text."


def look(
    model: Annotated[Path, typer.Argument(help="Weights that `sluice train` wrote.")],
    data: Annotated[str | None, typer.Argument(help=_DATA)] = None,
    text: Annotated[str | None, typer.Option(help="What to read, in place of DATA.")] = None,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    sequence: Annotated[int, typer.Option(min=0, help="Which sequence of the data.")] = 0,
    start: Annotated[int, typer.Option(min=0, help="The first step to show.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="How many steps to show, at most.")] = 400,
    units: Annotated[
        str, typer.Option(help="How many units of each layer, the liveliest; or 'all'.")
    ] = "64",
) -> None:
    """Write one page on what a model does inside while it reads: gates, gradients, memory."""
    kept = _parse_units(units)
    from sluice.errors import SluiceError
    from sluice.report.page import build_report
    from sluice.report.page.load import load_inputs

    console = Console()
    with report_errors(SluiceError):
        with Progress(
            BarColumn(bar_width=24),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
        ) as bar:
            task = bar.add_task("reading files", total=1.0)
            chosen = load_inputs(model, data, text=text, sequence=sequence, stop=start + steps)
            report = build_report(
                chosen,
                start=start,
                steps=steps,
                units=kept,
                on_progress=lambda said, part: bar.update(task, description=said, completed=part),
            )
        report.save(out)
    size = len(report.html.encode()) / 2**20
    typer.echo(f"Written: {out} ({size:.1f} MiB); open it in a browser.")


def _parse_units(asked: str) -> int | None:
    if asked == "all":
        return None
    if not asked.isdecimal() or int(asked) < 1:
        fail(f"--units is a number of at least 1, or 'all', not {asked!r}")
    return int(asked)
