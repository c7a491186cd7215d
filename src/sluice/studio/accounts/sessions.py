"""Sessions of members in their browsers."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from fastapi import Request
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from sluice.studio.archive.tables import Member, MemberSession
from sluice.studio.archive.tables.base import get_now

COOKIE = "session"
DURATION = timedelta(days=30)


def read_token(request: Request, is_secure: bool) -> str:
    """The token in a request's cookie, or nothing."""
    return request.cookies.get(f"__Host-{COOKIE}" if is_secure else COOKIE, "")


def start_session(database: Session, member: Member, browser: str = "") -> str:
    """Log a member in; returns the token for the browser's cookie, of which a hash is stored."""
    token = secrets.token_urlsafe(32)
    now = get_now()
    database.add(
        MemberSession(
            token_hash=hash_token(token), member=member, browser=browser[:200], used_at=now,
            expires_at=now + DURATION,
        )
    )  # fmt: skip
    database.flush()
    return token


def find_session(database: Session, token: str) -> MemberSession | None:
    """The session with this token, unless it has expired or its member is blocked."""
    if not token or len(token) > 100:
        return None
    found = database.scalar(
        select(MemberSession).where(
            MemberSession.token_hash == hash_token(token), MemberSession.expires_at > get_now()
        )
    )
    return None if found is None or found.member.is_blocked else found


def hash_token(token: str) -> str:
    """What is stored of a random token."""
    return hashlib.sha256(token.encode()).hexdigest()


def renew_session(database: Session, session: MemberSession) -> None:
    """Let a session last from now on."""
    now = get_now()
    database.execute(
        update(MemberSession)
        .where(MemberSession.id == session.id)
        .values(used_at=now, expires_at=now + DURATION)
    )


def list_sessions(database: Session, member: Member) -> list[MemberSession]:
    """The browsers in which a member is logged in, the one used last first."""
    found = database.scalars(
        select(MemberSession)
        .where(MemberSession.member_id == member.id, MemberSession.expires_at > get_now())
        .order_by(MemberSession.used_at.desc(), MemberSession.id.desc())
    )
    return list(found)


def end_sessions(
    database: Session, member: Member, *, only: int | None = None, except_hash: str = ""
) -> None:
    """Log a member out: everywhere, in one session by its number, or in all but one."""
    condition = [MemberSession.member_id == member.id, MemberSession.token_hash != except_hash]
    if only is not None:
        condition.append(MemberSession.id == only)
    database.execute(delete(MemberSession).where(*condition))


def purge_sessions(database: Session) -> None:
    """Forget sessions that have expired."""
    database.execute(delete(MemberSession).where(MemberSession.expires_at <= get_now()))


def describe_browser(user_agent: str) -> str:
    """A browser and its system by their names, as far as its header tells.

    >>> describe_browser("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    'Firefox, Linux'
    """
    browsers = ("Edg", "OPR", "Firefox", "Chrome", "Safari")
    systems = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")
    names = {"Edg": "Edge", "OPR": "Opera", "Mac OS": "macOS"}
    found = [
        next((names.get(word, word) for word in words if word in user_agent), "")
        for words in (browsers, systems)
    ]
    return ", ".join(name for name in found if name)
