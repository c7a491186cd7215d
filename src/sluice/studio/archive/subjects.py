"""Titles and addresses of what comments, reports and activity are about."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from sluice.studio.archive.tables import (
    ArchiveEvent,
    ArchiveRecording,
    ArchiveTune,
    Book,
    Comment,
    Composition,
    Member,
    Month,
    Setting,
)

COMMENTED: Final[dict[str, type[Any]]] = {
    "tune": ArchiveTune,
    "recording": ArchiveRecording,
    "event": ArchiveEvent,
    "composition": Composition,
}


@dataclass(frozen=True)
class NamedSubject:
    """Something with a page.

    Attributes:
        kind: such as `tune`; for a comment that of what it is about.
        title: as people know it.
        address: the path of its page.
    """

    kind: str
    title: str
    address: str


def name_subjects(
    database: Session, subject: str, numbers: Collection[int]
) -> dict[int, NamedSubject]:
    """Title and address of each row of one kind, by its number; nothing for what is gone.

    Whether a viewer may see them is not asked here.
    """
    if subject == "setting":
        settings = select(Setting.id, Setting.number, ArchiveTune.id, ArchiveTune.title)
        settings = settings.join(ArchiveTune).where(Setting.id.in_(numbers))
        return {
            number: NamedSubject(subject, title, f"/tunes/{tune}#setting-{place}")
            for number, place, tune, title in database.execute(settings)
        }
    if subject == "comment":
        return _name_comments(database, numbers)
    if subject == "composition":
        compositions = select(Composition).where(Composition.id.in_(numbers))
        return {
            row.id: NamedSubject(subject, row.title or row.code, f"/c/{row.code}")
            for row in database.scalars(compositions)
        }
    named: dict[str, tuple[Any, Any, str]] = {
        "tune": (ArchiveTune.id, ArchiveTune.title, "tunes"),
        "recording": (ArchiveRecording.id, ArchiveRecording.title, "recordings"),
        "event": (ArchiveEvent.id, ArchiveEvent.title, "events"),
        "book": (Book.id, Book.name, "books"),
        "month": (Month.id, Month.name, "month"),
        "member": (Member.id, Member.name, "members"),
    }
    if subject not in named:
        return {}
    key, title, folder = named[subject]
    return {
        number: NamedSubject(subject, text, f"/{folder}/{number}")
        for number, text in database.execute(select(key, title).where(key.in_(numbers)))
    }


def _name_comments(database: Session, numbers: Collection[int]) -> dict[int, NamedSubject]:
    comments = database.scalars(select(Comment).where(Comment.id.in_(numbers))).all()
    wanted: dict[str, set[int]] = {}
    for comment in comments:
        wanted.setdefault(comment.subject, set()).add(comment.subject_id)
    found = {subject: name_subjects(database, subject, rows) for subject, rows in wanted.items()}
    return {
        comment.id: NamedSubject(about.kind, about.title, f"{about.address}#comment-{comment.id}")
        for comment in comments
        if (about := found[comment.subject].get(comment.subject_id))
    }
