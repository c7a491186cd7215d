"""Links that are mailed to members and work once."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Literal

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from sluice.studio.accounts.sessions import hash_token
from sluice.studio.archive.tables import MailLink, Member
from sluice.studio.archive.tables.base import get_now
from sluice.studio.errors import NotFoundError
from sluice.studio.languages import gettext as _

Purpose = Literal["reset", "email"]
_DURATION = {"reset": timedelta(hours=1), "email": timedelta(days=1)}


def create_link(database: Session, member: Member, purpose: Purpose, value: str = "") -> str:
    """The token of a new link; earlier ones of the same purpose work no longer."""
    database.execute(
        delete(MailLink).where(MailLink.member_id == member.id, MailLink.purpose == purpose)
    )
    token = secrets.token_urlsafe(32)
    database.add(
        MailLink(
            token_hash=hash_token(token), member=member, purpose=purpose, value=value,
            expires_at=get_now() + _DURATION[purpose],
        )
    )  # fmt: skip
    return token


def find_link(database: Session, token: str, purpose: Purpose) -> MailLink:
    """What a link is for; it still works afterwards.

    Raises:
        NotFoundError: it was used, replaced, is too old, or never was.
    """
    link = database.scalar(
        select(MailLink).where(
            MailLink.token_hash == hash_token(token),
            MailLink.purpose == purpose,
            MailLink.expires_at > get_now(),
        )
    )
    if link is None or link.member.is_blocked:
        raise NotFoundError(_("This link was used already, or is too old. Ask for a new one."))
    return link


def use_link(database: Session, token: str, purpose: Purpose) -> tuple[Member, str]:
    """The member whose link this is and its value; it works no longer.

    Raises:
        NotFoundError: as `find_link`.
    """
    link = find_link(database, token, purpose)
    used = delete(MailLink).where(MailLink.id == link.id).returning(MailLink.id)
    if database.scalar(used) is None:  # another request was faster
        raise NotFoundError(_("This link was used already, or is too old. Ask for a new one."))
    return link.member, link.value
