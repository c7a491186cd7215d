"""Sessions of members in their browsers."""

from __future__ import annotations

import hashlib

from fastapi import Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from sluice.studio.archive.tables import Member, MemberSession
from sluice.studio.archive.tables.base import get_now

COOKIE = "session"


def find_member(request: Request, database: Session, is_secure: bool) -> Member | None:
    """The member whose session's cookie came with a request."""
    token = request.cookies.get(f"__Host-{COOKIE}" if is_secure else COOKIE, "")
    if not token:
        return None
    found = database.scalar(
        select(MemberSession).where(
            MemberSession.token_hash == hashlib.sha256(token.encode()).hexdigest(),
            MemberSession.expires_at > get_now(),
        )
    )
    return None if found is None or found.member.is_blocked else found.member
