"""What holds for every route of the site, also for those that come later."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from tests.studio.conftest import read_csrf_token

from sluice.studio.app import create_app
from sluice.studio.config import StudioConfig

_READING = {"GET", "HEAD", "OPTIONS"}
# One click in a mail program, whose link is signed.
_WITHOUT_TOKEN = ("/unsubscribe/",)
_VALUES = {"number": "1", "code": "aaaaaaaaaa"}


def list_routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Method and path of every route, with something in place of each parameter."""
    for included in app.routes:
        contexts: Any = getattr(included, "effective_route_contexts", list)
        for context in contexts():
            path = re.sub(
                r"\{\w+(?::(\w+))?\}", lambda found: _VALUES.get(found[1], "x"), context.path
            )
            yield from ((method, path) for method in sorted(context.methods))


ALL = sorted(set(list_routes(create_app(StudioConfig(folder=Path(mkdtemp()))))))
CHANGING = [
    (method, path)
    for method, path in ALL
    if method not in _READING and not path.startswith(("/api/", *_WITHOUT_TOKEN))
]
PAGES = [path for method, path in ALL if method == "GET" and "stream" not in path]


def test_there_are_routes() -> None:
    assert ("POST", "/login") in CHANGING
    assert len(CHANGING) > 30
    assert len(PAGES) > 30


def test_nothing_is_changed_from_elsewhere(keeper_client: TestClient) -> None:
    token = keeper_client.headers.pop("x-csrf-token")
    for method, path in CHANGING:
        tries: list[dict[str, Any]] = [
            {"data": {}},
            {"data": {"csrf_token": "0" * 64}},
            {"data": {"csrf_token": token}, "headers": {"origin": "https://evil.example"}},
            {"data": {"csrf_token": token}, "headers": {"sec-fetch-site": "cross-site"}},
            {"json": {"csrf_token": token}},
        ]
        for sent in tries:
            answer = keeper_client.request(method, path, **sent)
            assert answer.status_code == 403, (method, path, sent)


BODIES: list[dict[str, Any]] = [
    {"data": {}},
    {"data": {"title": "\x00", "text": b"\xed\xa0\x80", "id": "9" * 30, "subject": "tune"}},
    {"content": b"{", "headers": {"content-type": "application/json"}},
    {"content": b"--x", "headers": {"content-type": "multipart/form-data; boundary=x"}},
    {"content": b"a", "headers": {"content-type": "multipart/form-data"}},
]


@pytest.mark.parametrize("who", ["client", "keeper_client"])
def test_whatever_is_sent_is_answered(who: str, request: pytest.FixtureRequest) -> None:
    browser: TestClient = request.getfixturevalue(who)
    browser.headers["x-csrf-token"] = read_csrf_token(browser)
    for method, path in CHANGING:
        # Composing waits for its process, which is not there.
        for body in () if path.startswith(("/logout", "/compose", "/c/")) else BODIES:
            answer = browser.request(method, path, **body)
            assert answer.status_code < 500 or answer.status_code == 503, (method, path, body)


@pytest.mark.parametrize("who", ["client", "keeper_client"])
def test_every_answer_has_its_headers(who: str, request: pytest.FixtureRequest) -> None:
    browser: TestClient = request.getfixturevalue(who)
    hostile = {"q": "\x00'\"<script>", "page": "-1", "next": "//evil.example"}
    for path in PAGES:
        answer = browser.get(path, params=hostile)
        headers = answer.headers
        assert answer.status_code < 500 or answer.status_code == 503, path
        source = "'self'" if path.startswith("/static/") else "'none'"
        assert f"default-src {source}" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff", path
        assert "evil.example" not in headers.get("location", ""), path
        if "text/html" in headers.get("content-type", "") and answer.status_code == 200:
            assert "<script>" not in answer.text, path
            assert not re.search(r"<[^>]*\s(style|on\w+)=", answer.text), path
            assert "private" in headers.get("cache-control", ""), path
