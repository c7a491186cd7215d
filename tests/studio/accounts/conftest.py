"""A studio that mails into a folder, read as a person reads it."""

from __future__ import annotations

import email
import re
import time
from collections.abc import Callable
from email import policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from httpx2 import Response
from sqlalchemy import select
from starlette.testclient import TestClient
from tests.studio.conftest import read_csrf_token

from sluice.studio.accounts.mail import send_waiting
from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import OutgoingMail
from sluice.studio.config import StudioConfig
from sluice.studio.security import robots


class Clock:
    """What robots' traps take for the time: a form takes half a minute."""

    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        self.now += 30
        return self.now


@pytest.fixture
def config(tmp_path: Path) -> StudioConfig:
    return StudioConfig(
        folder=tmp_path / "studio", mail=f"file:{tmp_path / 'mail'}",
        address="http://testserver", host="testserver",
    )  # fmt: skip


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robots, "time", Clock())


ReadMails = Callable[[], list[EmailMessage]]


@pytest.fixture
def read_mails(database: Database, config: StudioConfig, tmp_path: Path) -> ReadMails:
    """The mails since the last call, once they were sent."""

    def read() -> list[EmailMessage]:
        send_waiting(database, config)
        wait_until_sent(database)
        found = []
        for path in sorted(
            (tmp_path / "mail").glob("*.eml"), key=lambda path: path.stat().st_mtime
        ):
            found.append(email.message_from_bytes(path.read_bytes(), policy=policy.default))
            path.unlink()
        return found  # type: ignore[return-value]

    return read


def wait_until_sent(database: Database) -> None:
    """The studio sends them too: one that it has taken is in the folder a moment later."""
    end = time.monotonic() + 60
    while True:
        with database.open_session() as session:
            if session.scalar(select(OutgoingMail.id)) is None:
                return
        assert time.monotonic() < end
        time.sleep(0.02)


def find_link(mail: EmailMessage) -> str:
    """The path of the link in a mail."""
    found = re.search(r"^http://testserver(/\S+)\s*$", mail.get_content(), re.MULTILINE)
    assert found is not None
    return found[1]


def read_fields(client: TestClient, path: str, target: str) -> dict[str, str]:
    """The hidden fields of the form on a page that is sent to `target`."""
    page = client.get(path).text
    form = re.search(rf'<form[^>]*action="{re.escape(target)}".*?</form>', page, re.DOTALL)
    if form is None:  # what is refused has none
        return {"csrf_token": read_csrf_token(client)}
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form[0]))


def send(client: TestClient, path: str, *, to: str = "", **fields: str) -> Response:
    """Fill in the form of a page and send it as a browser does."""
    target = to or path
    data = {**read_fields(client, path, target), **fields}
    return client.post(target, data=data, headers={"origin": "http://testserver"})
