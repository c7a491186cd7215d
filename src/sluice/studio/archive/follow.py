"""Following members and tunes."""

from __future__ import annotations

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from sluice.studio.archive.tables import ArchiveTune, Follow, Member
from sluice.studio.archive.upsert import insert_or_update
from sluice.studio.archive.visibility import can_see
from sluice.studio.errors import NotFoundError, StudioError
from sluice.studio.languages import gettext as _

MAX_FOLLOWED = 1000


def follow(database: Session, member: Member, subject: str, subject_id: int) -> None:
    """Let `member` hear of a `member` or a `tune`; nothing changes if they do already.

    Raises:
        NotFoundError: there is none, or it is hidden.
        StudioError: of oneself, or of too many.
    """
    if subject == "tune":
        tune = database.get(ArchiveTune, subject_id)
        exists = tune is not None and can_see(tune, member)
    else:
        exists = subject == "member" and database.get(Member, subject_id) is not None
    if not exists:
        raise NotFoundError(_("There is nothing to follow at this address."))
    if subject == "member" and subject_id == member.id:
        raise StudioError(_("You cannot follow yourself."))
    if is_following(database, member, subject, subject_id):
        return
    count = database.scalar(
        select(func.count()).select_from(Follow).where(Follow.member_id == member.id)
    )
    if (count or 0) >= MAX_FOLLOWED:
        raise StudioError(
            _("You follow {count} members and tunes; no more can be added.").format(
                count=MAX_FOLLOWED
            )
        )
    keys = {"member_id": member.id, "subject": subject, "subject_id": subject_id}
    insert_or_update(database, Follow, keys, {})


def unfollow(database: Session, member: Member, subject: str, subject_id: int) -> None:
    """Let `member` hear no more of a `member` or a `tune`."""
    database.execute(
        delete(Follow).where(
            Follow.member_id == member.id,
            Follow.subject == subject,
            Follow.subject_id == subject_id,
        )
    )


def is_following(database: Session, member: Member | None, subject: str, subject_id: int) -> bool:
    """Whether `member` hears of this."""
    if member is None:
        return False
    found = database.scalar(
        select(Follow.id).where(
            Follow.member_id == member.id,
            Follow.subject == subject,
            Follow.subject_id == subject_id,
        )
    )
    return found is not None


def list_followed_members(database: Session, member: Member) -> list[Member]:
    """The members of whom `member` hears, by name."""
    query = select(Member).join(
        Follow, (Follow.subject == "member") & (Follow.subject_id == Member.id)
    )
    return list(database.scalars(query.where(Follow.member_id == member.id).order_by(Member.name)))


def list_followed_tunes(database: Session, member: Member) -> list[ArchiveTune]:
    """The tunes of which `member` hears, by title, without those that were hidden since."""
    query = select(ArchiveTune).join(
        Follow, (Follow.subject == "tune") & (Follow.subject_id == ArchiveTune.id)
    )
    query = query.where(Follow.member_id == member.id).order_by(ArchiveTune.title)
    return [tune for tune in database.scalars(query) if can_see(tune, member)]
