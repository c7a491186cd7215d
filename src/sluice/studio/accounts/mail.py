"""Mails: they wait in a table until a server took them or they are written to a folder."""

from __future__ import annotations

import smtplib
import ssl
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from sluice.files import write_atomically
from sluice.studio.accounts.names import check_email
from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import OutgoingMail
from sluice.studio.archive.tables.base import get_now
from sluice.studio.config import StudioConfig
from sluice.studio.errors import StudioError
from sluice.studio.security.text import check_line

_SECONDS = 20
_FIRST_DELAY, _LONGEST_DELAY = timedelta(minutes=1), timedelta(hours=6)
MAX_ATTEMPTS = 10
# With shorter lines a long link in a header is encoded, and no mail program finds it.
_POLICY = SMTP.clone(max_line_length=900)


def queue_mail(
    database: Session, recipient: str, subject: str, text: str, unsubscribe_url: str = ""
) -> None:
    """Put a mail among those that wait to be sent.

    Args:
        unsubscribe_url: where a POST ends mails of this kind (RFC 8058); in each that comes
            regularly.

    Raises:
        StudioError: the recipient is no address, or the subject has several lines.
    """
    if "\n" in subject or "\r" in subject:
        raise StudioError("The subject of a mail is one line.")
    database.add(
        OutgoingMail(
            recipient=check_email(recipient),
            subject=check_line(subject, "subject"),
            text=text,
            unsubscribe_url=unsubscribe_url,
            next_attempt_at=get_now(),
        )
    )


def send_waiting(database: Database, config: StudioConfig, limit: int = 20) -> int:
    """Send the mails that are due; returns how many were.

    One that fails is tried again after growing pauses, ten times within about two days. Several
    processes may call this: each mail is taken by one. A process that is killed in between may
    lead to a mail sent twice, never to none.
    """
    count = 0
    while config.mail and count < limit and (mail := _take(database)) is not None:
        try:
            deliver(compose_message(config, mail), config.mail)
        except (OSError, smtplib.SMTPException):
            continue  # its next attempt is noted already
        with database.open_session(write=True) as session:
            session.execute(delete(OutgoingMail).where(OutgoingMail.id == mail.id))
        count += 1
    return count


def _take(database: Database) -> OutgoingMail | None:
    now = get_now()
    due = (
        select(OutgoingMail)
        .where(OutgoingMail.next_attempt_at <= now, OutgoingMail.attempts < MAX_ATTEMPTS)
        .order_by(OutgoingMail.next_attempt_at)
        .limit(1)
    )
    with database.open_session() as session:
        if session.scalar(due) is None:  # no lock is taken where nothing waits
            return None
    with database.open_session(write=True) as session:
        mail = session.scalar(due.with_for_update(skip_locked=True))
        if mail is not None:
            mail.next_attempt_at = now + min(_FIRST_DELAY * 3**mail.attempts, _LONGEST_DELAY)
            mail.attempts += 1
        return mail


def compose_message(config: StudioConfig, mail: OutgoingMail) -> EmailMessage:
    """The mail as it is sent: plain text, from this site."""
    url = urlsplit(config.mail)
    host = urlsplit(config.public_address).hostname or "localhost"
    sender = parse_qs(url.query).get("from", [f"noreply@{host}"])[0]
    message = EmailMessage(policy=_POLICY)
    message["From"] = Address(config.title, addr_spec=sender)
    message["To"] = Address(addr_spec=mail.recipient)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(get_now())
    message["Message-ID"] = make_msgid(domain=host)
    message["Auto-Submitted"] = "auto-generated"
    if mail.unsubscribe_url:
        message["List-Unsubscribe"] = f"<{mail.unsubscribe_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(mail.text)
    return message


def deliver(message: EmailMessage, mail_url: str) -> None:
    """Hand a message to the server, or write it into the folder, that a URL names.

    Raises:
        OSError, smtplib.SMTPException: it was not taken.
        StudioError: the URL is none of `smtp:`, `smtps:` and `file:`.
    """
    url = urlsplit(mail_url)
    if url.scheme == "file":
        name = str(message["Message-ID"]).strip("<>").partition("@")[0]
        folder = Path(mail_url.removeprefix("file:").removeprefix("//").partition("?")[0])
        write_atomically(folder / f"{name}.eml", message.as_bytes())
        return
    if url.scheme not in ("smtp", "smtps") or not url.hostname:
        raise StudioError("Mail goes to smtp://host:port, smtps://host:port or file:folder.")
    with _connect(url) as server:
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        server.send_message(message)


def _connect(url: SplitResult) -> smtplib.SMTP:
    host = url.hostname or ""
    context = ssl.create_default_context()
    if url.scheme == "smtps":
        return smtplib.SMTP_SSL(host, url.port or 465, timeout=_SECONDS, context=context)
    server = smtplib.SMTP(host, url.port or 25, timeout=_SECONDS)
    server.ehlo()
    if server.has_extn("starttls"):
        server.starttls(context=context)
    elif url.username and not _is_loopback(host):
        server.close()
        raise smtplib.SMTPException("The server takes the password in plain text only.")
    return server


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def purge_mail(database: Session) -> None:
    """Forget mails that could not be sent within three days."""
    database.execute(
        delete(OutgoingMail).where(OutgoingMail.created_at < get_now() - timedelta(days=3))
    )
