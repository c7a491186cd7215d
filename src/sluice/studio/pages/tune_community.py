"""What the community has made of a tune: blocks of the tune's page."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from sluice.studio.archive.events import list_coming, list_past
from sluice.studio.archive.follow import is_following
from sluice.studio.archive.recordings import list_recordings
from sluice.studio.archive.tables import (
    ArchiveEvent,
    ArchiveRecording,
    ArchiveTune,
    Book,
    BookEntry,
)
from sluice.studio.archive.tables.base import get_now
from sluice.studio.pages.recordings import find_embed
from sluice.studio.security.embeds import Embed
from sluice.studio.web.visitor import Visitor

_MOST = 20


@dataclass(frozen=True)
class TuneCommunity:
    """What the templates `tune_actions.html` and `tune_community.html` show.

    Attributes:
        recordings, events: of this tune, the newest first.
        own_books: of the member who looks, the oldest first.
        books_with_it: numbers of those that have the tune or a setting of it.
        settings_in_default: numbers of the settings in the oldest of them.
        public_books: of others.
        is_followed: by the member who looks.
    """

    recordings: list[ArchiveRecording]
    events: list[ArchiveEvent]
    own_books: list[Book]
    books_with_it: set[int]
    public_books: list[Book]
    is_followed: bool

    @staticmethod
    def find_embed(recording: ArchiveRecording) -> Embed | None:
        """Where a recording is that is no upload."""
        return find_embed(recording)


def find_tune_community(database: Session, visitor: Visitor, tune: ArchiveTune) -> TuneCommunity:
    """What a visitor may see of it."""
    viewer, now = visitor.member, get_now()
    own: list[Book] = []
    if viewer is not None:
        own = list(
            database.scalars(select(Book).where(Book.owner_id == viewer.id).order_by(Book.id))
        )
    with_it = select(BookEntry.book_id).where(BookEntry.tune_id == tune.id)
    public = select(Book).where(Book.is_public, Book.id.in_(with_it))
    if viewer is not None:
        public = public.where(Book.owner_id != viewer.id)
    return TuneCommunity(
        recordings=list_recordings(database, viewer, tune=tune, limit=_MOST),
        events=[
            *list_coming(database, viewer, now, tune),
            *list_past(database, viewer, now, tune, limit=_MOST),
        ],
        own_books=own,
        books_with_it=set(database.scalars(with_it)),
        public_books=list(database.scalars(public.order_by(Book.id.desc()).limit(_MOST))),
        is_followed=is_following(database, viewer, "tune", tune.id),
    )
