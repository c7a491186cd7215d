"""The mails of accounts, in the language of who receives them."""

from __future__ import annotations

from sqlalchemy.orm import Session

from sluice.studio.accounts.mail import queue_mail
from sluice.studio.archive.tables import Member
from sluice.studio.config import StudioConfig
from sluice.studio.errors import LimitError
from sluice.studio.languages import gettext as _
from sluice.studio.languages import use_language
from sluice.studio.security.keys import sign
from sluice.studio.security.limits import allow


def send_confirmation(
    database: Session, config: StudioConfig, key: bytes, email: str, token: str
) -> None:
    """To who signs up: the link that goes on."""
    text = _(
        "Welcome to {site}!\n\nTo finish your sign-up and choose a password, open\n\n{link}\n\n"
        "The link works once, within two days. If it was not you who asked for this, do nothing."
    )
    link = f"{config.public_address}/sign-up/{token}"
    _send(database, key, email, _("Your sign-up at {site}"), text, config, link)


def send_account_exists(
    database: Session, config: StudioConfig, key: bytes, member: Member
) -> None:
    """To a member whose address somebody signed up with again."""
    with use_language(member.language):
        text = _(
            "Somebody, probably you, tried to sign up at {site} with this address, but you have an"
            " account there already. If you forgot its password, open\n\n{link}\n\n"
            "If it was not you, do nothing."
        )
        link = f"{config.public_address}/password"
        _send(database, key, member.email, _("Your account at {site}"), text, config, link)


def send_reset(
    database: Session, config: StudioConfig, key: bytes, member: Member, token: str
) -> None:
    """To who forgot the password: the link to choose another."""
    with use_language(member.language):
        text = _(
            "To choose a new password at {site}, open\n\n{link}\n\nThe link works once, within an"
            " hour. If it was not you who asked for this, do nothing: your password stays."
        )
        link = f"{config.public_address}/password/{token}"
        _send(database, key, member.email, _("A new password for {site}"), text, config, link)


def send_no_account(database: Session, config: StudioConfig, key: bytes, email: str) -> None:
    """To an address that somebody asked a new password for, but nobody has an account with."""
    text = _(
        "Somebody asked for a new password at {site} with this address, but there is no account"
        " with it. If it was you, try the address that you signed up with, or sign up at\n\n{link}"
    )
    link = f"{config.public_address}/sign-up"
    _send(database, key, email, _("No account at {site}"), text, config, link)


def send_new_address(
    database: Session, config: StudioConfig, key: bytes, member: Member, email: str, token: str
) -> None:
    """To the address that a member wants to use from now on."""
    with use_language(member.language):
        text = _(
            "To use this address for your account at {site}, open\n\n{link}\n\nThe link works once,"
            " within a day. If it was not you who asked for this, do nothing."
        )
        link = f"{config.public_address}/account/email/{token}"
        _send(database, key, email, _("Your new address at {site}"), text, config, link)


def send_notice(
    database: Session, config: StudioConfig, key: bytes, member: Member, what: str
) -> None:
    """To a member whose password or address has changed; `what` is a sentence about it."""
    text = what + "\n\n" + _("If it was not you, choose a new password at once:\n\n{link}")
    link = f"{config.public_address}/password"
    _send(database, key, member.email, _("Your account at {site}"), text, config, link)


def _send(
    database: Session,
    key: bytes,
    email: str,
    subject: str,
    text: str,
    config: StudioConfig,
    link: str,
) -> None:
    try:  # nobody's letter box is filled from here; who asks sees no difference
        allow(database, sign(key, "mail", email), "mail")
    except LimitError:
        return
    site = config.title
    body = text.replace("{site}", site).replace("{link}", link)
    queue_mail(database, email, subject.replace("{site}", site), f"{body}\n\n-- \n{site}\n")
