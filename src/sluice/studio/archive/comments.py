"""Comments on tunes, recordings, events and compositions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, joinedload

from sluice.studio.archive.activity import record_activity
from sluice.studio.archive.subjects import COMMENTED, NamedSubject, name_subjects
from sluice.studio.archive.tables import Activity, Comment, Composition, Member
from sluice.studio.archive.tables.base import MAX_ID, get_now
from sluice.studio.archive.visibility import (
    can_see,
    choose_visibility,
    is_visible,
    may_change,
    require_visible,
)
from sluice.studio.errors import ForbiddenError, NotFoundError
from sluice.studio.languages import gettext as _


@dataclass(frozen=True)
class CommentList:
    """The comments on one thing that a visitor may see, oldest first."""

    subject: str
    subject_id: int
    comments: list[Comment]


def list_comments(
    database: Session, subject: str, subject_id: int, member: Member | None
) -> CommentList:
    """The comments on a `tune`, `recording`, `event` or `composition`."""
    found = database.scalars(
        select(Comment)
        .where(
            Comment.subject == subject, Comment.subject_id == subject_id,
            is_visible(Comment, member),
        )
        .options(joinedload(Comment.author))
        .order_by(Comment.id)
    )  # fmt: skip
    return CommentList(subject, subject_id, list(found))


def find_subject(
    database: Session, subject: str, subject_id: int, member: Member | None, claim_hash: str = ""
) -> NamedSubject:
    """What can be commented on and seen by this visitor, with its address.

    Raises:
        NotFoundError: there is none.
    """
    table: type[Any] | None = COMMENTED.get(subject)
    row = database.get(table, subject_id) if table and 0 < subject_id <= MAX_ID else None
    if not isinstance(row, Composition):
        require_visible(row, member, claim_hash)
    named = name_subjects(database, subject, [subject_id]).get(subject_id)
    if row is None or named is None:
        raise NotFoundError(_("There is nothing to comment on."))
    return named


def add_comment(
    database: Session, subject: str, subject_id: int, member: Member, text: str
) -> Comment:
    """Add a comment, a text that was checked, for all to see or for a keeper to look at first."""
    comment = Comment(
        subject=subject,
        subject_id=subject_id,
        author_id=member.id,
        text=text,
        visibility=choose_visibility(database, member),
    )
    database.add(comment)
    database.flush()
    record_activity(database, member, "comment", comment.id)
    return comment


def get_comment(database: Session, comment_id: int, member: Member) -> Comment:
    """A comment that this member may change: their own, and a keeper any.

    Raises:
        NotFoundError: there is none, or it is hidden.
        ForbiddenError: it is somebody else's.
    """
    comment = database.get(Comment, comment_id) if 0 < comment_id <= MAX_ID else None
    if comment is None or not can_see(comment, member):
        raise NotFoundError(_("There is no such comment."))
    if not may_change(comment, member):
        raise ForbiddenError(_("Only whoever wrote this comment can change or delete it."))
    return comment


def change_comment(database: Session, comment: Comment, text: str) -> None:
    """Change a comment's text, which was checked; it says then that it was changed."""
    if text != comment.text:
        comment.text, comment.changed_at = text, get_now()
        database.flush()


def delete_comment(database: Session, comment: Comment) -> None:
    """Delete a comment."""
    database.execute(
        delete(Activity).where(Activity.subject == "comment", Activity.subject_id == comment.id)
    )
    database.delete(comment)
    database.flush()
