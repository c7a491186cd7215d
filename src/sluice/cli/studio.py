"""The command that opens the studio."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sluice.cli.errors import report_known_errors

_SERVER, _FILES = "Server", "Files and data"


def open_studio(
    folder: Annotated[
        Path,
        typer.Option(
            help="Where the database, uploads and cached files are kept.", rich_help_panel=_FILES
        ),
    ] = Path("studio"),
    host: Annotated[
        str, typer.Option(help="Address to listen on.", rich_help_panel=_SERVER)
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on.", rich_help_panel=_SERVER)
    ] = 8000,
    database: Annotated[
        str,
        typer.Option(
            help="URL of a PostgreSQL database; default: SQLite in the folder.",
            rich_help_panel=_FILES,
        ),
    ] = "",
    workers: Annotated[
        int, typer.Option(min=1, help="Number of web processes.", rich_help_panel=_SERVER)
    ] = 1,
    models: Annotated[
        Path | None,
        typer.Option(
            help="Folder of .safetensors models; default: the bundled one.", rich_help_panel=_FILES
        ),
    ] = None,
    mail: Annotated[
        str, typer.Option(help="smtp://host:port, or file:FOLDER.", rich_help_panel=_SERVER)
    ] = "",
    address: Annotated[
        str,
        typer.Option(
            help="Public address, such as https://tunes.example.", rich_help_panel=_SERVER
        ),
    ] = "",
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
            help="Trust the forwarding headers of a proxy.",
            rich_help_panel=_SERVER,
        ),
    ] = False,
) -> None:
    """Open a site on which tunes are composed, shown and shared."""
    with report_known_errors():
        from sluice.studio.config import StudioConfig
        from sluice.studio.server import run_studio

        run_studio(
            StudioConfig(
                folder=folder,
                database=database,
                host=host,
                port=port,
                workers=workers,
                models=models,
                mail=mail,
                address=address,
                behind_proxy=behind_proxy,
            ),
            opens_browser=not no_browser,
        )
