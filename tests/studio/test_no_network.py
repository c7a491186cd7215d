"""The server asks no other machine for anything, whichever page is read."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import (
    ArchiveEvent,
    ArchiveRecording,
    ArchiveTune,
    Book,
    BookEntry,
    Composition,
    Member,
    Setting,
)
from sluice.studio.archive.tables.base import get_now
from sluice.studio.composing.options import ComposingOptions
from studio_routes import list_paths

ABC = "X:1\nT:Reel\nM:4/4\nL:1/8\nK:D\n|:d2fd Adfd|e2ge Bege:|\n"
VALUES = {
    "code": "abcdefghij", "ending": "abc", "version": "0", "name": "tunes.csv", "sha256": "0" * 64,
}  # fmt: skip
"""For the parameters of paths that are no numbers; `1` is in place of all others."""
OPTIONS = ComposingOptions.parse({"seed": 1}).to_mapping()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The addresses beyond this machine that anything has tried to reach; none is reached."""
    found: list[Any] = []
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def connect_here(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1"):
            found.append(address)
            raise OSError("no network in this test")
        connect(self, address)

    def look_up_here(host: Any, *rest: Any, **names: Any) -> Any:
        if host not in ("127.0.0.1", "::1", "localhost", None):
            found.append(host)
            raise OSError("no network in this test")
        return look_up(host, *rest, **names)

    monkeypatch.setattr(socket.socket, "connect", connect_here)
    monkeypatch.setattr(socket, "getaddrinfo", look_up_here)
    yield found


def fill(database: Database) -> None:
    with database.open_session(write=True) as session:
        una = Member(email="una@example.org", name="Una", name_key="una", password="x")
        tune = ArchiveTune(title="Reel", abc=ABC, author=una, last_number=1)
        tune.settings.append(Setting(number=1, abc=ABC, author=una))
        session.add_all([
            tune,
            ArchiveRecording(title="Link", kind="link", host="youtube", host_id="dQw4w9WgXcQ",
                             author=una, tunes=[tune], text="![x](https://elsewhere.example/x)"),
            ArchiveEvent(title="Session", starts_at=get_now(), author=una, tunes=[tune]),
            Book(name="Book", owner=una, entries=[BookEntry(tune=tune, position=1)]),
            Composition(code=VALUES["code"], model="m", options=OPTIONS, seed=1,
                        state="done", abc=ABC, tokens=[], title="Reel", result={}),
        ])  # fmt: skip


def test_no_route_asks_another_machine(
    client: TestClient, studio_app: FastAPI, database: Database, asked: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    fill(database)
    monkeypatch.setattr(studio_app.state.studio.composing, "_patience", 0.0)
    paths = list_paths(studio_app, VALUES)
    assert len(paths) > 40
    seen = 0
    for path in paths:
        answer = client.get(path)
        assert answer.status_code < 500 or answer.status_code == 503, (path, answer.text[:300])
        seen += answer.status_code == 200
        assert not asked, path
        for mark in ('src="http', "src='http", 'href="//', 'src="//', "url(http"):
            assert mark not in answer.text, path
    assert seen > 25
