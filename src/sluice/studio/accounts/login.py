"""Logging in: passwords are guessed neither fast nor by many, and owners are not locked out."""

from __future__ import annotations

from sqlalchemy.orm import Session

from sluice.studio.accounts import messages
from sluice.studio.accounts.links import create_link, use_link
from sluice.studio.accounts.names import check_email, find_by_email
from sluice.studio.accounts.passwords import is_password_right
from sluice.studio.accounts.sessions import end_sessions
from sluice.studio.archive.tables import Member
from sluice.studio.config import StudioConfig
from sluice.studio.errors import ForbiddenError
from sluice.studio.languages import gettext as _
from sluice.studio.languages import use_language
from sluice.studio.security.keys import is_signature, sign
from sluice.studio.security.limits import allow, forget_counts, take_back


def check_login(
    database: Session, key: bytes, address_hash: str, email: str, password: str, known: str = ""
) -> Member:
    """The member with this address and password.

    Attempts count for the account from this network address, for the address, and for the
    account from everywhere. A browser in which the member was logged in before has a count of
    its own, so that no stranger's attempts keep its owner out; and whoever reads the member's
    mail can always choose a new password. The session is committed before the password is
    checked, since that takes long.

    Args:
        known: what `sign_browser` gave this browser.

    Raises:
        ForbiddenError: they do not belong together, or the member is blocked.
        LimitError: too many attempts.
    """
    email = email.strip().lower()[:254]
    member = find_by_email(database, email)
    is_known = member is not None and is_browser_known(key, member, known)
    account = sign(key, "account", email)
    pair = sign(key, "attempts", f"{email} {known if is_known else address_hash}")
    allow(database, pair, "login")
    if not is_known:
        allow(database, address_hash, "login-address")
        allow(database, account, "login-account")
    database.commit()
    if not is_password_right(None if member is None else member.password, password):
        raise ForbiddenError(_("Address and password do not belong together."))
    if member is None or member.is_blocked:
        raise ForbiddenError(_("The keepers of this site have blocked this account."))
    forget_counts(database, pair, "login")
    if not is_known:
        take_back(database, address_hash, "login-address")
        take_back(database, account, "login-account")
    return member


def sign_browser(key: bytes, member: Member) -> str:
    """What a browser stores to show that the member was logged in there before."""
    return sign(key, "browser", f"{member.id} {member.email}")


def is_browser_known(key: bytes, member: Member, known: str) -> bool:
    """Whether a browser has what `sign_browser` gave."""
    return is_signature(key, "browser", f"{member.id} {member.email}", known)


def ask_for_reset(database: Session, config: StudioConfig, key: bytes, email: str) -> None:
    """Mail a link for a new password to a member, or to others that there is no account.

    Raises:
        StudioError: the address is none.
    """
    email = check_email(email)
    member = find_by_email(database, email)
    if member is None or member.is_blocked:
        messages.send_no_account(database, config, key, email)
    else:
        messages.send_reset(database, config, key, member, create_link(database, member, "reset"))


def reset_password(
    database: Session, config: StudioConfig, key: bytes, token: str, password_hash: str
) -> Member:
    """Give the member with this link another password; all sessions end.

    Raises:
        NotFoundError: the link was used, replaced, is too old, or never was.
    """
    member, _value = use_link(database, token, "reset")
    set_password(database, config, key, member, password_hash)
    return member


def set_password(
    database: Session, config: StudioConfig, key: bytes, member: Member, password_hash: str
) -> None:
    """Give a member another password; all sessions end, and a mail tells them."""
    member.password = password_hash
    end_sessions(database, member)
    with use_language(member.language):
        sentence = _("The password of your account at {site} was changed.")
        messages.send_notice(database, config, key, member, sentence)
