"""The weekly mail of what those whom a member follows did."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import or_, select

from sluice.studio.accounts.mail import queue_mail
from sluice.studio.archive.activity import ActivityItem, list_activity
from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import Member
from sluice.studio.config import StudioConfig
from sluice.studio.errors import NotFoundError
from sluice.studio.languages import gettext as _
from sluice.studio.languages import use_language
from sluice.studio.security.keys import is_signature, load_key, sign
from sluice.studio.web.activity_lines import write_item

_WEEK = timedelta(days=7)
_EARLY = timedelta(hours=12)  # nightly tasks do not begin at the same minute
_MOST = 40
_PURPOSE = "digest"


def send_digests(database: Database, config: StudioConfig, now: datetime) -> int:
    """Queue the mails that are due: to each member who wants one and had none for a week.

    Nothing is sent to whom there is no news for. Each member's mail is queued and noted in one
    transaction, so that who is interrupted goes on with the next and mails nobody twice.

    Args:
        now: the time; news of the week before it are told, or since the last mail.

    Returns:
        The number of mails.
    """
    if not config.mail:
        return 0
    due = or_(Member.digest_at.is_(None), Member.digest_at <= now - _WEEK + _EARLY)
    query = select(Member.id).where(Member.wants_digest, Member.is_blocked.is_(False), due)
    with database.open_session() as session:
        numbers = list(session.scalars(query.order_by(Member.id)))
    return sum(_send_digest(database, config, number, now) for number in numbers)


def _send_digest(database: Database, config: StudioConfig, number: int, now: datetime) -> int:
    with database.open_session(write=True) as session:
        member = session.get(Member, number, with_for_update=True)
        if member is None or not member.wants_digest:
            return 0
        since = member.digest_at
        if since is not None and since > now - _WEEK + _EARLY:
            return 0  # another process was faster
        items = list_activity(
            session, member, follower=member, since=since or now - _WEEK, limit=_MOST + 1
        )
        member.digest_at = now
        if not items:
            return 0
        with use_language(member.language):
            link = make_unsubscribe_url(config, member.id)
            queue_mail(
                session, member.email, _("News at {site}").format(site=config.title),
                _write_text(config, member, items, link), link,
            )  # fmt: skip
    return 1


def _write_text(config: StudioConfig, member: Member, items: list[ActivityItem], link: str) -> str:
    address = config.public_address
    lines = [write_item(item, address) for item in items[:_MOST]]
    more = _("There is more at {link}").format(link=f"{address}/activity?of=followed")
    parts = [
        _("Hello {name}, this is new of whom and what you follow:").format(name=member.name),
        *lines,
        *([more] if len(items) > _MOST else []),
        _("No more of these mails, by one click: {link}").format(link=link),
    ]
    return "\n\n".join(parts) + "\n"


def make_unsubscribe_url(config: StudioConfig, number: int) -> str:
    """Where a member ends these mails without logging in."""
    signature = sign(load_key(config.folder), _PURPOSE, str(number))
    return f"{config.public_address}/unsubscribe/{number}/{signature}"


def check_unsubscribing(key: bytes, number: int, signature: str) -> None:
    """Refuse a link that this site did not write.

    Raises:
        NotFoundError: it is none of its own.
    """
    if not is_signature(key, _PURPOSE, str(number), signature):
        raise NotFoundError(_("This link is not complete; copy all of it from the mail."))
