"""One who sends slowly does not stop the others."""

from __future__ import annotations

import socket
import time
import urllib.request

import pytest
from tests.studio.conftest import find_free_port, serve

from sluice.studio.accounts.sessions import start_session
from sluice.studio.app import create_app
from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import Member
from sluice.studio.config import StudioConfig
from sluice.studio.security import bodies


def test_a_slow_member_holds_no_lock(
    config: StudioConfig, database: Database, member_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "_PAUSE", 5.0)
    with database.open_session(write=True) as session:
        token = start_session(session, session.get_one(Member, member_id))
    port = find_free_port()
    request = (
        f"POST /logout HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: session={token}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ncsrf"
    )
    with serve(create_app(config), port):
        slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(60)]
        for connection in slow:
            connection.sendall(request.encode())
        time.sleep(0.5)
        start = time.monotonic()
        with database.open_session(write=True) as session:
            start_session(session, session.get_one(Member, member_id))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/login") as answer:
            assert answer.status == 200
        assert time.monotonic() - start < 4.5
        for connection in slow:
            connection.settimeout(30)
            assert connection.recv(100).startswith(b"HTTP/1.1 408")
            connection.close()
