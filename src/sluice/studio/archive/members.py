"""Members as others see them."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from sluice.studio.archive.tables import Member
from sluice.studio.archive.visibility import PUBLIC, choose_visibility
from sluice.studio.errors import NotFoundError
from sluice.studio.languages import gettext as _


def find_member_page(database: Session, number: int) -> Member:
    """A member who has a page.

    Raises:
        NotFoundError: there is none with this number, or a keeper has blocked them.
    """
    member = database.get(Member, number)
    if member is None or member.is_blocked:
        raise NotFoundError(_("There is no such member."))
    return member


def list_members(
    database: Session, words: str = "", skip: int = 0, limit: int = 60
) -> list[Member]:
    """Members by name, those whose name has all these words."""
    query = select(Member).where(Member.is_blocked.is_(False))
    for word in words.split()[:5]:
        query = query.where(Member.name.icontains(word, autoescape=True))
    return list(database.scalars(query.order_by(Member.name).offset(skip).limit(limit)))


def is_trusted(database: Session, member: Member) -> bool:
    """Whether others see a member's free texts: keepers have approved enough of their posts."""
    return choose_visibility(database, member) == PUBLIC
