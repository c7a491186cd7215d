"""The command line: thin commands that call the library."""

import typer

from sluice import __version__

app = typer.Typer(no_args_is_help=True, add_completion=False)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sluice {__version__}")
        raise typer.Exit


@app.callback()
def sluice(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True),
) -> None:
    """Recurrent networks whose cell is written once, as its update equations."""


def main() -> None:
    app()
