"""The parts of the studio that a route asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, cast

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from sluice.studio.accounts.sessions import (
    COOKIE,
    DURATION,
    find_session,
    read_token,
    renew_session,
)
from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import Member, MemberSession
from sluice.studio.archive.tables.base import get_now
from sluice.studio.config import StudioConfig
from sluice.studio.errors import ForbiddenError, StudioError
from sluice.studio.exports.jobs import JobRunner
from sluice.studio.languages import gettext as _
from sluice.studio.security.keys import load_key
from sluice.studio.web.visitor import Visitor, get_cookie_name, set_cookie

_RENEWED_AFTER = timedelta(hours=20)


@dataclass
class Studio:
    """The parts that every request shares."""

    config: StudioConfig
    database: Database
    jobs: JobRunner

    @property
    def key(self) -> bytes:
        """The site's secret key."""
        return load_key(self.config.folder)


class LoginNeededError(StudioError):
    """The page is for members; whoever is none is sent to the login page."""

    def __init__(self) -> None:
        super().__init__(_("This page is for members. Log in first."))


def get_studio(request: Request) -> Studio:
    """The studio that serves this request."""
    return cast(Studio, request.app.state.studio)


StudioDep = Annotated[Studio, Depends(get_studio)]


def open_database(request: Request, studio: StudioDep) -> Iterator[Session]:
    """A session for one request, committed before the answer is sent."""
    is_writing = request.method not in ("GET", "HEAD", "OPTIONS")
    with studio.database.open_session(write=is_writing) as session:
        yield session


DatabaseDep = Annotated[Session, Depends(open_database, scope="function")]


def get_visitor(request: Request, database: DatabaseDep, studio: StudioDep) -> Visitor:
    """Who sent this request; the same object for the whole of it."""
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    if visitor is None:
        token = read_token(request, studio.config.is_secure)
        session = find_session(database, token)
        if session is not None and get_now() - session.used_at > _RENEWED_AFTER:
            _renew(request, studio, session, token)
        visitor = Visitor(
            secret=getattr(request.state, "secret", ""),
            address=request.client.host if request.client else "",
            language=getattr(request.state, "language", studio.config.language),
            member=None if session is None else session.member,
            session_hash="" if session is None else session.token_hash,
            key=studio.key,
        )
        request.state.visitor = visitor
    return visitor


def _renew(request: Request, studio: Studio, session: MemberSession, token: str) -> None:
    if request.method in ("GET", "HEAD"):  # others hold the lock that this needs
        with studio.database.open_session(write=True) as writing:
            renew_session(writing, session)
        name = get_cookie_name(COOKIE, studio.config.is_secure)
        set_cookie(request, name, token, int(DURATION.total_seconds()))


VisitorDep = Annotated[Visitor, Depends(get_visitor)]


def get_member(visitor: VisitorDep) -> Member:
    """The member who is logged in.

    Raises:
        LoginNeededError: nobody is.
    """
    if visitor.member is None:
        raise LoginNeededError
    return visitor.member


MemberDep = Annotated[Member, Depends(get_member)]


def get_keeper(member: MemberDep) -> Member:
    """The keeper who is logged in.

    Raises:
        LoginNeededError: nobody is.
        ForbiddenError: a member who is no keeper.
    """
    if not member.is_keeper:
        raise ForbiddenError(_("This page is for the keepers of this site."))
    return member


KeeperDep = Annotated[Member, Depends(get_keeper)]
