"""The parts of the studio that a route asks for."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Annotated, cast

from fastapi import Depends, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from sluice.studio.accounts.sessions import (
    COOKIE,
    DURATION,
    find_session,
    read_token,
    renew_session,
)
from sluice.studio.archive.database import Database
from sluice.studio.archive.models import store_models
from sluice.studio.archive.tables import Member, MemberSession
from sluice.studio.archive.tables.base import get_now
from sluice.studio.archive.write_queue import WriteQueue
from sluice.studio.composing.client import ComposingClient
from sluice.studio.composing.config import SECRET_VARIABLE
from sluice.studio.composing.model_info import ModelInfo
from sluice.studio.config import StudioConfig
from sluice.studio.errors import ForbiddenError, StudioError
from sluice.studio.exports.cache import FileCache
from sluice.studio.exports.jobs import JobRunner
from sluice.studio.languages import gettext as _
from sluice.studio.security.keys import load_key
from sluice.studio.web.option_checks import OptionChecks
from sluice.studio.web.visitor import Visitor, get_cookie_name, set_cookie

_RENEWED_AFTER = timedelta(hours=20)

_SECONDS_OF_MODELS = 5.0


@dataclass
class Studio:
    """The parts that every request shares."""

    config: StudioConfig
    database: Database
    writes: WriteQueue
    composing: ComposingClient
    checks: OptionChecks
    jobs: JobRunner
    _models: tuple[ModelInfo, ...] = ()
    _models_until: float = 0.0

    @classmethod
    def open(cls, config: StudioConfig) -> Studio:
        """The studio of these settings, whose database has its tables already."""
        database = Database(config.database_url)
        addresses = config.composers or (f"unix:{config.folder / 'run' / 'composing.socket'}",)
        client = ComposingClient(addresses, os.environ.get(SECRET_VARIABLE, ""))
        jobs = JobRunner(config.folder / "run", FileCache(config.folder / "cache"))
        return cls(config, database, WriteQueue(database), client, OptionChecks(client), jobs)

    async def close(self) -> None:
        """Wait for what is being written, and close the database."""
        await self.writes.close()
        self.database.close()

    async def list_models(self) -> tuple[ModelInfo, ...]:
        """The models that compose now; none while no composing process answers."""
        if time.monotonic() < self._models_until:
            return self._models
        try:
            found = tuple(await self.composing.list_models())
        except StudioError:
            return ()
        self._models_until = time.monotonic() + _SECONDS_OF_MODELS
        if found != self._models:
            self._models = found
            self.writes.post(partial(store_models, models=found))
        return found

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


async def list_models(studio: StudioDep) -> tuple[ModelInfo, ...]:
    """The models that compose now."""
    return await studio.list_models()


ModelsDep = Annotated[tuple[ModelInfo, ...], Depends(list_models)]


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
        if session is not None:
            database.commit()  # what is left of the body may come slowly: no lock waits for it
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


async def identify_visitor(request: Request, studio: StudioDep) -> Visitor:
    """Who sent this request, for routes that open no session of the database for all of it."""
    if not read_token(request, studio.config.is_secure):
        return get_visitor(request, Session(), studio)

    def read() -> Visitor:
        with studio.database.open_session() as session:
            return get_visitor(request, session, studio)

    return await run_in_threadpool(read)


QuickVisitorDep = Annotated[Visitor, Depends(identify_visitor)]


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
