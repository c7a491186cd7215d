"""Everything that must be right before the first process is started."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.extras import MissingExtraError
from sluice.files import require_writable, write_atomically
from sluice.studio.config import StudioConfig
from sluice.studio.errors import StudioError

if TYPE_CHECKING:
    from sluice.studio.archive.database import Database

_LIBRARIES = {
    "alembic": "alembic", "argon2": "argon2-cffi", "babel": "babel", "fastapi": "fastapi",
    "jinja2": "jinja2", "markdown_it": "markdown-it-py", "PIL": "pillow",
    "python_multipart": "python-multipart", "sqlalchemy": "sqlalchemy", "uvicorn": "uvicorn",
    "verovio": "verovio", "cairosvg": "cairosvg", "soundfile": "soundfile", "mido": "mido",
}  # fmt: skip
ADDRESS_FILE = "run/address"
"""Where the folder says at which address the site was last opened, for commands beside it."""
_DATABASES = ("postgresql+psycopg://", "sqlite:///")


def run_studio(config: StudioConfig, opens_browser: bool = False) -> None:
    """Serve until interrupted.

    Raises:
        SluiceError: a library is missing, the folder or the port is in use, the database does not
            answer, or it belongs to a newer version.
        OSError: the folder cannot be written to.
    """
    if sys.platform == "win32":
        raise StudioError("The studio runs on Linux and macOS; on Windows, start it inside WSL.")
    require_libraries(config)
    require_writable(config.folder)
    with ExitStack() as opened:  # nothing stays open when something is refused
        lock = lock_folder(config.folder)
        opened.callback(os.close, lock)
        listening = opened.enter_context(open_port(config.host, config.port))
        config = replace(config, folder=config.folder.resolve(), port=listening.getsockname()[1])
        require_writable(config.folder / "run")
        with open_prepared(config):
            pass
        write_atomically(config.folder / ADDRESS_FILE, config.public_address.encode())
        _print_address(config)
        _become_supervisor(config, lock, listening, opens_browser)


def require_libraries(config: StudioConfig) -> None:
    """Refuse to start without the libraries of the extra.

    Raises:
        MissingExtraError: one is missing.
    """
    for module, library in _LIBRARIES.items():
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(library, extra="studio")
    if config.database_url.startswith("postgresql") and not importlib.util.find_spec("psycopg"):
        raise MissingExtraError("psycopg", extra="postgres")


def lock_folder(folder: Path) -> int:
    """Take a studio's folder for this process; the open file, whose end gives it back.

    Raises:
        StudioError: another studio serves from it.
    """
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise StudioError(
            f"Another studio runs in the folder {folder}; end that one, or give another folder "
            "with --folder."
        ) from None
    return handle


def open_port(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        StudioError: the port is in use or not allowed, or no such host is known here.
    """
    try:
        (family, kind, protocol, _, address), *_rest = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(2048)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise StudioError(
            f"Cannot listen on {host}, port {port}: {(error.strerror or str(error)).lower()}; "
            "give another --port, or 0 for any that is free."
        ) from None
    return listening


@contextmanager
def open_prepared(config: StudioConfig) -> Iterator[Database]:
    """The database in the form that this version expects, closed at the end of the block.

    Raises:
        StudioError: it cannot be reached, or belongs to a newer version.
    """
    if config.database and not config.database_url.startswith(_DATABASES):
        raise StudioError(
            "The URL of the database must begin with postgresql:// or sqlite:///; "
            f"what came begins with {config.database.partition(':')[0][:20]!r}."
        )
    from sqlalchemy.exc import SQLAlchemyError

    from sluice.studio.archive.database import Database
    from sluice.studio.archive.schema import upgrade_database

    try:
        database = Database(config.database_url)
        try:
            upgrade_database(database)
            yield database
        finally:
            database.close()
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        where = config.database.partition("://")[0] or str(config.folder)
        raise StudioError(f"The database ({where}) cannot be used: {reason[:300]}") from None


def _print_address(config: StudioConfig) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_row("[bold]Sluice Studio[/]", config.public_address)
    table.add_row("Files", str(config.folder))
    table.add_row("To end it", "Ctrl-C")
    Console(soft_wrap=True).print(table)


def _become_supervisor(
    config: StudioConfig, lock: int, listening: socket.socket, opens_browser: bool
) -> None:
    """Replace this program, which has grown by what it imported, by the small supervisor."""
    read_end, write_end = os.pipe()
    text = config.to_json().encode()
    if len(text) > 60_000:  # must fit into the pipe, which nobody reads yet
        raise StudioError("The settings are too long.")
    os.write(write_end, text)
    os.close(write_end)
    for handle in (read_end, lock, listening.fileno()):
        os.set_inheritable(handle, True)
    sys.stdout.flush()
    arguments = [str(read_end), str(listening.fileno()), str(int(opens_browser))]
    os.execv(
        sys.executable,
        [sys.executable, "-m", "sluice.studio.serving.supervisor", *arguments],
    )
