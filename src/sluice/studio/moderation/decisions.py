"""What keepers decide, each noted in their log."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sluice.studio.accounts.sessions import end_sessions
from sluice.studio.archive.subjects import name_subjects
from sluice.studio.archive.tables import (
    AbuseReport,
    ArchiveTune,
    KeeperAction,
    Member,
)
from sluice.studio.archive.tables.base import MAX_ID, get_now
from sluice.studio.archive.visibility import HIDDEN, PUBLIC, WAITING
from sluice.studio.errors import NotFoundError, StudioError
from sluice.studio.languages import gettext as _
from sluice.studio.moderation.queue import POSTS, REPORTED, list_own_waiting
from sluice.studio.security.text import check_text

Decision = Literal["approve", "hide", "delete", "block", "unblock", "keep"]
_DONE = {
    "approve": "approved", "hide": "hidden", "delete": "deleted", "block": "blocked",
    "unblock": "unblocked", "keep": "kept",
}  # fmt: skip


def decide(database: Session, keeper: Member, subject: str, number: int, decision: Decision) -> str:
    """Carry out what a keeper decided about something; closes its reports. Returns its title.

    `approve` shows it to all, and counts for its author; `hide` and `delete` count against them;
    `block` hides all that waits of its author and logs them out; `keep` only closes the reports.

    Raises:
        NotFoundError: it is gone.
        StudioError: the decision does not fit: a keeper cannot be blocked.
    """
    row = find_subject(database, subject, number)
    named = name_subjects(database, subject, [number]).get(number)
    title = named.title if named else f"{subject} {number}"
    author = row if isinstance(row, Member) else row.author
    if decision in ("approve", "hide", "delete") and subject not in POSTS:
        raise StudioError(_("A member can be blocked, but not hidden or deleted from here."))
    if decision == "approve":
        _approve(row, author)
    elif decision in ("hide", "delete"):
        if author is not None and row.visibility != HIDDEN:
            author.strikes += 1
        row.visibility = HIDDEN
        if isinstance(row, ArchiveTune):
            row.hidden_by_id = keeper.id
    elif decision in ("block", "unblock"):
        _block(database, author, decision == "block")
    database.flush()
    if decision == "delete":
        database.delete(row)
    _close_reports(database, keeper, subject, number, _DONE[decision])
    is_about_author = decision in ("block", "unblock") and author is not None
    database.add(
        KeeperAction(
            keeper_id=keeper.id,
            verb=_DONE[decision],
            subject="member" if is_about_author else subject,
            subject_id=author.id if is_about_author else number,
            summary=author.name if is_about_author else title[:200],
        )
    )
    return title


def report(
    database: Session, reporter: Member | None, subject: str, number: int, reason: str
) -> None:
    """Tell the keepers that something is out of place.

    Raises:
        NotFoundError: it is gone.
        StudioError: no reason was given.
    """
    find_subject(database, subject, number)
    database.add(
        AbuseReport(
            subject=subject, subject_id=number, reporter_id=reporter.id if reporter else None,
            reason=check_text(reason, "reason", 2000),
        )
    )  # fmt: skip


def find_subject(database: Session, subject: str, number: int) -> Any:
    """What can be reported and decided about, by its word and number.

    Raises:
        NotFoundError: there is none.
    """
    is_number = 0 < number <= MAX_ID
    row = database.get(REPORTED[subject], number) if subject in REPORTED and is_number else None
    if row is None:
        raise NotFoundError(_("This is gone already."))
    return row


def list_actions(database: Session, limit: int = 100) -> list[KeeperAction]:
    """What keepers did, the newest first."""
    query = select(KeeperAction).order_by(KeeperAction.id.desc()).limit(limit)
    return list(database.scalars(query))


def list_blocked(database: Session) -> list[Member]:
    """Members who are blocked."""
    return list(database.scalars(select(Member).where(Member.is_blocked).order_by(Member.name)))


def _approve(row: Any, author: Member | None) -> None:
    if row.visibility == WAITING and author is not None:
        author.num_approved += 1
    row.visibility = PUBLIC
    if isinstance(row, ArchiveTune):
        row.hidden_by_id = None


def _block(database: Session, member: Member | None, is_blocked: bool) -> None:
    if member is None:
        raise StudioError(_("Nobody is known to have written this, so nobody can be blocked."))
    if member.is_keeper:
        raise StudioError(_("A keeper cannot be blocked."))
    member.is_blocked = is_blocked
    if not is_blocked:
        return
    end_sessions(database, member)
    for item in list_own_waiting(database, member):
        item.row.visibility = HIDDEN


def _close_reports(
    database: Session, keeper: Member, subject: str, number: int, decision: str
) -> None:
    database.execute(
        update(AbuseReport)
        .where(
            AbuseReport.subject == subject,
            AbuseReport.subject_id == number,
            AbuseReport.closed_at.is_(None),
        )
        .values(closed_at=get_now(), closed_by_id=keeper.id, decision=decision)
    )
