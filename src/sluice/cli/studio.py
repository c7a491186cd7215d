"""The command that opens the studio, and those that look after its data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sluice.cli.errors import CommandGroup, report_known_errors

_SERVER, _FILES = "Server", "Files and data"

app = typer.Typer(cls=CommandGroup, pretty_exceptions_enable=False)

FolderOption = Annotated[
    Path,
    typer.Option(
        help="Where the database, uploads and cached files are kept.", rich_help_panel=_FILES
    ),
]
DatabaseOption = Annotated[
    str,
    typer.Option(
        help="URL of a PostgreSQL database; default: SQLite in the folder.",
        envvar="SLUICE_STUDIO_DATABASE",
        rich_help_panel=_FILES,
    ),
]
_FOLDER = Path("studio")


@app.callback(invoke_without_command=True, epilog="Example: sluice studio --port 8080")
def open_studio(
    context: typer.Context,
    folder: FolderOption = _FOLDER,
    host: Annotated[
        str, typer.Option(help="Address to listen on.", rich_help_panel=_SERVER)
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, help="Port to listen on; 0: any free one.", rich_help_panel=_SERVER
        ),
    ] = 8000,
    database: DatabaseOption = "",
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Number of web processes.", rich_help_panel=_SERVER)
    ] = 1,
    models: Annotated[
        Path | None,
        typer.Option(
            help="Folder of .safetensors models; default: the bundled one.", rich_help_panel=_FILES
        ),
    ] = None,
    composers: Annotated[
        list[str] | None,
        typer.Option(
            help="A composing process on another machine, such as tcp://host:7000; more by "
            "repeating it.",
            rich_help_panel=_SERVER,
        ),
    ] = None,
    mail: Annotated[
        str,
        typer.Option(
            help="smtp://host:port, or file:FOLDER.",
            envvar="SLUICE_STUDIO_MAIL",
            rich_help_panel=_SERVER,
        ),
    ] = "",
    address: Annotated[
        str,
        typer.Option(
            help="Public address, such as https://tunes.example.", rich_help_panel=_SERVER
        ),
    ] = "",
    site_title: Annotated[
        str, typer.Option(help="Name of the site.", rich_help_panel=_SERVER)
    ] = "Sluice Studio",
    no_browser: Annotated[
        bool,
        typer.Option(
            "--no-browser", help="Do not open the page in a browser.", rich_help_panel=_SERVER
        ),
    ] = False,
    behind_proxy: Annotated[
        bool,
        typer.Option(
            "--behind-proxy",
            help="Believe a proxy of this machine or of a private network who its visitors are.",
            rich_help_panel=_SERVER,
        ),
    ] = False,
    metrics_from: Annotated[
        list[str] | None,
        typer.Option(
            help="A network that may read /metrics, such as 10.0.0.0/8; more by repeating it.",
            rich_help_panel=_SERVER,
        ),
    ] = None,
) -> None:
    """Open a site on which tunes are composed, shown and shared."""
    if context.invoked_subcommand is not None:
        return
    with report_known_errors():
        from sluice.studio.config import StudioConfig
        from sluice.studio.serving.start import run_studio

        run_studio(
            StudioConfig(
                folder=folder,
                database=database,
                host=host,
                port=port,
                workers=workers,
                models=models,
                composers=tuple(composers or ()),
                mail=mail,
                address=address,
                title=site_title,
                behind_proxy=behind_proxy,
                metrics_from=tuple(metrics_from or ()),
            ),
            opens_browser=not no_browser,
        )
