"""The command line: thin commands that call the library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from sluice import __version__

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
train_app = typer.Typer(no_args_is_help=True, help="Train a model.")
app.add_typer(train_app, name="train")

_FOLDER = Path("tunes-out")
_WEIGHTS = "tunes.safetensors"


def main() -> None:
    app()


@contextmanager
def _one_sentence() -> Iterator[None]:
    """Tell what went wrong on stderr in one sentence, and leave with exit code 2."""
    from sluice.sequence import SequenceError
    from sluice.tunes.errors import TuneError

    try:
        yield
    except (SequenceError, TuneError) as error:
        message = " ".join(str(error).split())
    except OSError as error:
        message = f"{error.filename or 'A file'}: {error.strerror or error}; choose another place."
    else:
        return
    typer.echo(f"sluice: {message}", err=True)
    raise typer.Exit(2)


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
        ("This machine", examination.machine()),
        ("Backends", examination.backends()),
    ):
        table = Table(title=title, title_justify="left", show_header=False, box=None)
        table.add_column(no_wrap=True, style="bold")
        table.add_column(overflow="fold")
        for name, value in lines.items():
            table.add_row(name, value)
        console.print(table)
        console.print()
    console.print(
        "No kernels are fused yet: 'native' is torch's own layer, 'reference' a Python loop of "
        "torch operations over time."
    )
