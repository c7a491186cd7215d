"""What happened: every addition to the archive, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, true
from sqlalchemy.orm import Session, joinedload

from sluice.studio.archive.subjects import COMMENTED, NamedSubject, name_subjects
from sluice.studio.archive.tables import (
    Activity,
    ArchiveEvent,
    ArchiveRecording,
    ArchiveTune,
    Book,
    Comment,
    Composition,
    Follow,
    Member,
    Month,
    Setting,
    event_tunes,
    recording_tunes,
)
from sluice.studio.archive.visibility import is_visible

Subject = Literal["tune", "setting", "comment", "recording", "event", "book", "month"]
Verb = Literal["added", "changed"]


@dataclass(frozen=True)
class ActivityItem:
    """A line of the list.

    Attributes:
        number: of the row; whoever wants older lines asks for those before it.
        member: who did it; None for a visitor, or a member who left.
        subject: what was added or changed.
        named: its title and page; of a comment those of what it is about.
    """

    number: int
    created_at: datetime
    member: Member | None
    verb: str
    subject: str
    named: NamedSubject


def record_activity(
    database: Session,
    member: Member | None,
    subject: Subject,
    subject_id: int,
    verb: Verb = "added",
) -> None:
    """Note that `member`, or a visitor without account, added or changed something.

    Who may see the line is decided when it is shown: whoever may see the subject.
    """
    database.add(
        Activity(
            member_id=member.id if member else None,
            verb=verb,
            subject=subject,
            subject_id=subject_id,
        )
    )


def list_activity(
    database: Session,
    viewer: Member | None,
    *,
    author: Member | None = None,
    follower: Member | None = None,
    before: int | None = None,
    since: datetime | None = None,
    limit: int = 50,
) -> list[ActivityItem]:
    """The newest lines that `viewer` may see.

    Args:
        author: only what this member did.
        follower: only what this member follows, without what they did themselves.
        before: only lines with a smaller number.
        since: only what happened then or later.
        limit: at most so many.
    """
    query = select(Activity).options(joinedload(Activity.member)).where(_be_visible(viewer))
    if author is not None:
        query = query.where(Activity.member_id == author.id)
    if follower is not None:
        query = query.where(_be_followed(follower))
    if before is not None:
        query = query.where(Activity.id < before)
    if since is not None:
        query = query.where(Activity.created_at >= since)
    rows = database.scalars(query.order_by(Activity.id.desc()).limit(limit)).all()
    return _describe(database, rows)


def _be(subject: Subject, query: Select[int]) -> ColumnElement[bool]:
    return and_(Activity.subject == subject, exists(query))


def _be_visible(viewer: Member | None) -> ColumnElement[bool]:
    number = Activity.subject_id
    is_open = Book.is_public if viewer is None else or_(Book.is_public, Book.owner_id == viewer.id)
    posts: list[ColumnElement[bool]] = [
        _be(
            "tune",
            select(ArchiveTune.id).where(ArchiveTune.id == number, is_visible(ArchiveTune, viewer)),
        ),
        _be(
            "setting",
            select(Setting.id)
            .join(ArchiveTune)
            .where(
                Setting.id == number,
                is_visible(Setting, viewer),
                is_visible(ArchiveTune, viewer),
            ),
        ),
        _be(
            "recording",
            select(ArchiveRecording.id).where(
                ArchiveRecording.id == number, is_visible(ArchiveRecording, viewer)
            ),
        ),
        _be(
            "event",
            select(ArchiveEvent.id).where(
                ArchiveEvent.id == number, is_visible(ArchiveEvent, viewer)
            ),
        ),
        _be("book", select(Book.id).where(Book.id == number, is_open)),
        _be("month", select(Month.id).where(Month.id == number)),
    ]
    for about, table in COMMENTED.items():
        condition = is_visible(table, viewer) if table is not Composition else true()
        posts.append(
            _be(
                "comment",
                select(Comment.id)
                .join(table, Comment.subject_id == table.id)
                .where(
                    Comment.id == number,
                    Comment.subject == about,
                    is_visible(Comment, viewer),
                    condition,
                ),
            )
        )
    return or_(*posts)


def _be_followed(follower: Member) -> ColumnElement[bool]:
    number = Activity.subject_id
    of_tune = and_(Follow.member_id == follower.id, Follow.subject == "tune")
    of_member = and_(Follow.member_id == follower.id, Follow.subject == "member")
    tune = Follow.subject_id
    return and_(
        or_(Activity.member_id.is_(None), Activity.member_id != follower.id),
        or_(
            exists(select(Follow.id).where(of_member, tune == Activity.member_id)),
            _be("tune", select(Follow.id).where(of_tune, tune == number)),
            _be(
                "setting",
                select(Setting.id)
                .join(Follow, tune == Setting.tune_id)
                .where(of_tune, Setting.id == number),
            ),
            _be(
                "comment",
                select(Comment.id)
                .join(Follow, tune == Comment.subject_id)
                .where(of_tune, Comment.subject == "tune", Comment.id == number),
            ),
            _be(
                "recording",
                select(Follow.id)
                .join(recording_tunes, tune == recording_tunes.c.tune_id)
                .where(of_tune, recording_tunes.c.recording_id == number),
            ),
            _be(
                "event",
                select(Follow.id)
                .join(event_tunes, tune == event_tunes.c.tune_id)
                .where(of_tune, event_tunes.c.event_id == number),
            ),
        ),
    )


def _describe(database: Session, rows: Sequence[Activity]) -> list[ActivityItem]:
    wanted: dict[str, set[int]] = {}
    for row in rows:
        wanted.setdefault(row.subject, set()).add(row.subject_id)
    found = {
        (subject, number): named
        for subject, numbers in wanted.items()
        for number, named in name_subjects(database, subject, numbers).items()
    }
    return [
        ActivityItem(row.id, row.created_at, row.member, row.verb, row.subject, named)
        for row in rows
        if (named := found.get((row.subject, row.subject_id)))
    ]
