"""How somebody becomes a member: a mail to confirm, or a keeper's invitation."""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from sluice.studio.accounts import messages
from sluice.studio.accounts.names import check_email, check_name, find_by_email, require_free_name
from sluice.studio.accounts.sessions import hash_token
from sluice.studio.archive.tables import Invitation, Member, SignUp
from sluice.studio.archive.tables.base import get_now
from sluice.studio.config import StudioConfig
from sluice.studio.errors import NotFoundError, StudioError
from sluice.studio.languages import get_language
from sluice.studio.languages import gettext as _

_DURATION, _INVITATION_DURATION = timedelta(days=2), timedelta(days=14)


def begin_sign_up(
    database: Session, config: StudioConfig, key: bytes, email: str, name: str
) -> None:
    """Mail a link to who signs up; to who is a member already, a hint to log in.

    Nobody sees from here which of the two it was. The password is chosen behind the link, by
    whoever reads the mail.

    Raises:
        StudioError: the address is none, or the name is none or taken.
    """
    email, name = check_email(email), check_name(name)
    require_free_name(database, name)
    token = secrets.token_urlsafe(32)
    member = find_by_email(database, email)
    database.add(
        SignUp(
            # Of a member, a link that nobody gets: the same work, whoever it is.
            token_hash=hash_token(token), email=email, name=name, language=get_language(),
            expires_at=get_now() + _DURATION,
        )
    )  # fmt: skip
    if member is None:
        messages.send_confirmation(database, config, key, email, token)
    else:
        messages.send_account_exists(database, config, key, member)


def find_sign_up(database: Session, token: str) -> SignUp:
    """The sign-up whose mail had this link.

    Raises:
        NotFoundError: it was used, is too old, or never was.
    """
    found = database.scalar(
        select(SignUp).where(SignUp.token_hash == hash_token(token), SignUp.expires_at > get_now())
    )
    if found is None or find_by_email(database, found.email) is not None:
        raise NotFoundError(_("This link was used already, or is too old. Please sign up again."))
    return found


def finish_sign_up(database: Session, token: str, name: str, password_hash: str) -> Member:
    """The new member, whose mail is now confirmed.

    Raises:
        NotFoundError: as `find_sign_up`.
        StudioError: the name is none, or taken meanwhile.
    """
    found = find_sign_up(database, token)
    member = _create_member(database, found.email, name, password_hash, found.language)
    database.execute(delete(SignUp).where(SignUp.email == found.email))
    return member


def create_invitation(
    database: Session,
    author: Member | None,
    note: str = "",
    *,
    email: str = "",
    name: str = "",
    role: str = "member",
) -> str:
    """The token of a link by which one person may sign up without a mail."""
    token = secrets.token_urlsafe(32)
    database.add(
        Invitation(
            token_hash=hash_token(token), author_id=author.id if author else None, note=note,
            email=email, name=name, role=role, expires_at=get_now() + _INVITATION_DURATION,
        )
    )  # fmt: skip
    return token


def find_invitation(database: Session, token: str) -> Invitation:
    """The invitation with this link.

    Raises:
        NotFoundError: it was used, is too old, or never was.
    """
    found = database.scalar(
        select(Invitation).where(
            Invitation.token_hash == hash_token(token), Invitation.expires_at > get_now()
        )
    )
    if found is None:
        raise NotFoundError(_("This invitation was used already, or is too old."))
    return found


def accept_invitation(
    database: Session, token: str, email: str, name: str, password_hash: str
) -> Member:
    """The new member; the invitation works no longer.

    Raises:
        NotFoundError: as `find_invitation`.
        StudioError: address or name is none or taken.
    """
    found = find_invitation(database, token)
    email = check_email(email)
    if find_by_email(database, email) is not None:
        raise StudioError(_("There is an account with this address; log in with it."), "email")
    member = _create_member(database, email, name, password_hash, get_language())
    member.role = found.role
    database.delete(found)
    return member


def make_keeper_link(database: Session, config: StudioConfig, name: str, email: str) -> str:
    """A link for somebody who keeps the site, for the command line.

    Who has an account with this address becomes a keeper at once, and the link leads to the
    login page; others choose a password behind it.

    Raises:
        StudioError: name or address is none, or the name is taken.
    """
    email = check_email(email)
    member = find_by_email(database, email)
    if member is not None:
        member.role = "keeper"
        return f"{config.public_address}/login"
    name = check_name(name)
    require_free_name(database, name)
    token = create_invitation(database, None, email=email, name=name, role="keeper")
    return f"{config.public_address}/invitation/{token}"


def purge_sign_ups(database: Session) -> None:
    """Forget sign-ups and invitations that are too old."""
    for table in (SignUp, Invitation):
        database.execute(delete(table).where(table.expires_at < get_now()))


def _create_member(
    database: Session, email: str, name: str, password_hash: str, language: str
) -> Member:
    name = check_name(name)
    require_free_name(database, name)
    member = Member(
        email=email, name=name, password=password_hash, language=language, confirmed_at=get_now()
    )
    database.add(member)
    database.flush()
    return member
