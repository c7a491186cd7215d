"""The command line: thin commands that call the library."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from sluice._version import __version__
from sluice.cli import ablate, compare, compose, generate, look, show, train

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def main() -> None:
    app()


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sluice {__version__}")
        raise typer.Exit


@app.callback()
def sluice(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Recurrent networks whose cell is written once, as its update equations."""


@app.command("doctor")
def doctor() -> None:
    """Show what this machine offers, and which backend each cell runs on here and why."""
    from sluice import doctor as examination

    console = Console()
    for title, lines in (
        ("This machine", examination.describe_machine()),
        ("Backends", examination.list_backends()),
    ):
        table = Table(title=title, title_justify="left", show_header=False, box=None)
        table.add_column(no_wrap=True, style="bold")
        table.add_column(overflow="fold")
        for name, value in lines.items():
            table.add_row(name, value)
        console.print(table)
        console.print()
    console.print(
        "'fused' is the cell's equations compiled, 'native' torch's own layer, 'reference' a "
        "Python loop of torch operations over time."
    )


app.command("show")(show.show)
app.command("sketch")(show.sketch)
app.command("train")(train.train)
app.command("generate")(generate.generate)
app.command("compose")(compose.compose_tunes)
app.command("compare")(compare.compare)
app.command("ablate")(ablate.ablate)
app.command("look")(look.look)
