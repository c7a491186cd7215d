"""What waits for a keeper: new posts of new members and visitors, and what was reported."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sluice.studio.archive.subjects import NamedSubject, name_subjects
from sluice.studio.archive.tables import (
    AbuseReport,
    ArchiveEvent,
    ArchiveRecording,
    ArchiveTune,
    Comment,
    Member,
    Setting,
)
from sluice.studio.archive.visibility import HIDDEN, WAITING, Post

POSTS: dict[str, type[Post]] = {
    "tune": ArchiveTune,
    "setting": Setting,
    "comment": Comment,
    "recording": ArchiveRecording,
    "event": ArchiveEvent,
}
REPORTED: dict[str, type[Any]] = {**POSTS, "member": Member}
"""What can be reported, by the word of forms and addresses."""


@dataclass(frozen=True)
class QueueItem:
    """Something that a keeper decides about.

    Attributes:
        subject: a word of `REPORTED`; `row` is it.
        named: title and page.
        author: of the post, or the member that was reported.
        reports: what visitors said of it, the oldest first.
    """

    subject: str
    row: Any
    named: NamedSubject
    author: Member | None
    reports: list[AbuseReport]

    @property
    def created_at(self) -> datetime:
        """Since when it waits."""
        moment: datetime = self.reports[0].created_at if self.reports else self.row.created_at
        return moment

    @property
    def is_waiting(self) -> bool:
        """Whether nobody sees it before a keeper agrees."""
        return getattr(self.row, "visibility", "") == WAITING


def list_queue(database: Session, limit: int = 20) -> list[QueueItem]:
    """The oldest of what waits and of what was reported, as many as a page shows."""
    reports: dict[tuple[str, int], list[AbuseReport]] = {}
    open_reports = select(AbuseReport).where(AbuseReport.closed_at.is_(None))
    for report in database.scalars(open_reports.order_by(AbuseReport.id).limit(500)):
        reports.setdefault((report.subject, report.subject_id), []).append(report)
    items = []
    for subject, table in REPORTED.items():
        numbers = {number for kind, number in reports if kind == subject}
        rows = {row.id: row for row in _read(database, table, numbers)}
        if subject in POSTS:
            waiting = select(table).where(table.visibility == WAITING)
            rows |= {
                row.id: row for row in database.scalars(waiting.order_by(table.id).limit(limit))
            }
        items += _describe(database, subject, rows, reports)
    return sorted(items, key=lambda item: item.created_at)[:limit]


def list_own_waiting(database: Session, member: Member) -> list[QueueItem]:
    """A member's own posts that wait or were hidden, with whether they do."""
    items = []
    for subject, table in POSTS.items():
        query = select(table).where(
            table.author_id == member.id, table.visibility.in_((WAITING, HIDDEN))
        )
        rows = {row.id: row for row in database.scalars(query.order_by(table.id.desc()).limit(50))}
        items += _describe(database, subject, rows, {})
    return items


def list_hidden(database: Session, limit: int = 50) -> list[QueueItem]:
    """What keepers have hidden, the newest first."""
    items = []
    for subject, table in POSTS.items():
        query = select(table).where(table.visibility == HIDDEN).order_by(table.id.desc())
        rows = {row.id: row for row in database.scalars(query.limit(limit))}
        items += _describe(database, subject, rows, {})
    return sorted(items, key=lambda item: item.created_at, reverse=True)[:limit]


def _read(database: Session, table: type[Any], numbers: set[int]) -> list[Any]:
    return list(database.scalars(select(table).where(table.id.in_(numbers)))) if numbers else []


def _describe(
    database: Session,
    subject: str,
    rows: dict[int, Any],
    reports: dict[tuple[str, int], list[AbuseReport]],
) -> list[QueueItem]:
    named = name_subjects(database, subject, rows)
    return [
        QueueItem(
            subject,
            row,
            named.get(number) or NamedSubject(subject, f"{subject} {number}", "/desk"),
            row if isinstance(row, Member) else row.author,
            reports.get((subject, number), []),
        )
        for number, row in rows.items()
    ]
