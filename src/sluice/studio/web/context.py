"""The parts of the studio that a route asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from sluice.studio.accounts.sessions import find_session, read_token
from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import Member
from sluice.studio.config import StudioConfig
from sluice.studio.errors import ForbiddenError, StudioError
from sluice.studio.languages import gettext as _
from sluice.studio.security.keys import load_key
from sluice.studio.web.visitor import Visitor


@dataclass
class Studio:
    """The parts that every request shares."""

    config: StudioConfig
    database: Database

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
        session = find_session(database, read_token(request, studio.config.is_secure))
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
