"""Addresses that no page links to: answered with a sentence, in either database."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from sluice.studio.app import create_app
from sluice.studio.archive.database import Database
from sluice.studio.config import StudioConfig
from studio_routes import list_paths

QUERY = (
    "?q=%00&notes=%00&page=99999999999999999999&before=9223372036854775808&tune=-1&dance=%00"
    "&title=%F0%9F%8E%BB&next=%0D%0Ax&sort=%00&tab=%00&subject=%00&subject_id=99999999999"
)
ODD = ("0", "-1", "99999999999999999999", "9223372036854775807", "%00", "%F0%9F%8E%BB", "a" * 3000,
       "..%2f..%2fetc", "%0d%0aX:1")  # fmt: skip


@pytest.fixture
def any_app(config: StudioConfig, any_database: Database, url_with_tables: str) -> FastAPI:
    """The application with either database."""
    config = StudioConfig(
        folder=config.folder, database=url_with_tables, host="testserver", port=80
    )
    app = create_app(config)
    app.state.studio.composing._patience = 0.0
    return app


@pytest.fixture
def any_client(any_app: FastAPI) -> Iterator[TestClient]:
    with TestClient(any_app, follow_redirects=False, raise_server_exceptions=False) as opened:
        yield opened


def test_odd_parameters_are_no_failure(any_client: TestClient, any_app: FastAPI) -> None:
    seen: set[str] = set()
    failed: list[tuple[str, int]] = []
    for default in ODD:
        for path in list_paths(any_app, {"ending": "abc"}, default):
            if default != ODD[0] and path in seen:
                continue
            seen.add(path)
            for address in (path, path + QUERY) if default in ODD[:1] else (path,):
                status = any_client.get(address).status_code
                failed += [(address[:80], status)] if status == 500 else []
    assert failed == []


@pytest.mark.parametrize("path", ["/tunes", "/recordings", "/api/v1/tunes", "/healthz"])
def test_a_database_that_is_away_is_said_so(
    client: TestClient, studio_app: FastAPI, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OperationalError("", {}, OSError(errno.ENOSPC, "database or disk is full"))

    monkeypatch.setattr("sqlalchemy.orm.Session.execute", refuse)
    monkeypatch.setattr("sqlalchemy.orm.Session.scalar", refuse)
    monkeypatch.setattr("sqlalchemy.orm.Session.scalars", refuse)
    answer = client.get(path, headers={"accept": "application/json"})
    assert answer.status_code == 503
