"""The command that opens the studio, and those that look after its data."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.cli.errors import CommandGroup, report_known_errors
from sluice.cli.flags import Command

if TYPE_CHECKING:
    from sluice.studio.archive.database import Database
    from sluice.studio.config import StudioConfig

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
AddressOption = Annotated[
    str,
    typer.Option(help="Public address, such as https://tunes.example.", rich_help_panel=_SERVER),
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
    address: AddressOption = "",
    site_title: Annotated[
        str, typer.Option(help="Name of the site.", rich_help_panel=_SERVER)
    ] = "Sluice Studio",
    licence: Annotated[
        str,
        typer.Option(
            help="Licence of what visitors may take; default: CC BY-SA 4.0.",
            rich_help_panel=_SERVER,
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
                licence=licence or StudioConfig.licence,
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


@app.command("backup", cls=Command, epilog="Example: sluice studio backup studio.tar.gz")
def back_up(
    file: Annotated[
        Path,
        typer.Argument(help="Where the backup is written.", metavar="FILE", show_default=False),
    ],
    folder: FolderOption = _FOLDER,
    database: DatabaseOption = "",
) -> None:
    """Write all that a studio has into one file, also while it runs."""
    with report_known_errors():
        from sluice.studio.exports.backup import write_backup

        config = _find_studio(folder, database)
        with _open(config) as opened:
            counts = write_backup(opened, config.folder, file)
        typer.echo(f"{_count(counts)} written to {file}.")


@app.command("export", cls=Command, epilog="Example: sluice studio export tunes-of-2026")
def export_studio(
    target: Annotated[
        Path,
        typer.Argument(help="A new folder for the export.", metavar="TARGET", show_default=False),
    ],
    folder: FolderOption = _FOLDER,
    database: DatabaseOption = "",
) -> None:
    """Write all that a studio has as a folder of JSON, ABC and media."""
    with report_known_errors():
        from sluice.studio.exports.transfer import write_folder

        config = _find_studio(folder, database)
        with _open(config) as opened:
            counts = write_folder(opened, config.folder, target)
        typer.echo(f"{_count(counts)} written to {target}.")


@app.command("import", cls=Command, epilog="Example: sluice studio import studio.tar.gz")
def import_studio(
    source: Annotated[
        Path,
        typer.Argument(
            help="A backup or an exported folder.", metavar="SOURCE", show_default=False
        ),
    ],
    folder: FolderOption = _FOLDER,
    database: DatabaseOption = "",
) -> None:
    """Fill a new studio with a backup or an exported folder, in either kind of database."""
    with report_known_errors():
        import os

        from sluice.files import require_writable
        from sluice.studio.config import StudioConfig
        from sluice.studio.exports.backup import read_backup
        from sluice.studio.serving.start import lock_folder

        config = StudioConfig(folder=folder, database=database)
        require_writable(folder)
        lock = lock_folder(folder)
        try:
            with _open(config) as opened:
                counts = read_backup(opened, folder, source)
        finally:
            os.close(lock)
        typer.echo(f"{_count(counts)} read from {source}.")


@app.command("keeper", cls=Command, epilog="Example: sluice studio keeper Una una@example.org")
def name_keeper(
    name: Annotated[
        str, typer.Argument(help="How the keeper is called.", metavar="NAME", show_default=False)
    ],
    email: Annotated[
        str, typer.Argument(help="The keeper's mail address.", metavar="EMAIL", show_default=False)
    ],
    folder: FolderOption = _FOLDER,
    database: DatabaseOption = "",
    address: AddressOption = "",
) -> None:
    """Print a link by which somebody becomes a keeper, who moderates the site."""
    with report_known_errors():
        from sluice.studio.accounts.sign_up import make_keeper_link

        config = _find_studio(folder, database, address)
        with _open(config) as opened, opened.open_session(write=True) as session:
            link = make_keeper_link(session, config, name, email)
        typer.echo(link)


def _find_studio(folder: Path, database: str, address: str = "") -> StudioConfig:
    """The settings of a studio that is there already.

    Raises:
        StudioError: there is none in the folder.
    """
    from sluice.studio.config import StudioConfig
    from sluice.studio.errors import StudioError
    from sluice.studio.serving.start import ADDRESS_FILE

    if not database and not (folder / "studio.sqlite").is_file():
        raise StudioError(
            f"There is no studio in the folder {folder}; name one with --folder, or its "
            "database with --database."
        )
    if not address and (last := folder / ADDRESS_FILE).is_file():
        address = last.read_text()
    return StudioConfig(folder=folder, database=database, address=address)


def _open(config: StudioConfig) -> AbstractContextManager[Database]:
    from sluice.studio.serving.start import open_prepared, require_libraries

    require_libraries(config)
    return open_prepared(config)


def _count(counts: dict[str, int]) -> str:
    return f"{counts['tune']} tunes, {counts['member']} members, {counts['media']} uploads"
