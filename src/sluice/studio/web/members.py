"""A browser becomes a member's, or nobody's again."""

from __future__ import annotations

from fastapi import Request
from sqlalchemy.orm import Session

from sluice.studio.accounts.login import sign_browser
from sluice.studio.accounts.sessions import (
    COOKIE,
    DURATION,
    describe_browser,
    end_sessions,
    find_session,
    read_token,
    start_session,
)
from sluice.studio.archive.tables import Member
from sluice.studio.archive.tunes import claim_tunes
from sluice.studio.languages import list_languages
from sluice.studio.web.context import Studio
from sluice.studio.web.visitor import (
    LONGEST_SECONDS,
    Visitor,
    get_cookie_name,
    renew_secret,
    set_cookie,
)

KNOWN = "known"


def enter(
    request: Request, database: Session, studio: Studio, visitor: Visitor, member: Member
) -> None:
    """Log a member in: with new secrets, whatever this browser sent, and what it composed."""
    is_secure = studio.config.is_secure
    end_current_session(request, database, is_secure)
    claim_tunes(database, member, visitor.claim_hash)
    browser = describe_browser(request.headers.get("user-agent", ""))
    token = start_session(database, member, browser)
    renew_secret(request)
    seconds = int(DURATION.total_seconds())
    set_cookie(request, get_cookie_name(COOKIE, is_secure), token, seconds)
    if member.language in list_languages():
        set_cookie(request, "language", member.language, LONGEST_SECONDS)
    known = sign_browser(studio.key, member)
    set_cookie(request, get_cookie_name(KNOWN, is_secure), known, LONGEST_SECONDS)


def leave(request: Request, database: Session, studio: Studio) -> None:
    """Log the member out; who uses the browser next has nothing of theirs."""
    end_current_session(request, database, studio.config.is_secure)
    set_cookie(request, get_cookie_name(COOKIE, studio.config.is_secure), "", 0)
    renew_secret(request)


def end_current_session(request: Request, database: Session, is_secure: bool) -> None:
    """End the session whose cookie came with a request, if there is one."""
    session = find_session(database, read_token(request, is_secure))
    if session is not None:
        end_sessions(database, session.member, only=session.id)
