"""Where composing processes listen: Unix sockets, and ports of TCP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sluice.studio.errors import StudioError

_LONGEST_PATH = 100
"""In bytes; systems take 104 or 108 for the path of a socket."""
_CONNECT_SECONDS = 2.0
_BACKLOG = 512


@dataclass(frozen=True)
class Address:
    """Of a composing process: the path of a Unix socket, or host and port."""

    path: Path | None = None
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `unix:/path` or `tcp://host:port`.

        Raises:
            StudioError: neither of them.
        """
        if text.startswith("unix:") and len(text) > len("unix:"):
            return cls(Path(text.removeprefix("unix:")))
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not text.startswith("tcp://") or not host or port is None or parts.path:
            raise StudioError(
                "The address of a composing process must be unix:/path or tcp://host:port, "
                f"got {text!r}."
            )
        return cls(None, host, port)

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection.

        Raises:
            OSError: nothing listens there, or it does not answer within two seconds.
        """
        async with asyncio.timeout(_CONNECT_SECONDS):
            if self.path is None:
                return await asyncio.open_connection(self.host, self.port)
            with _shorten(self.path) as path:
                return await asyncio.open_unix_connection(path)

    def bind(self) -> socket.socket:
        """A socket that listens there; that of a process that is gone is replaced.

        Raises:
            StudioError: another process listens there.
            OSError: it is not possible.
        """
        return self._bind_port() if self.path is None else _bind_path(self.path)

    def _bind_port(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((self.host, self.port))
            opened.listen(_BACKLOG)
        except BaseException:
            opened.close()
            raise
        return opened


def _bind_path(path: Path) -> socket.socket:
    """Listen under another name first, so that the socket is never open to others."""
    if _is_served(path):
        raise StudioError(f"Another process listens at {path}; stop it, or choose another path.")
    if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
        raise StudioError(f"There is a file at {path}, which is no socket; choose another path.")
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    early = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        before = os.umask(0o177)
        try:
            with _shorten(early) as short:
                opened.bind(short)
        finally:
            os.umask(before)
        early.chmod(0o600)
        opened.listen(_BACKLOG)
        early.replace(path)
    except BaseException:
        opened.close()
        early.unlink(missing_ok=True)
        raise
    return opened


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as opened:
        opened.settimeout(_CONNECT_SECONDS)
        try:
            with _shorten(path) as short:
                opened.connect(short)
        except OSError:
            return False
        return True


@contextlib.contextmanager
def _shorten(path: Path) -> Iterator[str]:
    """A path that a socket can have: by way of its folder where it is too long."""
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        yield str(path)
        return
    if not Path("/proc/self/fd").is_dir():
        raise StudioError(f"The path of a socket must be shorter, got {path}.")
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
