"""A studio in a temporary folder, as an application and as a running server."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from postgres_server import create_database, say_what_is_missing, start_server

MISSING = [
    name
    for name in ("fastapi", "sqlalchemy", "jinja2", "argon2", "babel", "markdown_it")
    if importlib.util.find_spec(name) is None
]
CHROMIUM = shutil.which("chromium")
PASSWORD = "the maids of mount cisco"

if MISSING:
    collect_ignore_glob = ["*"]
else:
    from argon2 import PasswordHasher
    from fastapi import FastAPI
    from starlette.testclient import TestClient

    from sluice.studio.accounts import passwords
    from sluice.studio.app import create_app
    from sluice.studio.archive.database import Database
    from sluice.studio.config import StudioConfig


@pytest.fixture
def config(tmp_path: Path) -> StudioConfig:
    """Of a studio in a folder of its own."""
    return StudioConfig(folder=tmp_path / "studio", host="testserver", port=80)


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of SQLite with all tables and nothing in them, for copies."""
    path = tmp_path_factory.mktemp("empty") / "studio.sqlite"
    create_tables(f"sqlite:///{path}")
    return path


def create_tables(url: str) -> None:
    created = Database(url)
    created.create_tables()
    created.close()


@pytest.fixture
def database(config: StudioConfig, empty_file: Path) -> Iterator[Database]:
    """Its database, with all tables and nothing in them."""
    config.folder.mkdir(parents=True)
    shutil.copy(empty_file, config.database_url.removeprefix("sqlite:///"))
    opened = Database(config.database_url)
    yield opened
    opened.close()


@pytest.fixture
def studio_app(config: StudioConfig, database: Database) -> FastAPI:
    """The application, without a composing process."""
    return create_app(config)


@pytest.fixture
def client(studio_app: FastAPI) -> Iterator[TestClient]:
    """A browser of nobody in particular."""
    with TestClient(studio_app, follow_redirects=False) as opened:
        yield opened


def add_member(database: Database, name: str, **columns: Any) -> int:
    """The number of a new member with the password of `PASSWORD`."""
    from sluice.studio.archive.tables import Member

    with database.open_session(write=True) as session:
        member = Member(
            email=f"{name.lower()}@example.org", name=name, password=_hash_once(passwords._hasher)
        )
        for column, value in columns.items():
            setattr(member, column, value)
        session.add(member)
        session.flush()
        return member.id


@cache
def _hash_once(hasher: PasswordHasher) -> str:
    """The hash of `PASSWORD` that it makes."""
    return passwords.hash_password(PASSWORD)


@cache
def _make_cheap_hasher() -> dict[str, Any]:
    """Hashes that cost nothing, and threads that wait for none of the others, by their names."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    unknown, threads = hasher.hash("of nobody"), ThreadPoolExecutor(2, "password")
    return {"_hasher": hasher, "_UNKNOWN": unknown, "_threads": threads}


@pytest.fixture(autouse=True)
def _hash_cheaply(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash takes no time, but where a test asks for `costly_hashes`."""
    if "costly_hashes" not in request.fixturenames:
        for name, value in _make_cheap_hasher().items():
            monkeypatch.setattr(passwords, name, value)


@pytest.fixture
def costly_hashes() -> None:
    """Passwords cost what they cost on a site."""


def log_in(client: TestClient, database: Database, member_id: int) -> TestClient:
    """The client, as a browser in which this member is logged in, whose scripts send the token."""
    from sluice.studio.accounts.sessions import COOKIE, start_session
    from sluice.studio.archive.tables import Member

    with database.open_session(write=True) as session:
        client.cookies.set(COOKIE, start_session(session, session.get_one(Member, member_id)))
    client.headers["x-csrf-token"] = read_csrf_token(client)
    return client


def read_csrf_token(client: TestClient) -> str:
    """The token of the forms in this browser."""
    found = re.search(r'name="csrf-token" content="([0-9a-f]{64})"', client.get("/about").text)
    assert found is not None
    return found[1]


@pytest.fixture
def member_id(database: Database) -> int:
    """The number of a member whose posts no longer wait."""
    return add_member(database, "Aoife", num_approved=3)


@pytest.fixture
def keeper_id(database: Database) -> int:
    """The number of a keeper."""
    return add_member(database, "Keeper", role="keeper")


@pytest.fixture
def member_client(studio_app: FastAPI, database: Database, member_id: int) -> Iterator[TestClient]:
    """A browser in which a member is logged in."""
    with TestClient(studio_app, follow_redirects=False) as opened:
        yield log_in(opened, database, member_id)


@pytest.fixture
def keeper_client(studio_app: FastAPI, database: Database, keeper_id: int) -> Iterator[TestClient]:
    """A browser in which a keeper is logged in."""
    with TestClient(studio_app, follow_redirects=False) as opened:
        yield log_in(opened, database, keeper_id)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server of these tests alone."""
    if missing := say_what_is_missing():
        pytest.skip(missing)
    with start_server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database in PostgreSQL."""
    with create_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_tables(postgres_server: str) -> Iterator[str]:
    """The name of a database in PostgreSQL with all tables and nothing in them, for copies."""
    with create_database(postgres_server) as url:
        create_tables(StudioConfig(database=url).database_url)
        yield url.rpartition("/")[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database: the test runs with SQLite and with PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'studio.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=["sqlite", "postgresql"])
def url_with_tables(
    request: pytest.FixtureRequest, tmp_path: Path, empty_file: Path
) -> Iterator[str]:
    """The URL of a database with all tables and nothing in them: once SQLite, once PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{shutil.copy(empty_file, tmp_path)}"
        return
    server = request.getfixturevalue("postgres_server")
    with create_database(server, request.getfixturevalue("postgres_tables")) as url:
        yield url


@pytest.fixture
def any_database(url_with_tables: str) -> Iterator[Database]:
    """The database of `url_with_tables`."""
    opened = Database(StudioConfig(database=url_with_tables).database_url)
    yield opened
    opened.close()


@contextmanager
def serve(app: FastAPI, port: int) -> Iterator[None]:
    """The application as a server of this process, without a composing process."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.02)
        yield
    finally:
        server.should_exit = True
        thread.join()


def find_free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@pytest.fixture(scope="session")
def live_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a studio as `sluice studio` starts it, with its composing process."""
    folder, port = tmp_path_factory.mktemp("live") / "studio", find_free_port()
    command = [sys.executable, "-m", "sluice", "studio", "--folder", str(folder), "--no-browser"]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--mail", f"file:{folder / 'mail'}"],
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(address, process)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def wait_until_ready(address: str, process: subprocess.Popen[Any]) -> None:
    """Wait for a studio to answer and to compose, at most two minutes."""
    for _ in range(1200):
        assert process.poll() is None, "the studio ended at its start"
        try:
            with urllib.request.urlopen(f"{address}/healthz") as answer:
                if json.load(answer)["status"] == "ok":
                    return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.1)
    raise AssertionError("the studio was not ready within two minutes")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, which reaches this machine only, and plays without being touched."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as play:
        opened = play.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, live_studio: str) -> Iterator[Any]:
    """A page of a new visitor; the test fails at any error of a script or foreign request."""
    context = browser.new_context(base_url=live_studio, viewport={"width": 1280, "height": 900})
    opened, problems = context.new_page(), []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on(
        "request",
        lambda request: (
            problems.append(request.url)
            if not request.url.startswith((live_studio, "data:", "blob:"))
            else None
        ),
    )
    yield opened
    context.close()
    assert not problems


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browsers come last: while Playwright runs, no test of the same process can run a loop."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
