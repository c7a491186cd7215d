"""Debian's PostgreSQL, started on loopback for the length of the tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def say_what_is_missing() -> str:
    """Why no server can be started here; nothing if one can."""
    if not FOLDERS:
        return "needs a PostgreSQL server: apt-get install postgresql"
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "needs psycopg: pip install 'sluice-rnn[postgres]'"
    if os.geteuid() == 0 and shutil.which("runuser") is None:
        return "needs runuser, since PostgreSQL does not run as root"
    return ""


@contextmanager
def start_server() -> Iterator[str]:
    """A new server without the delays that keep data through a power cut; its URL, without a name.

    PostgreSQL refuses to run as root, so it runs as the user `postgres` where the tests are root's.
    """
    folder, port = Path(tempfile.mkdtemp(prefix="studio-postgres-")), _find_port()
    programs, data = FOLDERS[-1], folder / "data"
    user: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        user = ["runuser", "-u", "postgres", "--"]
    try:
        subprocess.run(
            [*user, programs / "initdb", "-D", data, "-U", "studio", "-A", "trust", "-E", "UTF8",
             "--locale=C.UTF-8", "--no-sync"],
            check=True, capture_output=True, cwd=folder,
        )  # fmt: skip
        settings = [
            f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}",
            "fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=16MB",
        ]  # fmt: skip
        command = [*user, programs / "postgres", "-D", data]
        for setting in settings:
            command += ["-c", setting]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            _wait_until_ready(programs, port, process, folder / "log")
            yield f"postgresql://studio@127.0.0.1:{port}"
        finally:
            subprocess.run(
                [*user, programs / "pg_ctl", "stop", "-D", data, "-m", "immediate"],
                check=False, capture_output=True, cwd=folder,
            )  # fmt: skip
            process.wait(60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def create_database(server: str, template: str = "template1") -> Iterator[str]:
    """A new database of the server, a copy of `template`, deleted at the end; its URL."""
    import psycopg

    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    try:
        yield f"{server}/{name}"
    finally:
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _find_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def _wait_until_ready(
    programs: Path, port: int, process: subprocess.Popen[bytes], log: Path
) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        asked = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        if subprocess.run(asked, check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError(f"PostgreSQL was not ready within a minute: {log.read_text()}")
