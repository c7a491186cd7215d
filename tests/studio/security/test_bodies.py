"""How large a request may be, and how slow."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.testclient import TestClient

from sluice.studio.security import bodies
from sluice.studio.security.bodies import BodyLimitMiddleware


def test_a_body_that_is_too_large_is_refused(client: TestClient) -> None:
    client.get("/")
    assert client.post("/language", content=b"a" * 9000).status_code == 413
    assert client.post("/nowhere", content=b"a" * 2**21).status_code == 413
    # Only who is logged in may send 20 MB.
    assert client.post("/recordings", content=b"a" * 2**21).status_code == 413
    client.cookies.set("session", "x" * 43)
    assert client.post("/recordings", content=b"a" * 2**21).status_code != 413
    assert client.post("/recordings", content=b"a" * 22 * 2**20).status_code == 413


@pytest.mark.parametrize("length", ["-1", "1e9", "x", "9" * 30, "+5", "٣"])
def test_a_length_that_is_none_is_refused(client: TestClient, length: str) -> None:
    answer = client.post("/language", content=b"a", headers={"content-length": length.encode()})
    assert answer.status_code == 413


def send(chunks: list[tuple[float, bytes]], path: str = "/language") -> tuple[list[Any], int]:
    """The messages of the answer to a body that comes in pieces, and the bytes that were read."""
    pieces = iter(chunks)
    sent, read = [], 0

    async def receive() -> dict[str, Any]:
        pause, body = next(pieces)
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": body, "more_body": True}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal read
        while True:
            read += len((await receive())["body"])

    async def note(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": []}
    asyncio.run(BodyLimitMiddleware(app, "session")(scope, receive, note))
    return sent, read


def test_a_body_without_length_is_counted() -> None:
    sent, read = send([(0, b"a" * 1000)] * 100)
    assert sent[0]["status"] == 413
    assert read <= 8 * 1024


def test_a_slow_body_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_PAUSE", 0.3)
    sent, read = send([(0.05, b"a")] * 1000)
    assert sent[0]["status"] == 408
    assert read < 10
