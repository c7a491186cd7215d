"""Mails on their way to a server, which may refuse them."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from sluice.studio.accounts import mail
from sluice.studio.accounts.mail import compose_message, purge_mail, queue_mail, send_waiting
from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import OutgoingMail
from sluice.studio.config import StudioConfig
from sluice.studio.errors import StudioError

smtp = pytest.importorskip("aiosmtpd.smtp")


class LetterBox:
    """What a mail server does with what it is handed: keeps it, or says that it cannot."""

    def __init__(self) -> None:
        self.envelopes: list[Any] = []
        self.was_encrypted: list[bool] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answer.startswith("250"):
            self.envelopes.append(envelope)
            self.was_encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        return self.answer


@contextmanager
def run_server(
    box: LetterBox, tls: ssl.SSLContext | None = None, is_tls_first: bool = False
) -> Iterator[int]:
    """The port of a mail server on this machine, in a thread of its own."""
    loop = asyncio.new_event_loop()
    made = loop.create_server(
        lambda: smtp.SMTP(box, loop=loop, tls_context=None if is_tls_first else tls),
        "127.0.0.1", 0, ssl=tls if is_tls_first else None,
    )  # fmt: skip
    server = loop.run_until_complete(made)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()


@pytest.fixture
def box() -> LetterBox:
    return LetterBox()


@pytest.fixture
def url(box: LetterBox) -> Iterator[str]:
    """The address of a mail server without encryption."""
    with run_server(box) as port:
        yield f"smtp://127.0.0.1:{port}"


def queue(database: Database, recipient: str = "a@example.org", subject: str = "Hello") -> None:
    with database.open_session(write=True) as session:
        queue_mail(session, recipient, subject, "Grüße,\n.\nfrom here\n")


def count(database: Database) -> int:
    with database.open_session() as session:
        return session.scalar(select(func.count()).select_from(OutgoingMail)) or 0


def test_a_mail_is_sent_once_and_forgotten(
    any_database: Database, box: LetterBox, url: str
) -> None:
    config = StudioConfig(mail=f"{url}?from=tunes@example.org", title="Our Tunes")
    queue(any_database)
    assert send_waiting(any_database, config) == 1
    assert send_waiting(any_database, config) == 0
    assert count(any_database) == 0
    [envelope] = box.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("tunes@example.org", ["a@example.org"])
    text = envelope.content.decode()
    assert "From: Our Tunes <tunes@example.org>" in text
    assert "Auto-Submitted: auto-generated" in text


def test_a_server_that_refuses_is_asked_again_later(
    database: Database, box: LetterBox, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(mail, "get_now", lambda: now)
    queue(database)
    box.answer = "451 later"
    pauses = []
    for _ in range(4):
        assert send_waiting(database, StudioConfig(mail=url)) == 0
        with database.open_session() as session:
            pauses.append(session.scalars(select(OutgoingMail)).one().next_attempt_at - now)
        now += pauses[-1]
    assert pauses == sorted(pauses)
    assert pauses[0] >= timedelta(minutes=1)
    assert pauses[-1] > 5 * pauses[0]
    box.answer = "250 OK"
    assert send_waiting(database, StudioConfig(mail=url)) == 1


def test_a_server_that_is_not_there_loses_nothing(database: Database) -> None:
    queue(database)
    assert send_waiting(database, StudioConfig(mail="smtp://127.0.0.1:1")) == 0
    assert count(database) == 1


def test_one_that_is_refused_does_not_stop_the_others(
    database: Database, box: LetterBox, url: str
) -> None:
    async def refuse(server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.startswith("bad"):
            return "550 nobody"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    box.handle_RCPT = refuse  # type: ignore[attr-defined]
    for name in ("bad@example.org", "good@example.org"):
        queue(database, name)
    assert send_waiting(database, StudioConfig(mail=url)) == 1
    assert count(database) == 1


def test_a_mail_is_given_up_after_days(database: Database) -> None:
    queue(database)
    with database.open_session(write=True) as session:
        old = datetime.now(UTC) - timedelta(days=4)
        session.execute(update(OutgoingMail).values(created_at=old))
        purge_mail(session)
    assert count(database) == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of this machine that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder / "cert.pem", folder / "key.pem"


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_mail_is_encrypted_where_the_server_can(
    database: Database, box: LetterBox, certificate: tuple[Path, Path], scheme: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    with run_server(box, context, is_tls_first=scheme == "smtps") as port:
        config = StudioConfig(mail=f"{scheme}://127.0.0.1:{port}")
        queue(database)
        # Whoever is not who the certificate says gets nothing.
        assert send_waiting(database, config) == 0
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        with database.open_session(write=True) as session:
            session.execute(update(OutgoingMail).values(next_attempt_at=datetime.now(UTC)))
        assert send_waiting(database, config) == 1
    assert box.was_encrypted == [True]


def test_a_password_is_not_sent_in_plain_text(
    database: Database, box: LetterBox, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "_is_loopback", lambda host: False)  # as if it were elsewhere
    queue(database)
    config = StudioConfig(mail=url.replace("//", "//user:secret@"))
    assert send_waiting(database, config) == 0
    assert box.envelopes == []


@pytest.mark.parametrize(
    ("recipient", "subject"),
    [
        ("a@example.org\nBcc: b@example.org", "Hello"),
        ("a@example.org\r\n\r\nbody", "Hello"),
        ("a@example.org", "Hello\nBcc: b@example.org"),
        ("a@example.org", "Hello\r\nBcc: b@example.org"),
        ("a@example.org", "Hello\x00"),
        ("a@example.org, b@example.org", "Hello"),
        ("Name <a@example.org>", "Hello"),
    ],
)
def test_no_header_is_smuggled_in(database: Database, recipient: str, subject: str) -> None:
    with pytest.raises(StudioError), database.open_session(write=True) as session:
        queue_mail(session, recipient, subject, "text")
    assert count(database) == 0


@pytest.mark.parametrize("url", ["http://example.org", "smtp:", "gopher://a"])
def test_an_address_that_is_no_mail_server(url: str) -> None:
    message = compose_message(
        StudioConfig(mail=url), OutgoingMail(recipient="a@example.org", subject="a", text="b")
    )
    with pytest.raises(StudioError, match="smtp://host:port"):
        mail.deliver(message, url)
