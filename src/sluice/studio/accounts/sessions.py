"""Sessions of members in their browsers."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from fastapi import Request
from sqlalchemy import select
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
