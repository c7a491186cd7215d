"""Events: when and where tunes are played."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from sluice.studio.archive.activity import record_activity
from sluice.studio.archive.tables import ArchiveEvent, ArchiveTune, Member
from sluice.studio.archive.visibility import (
    choose_visibility,
    is_visible,
    may_change,
    require_visible,
)
from sluice.studio.errors import ForbiddenError, StudioError
from sluice.studio.languages import gettext as _

_FARTHEST = timedelta(days=366 * 10)
_LONGEST = timedelta(days=31)


@dataclass(frozen=True)
class EventDetails:
    """What can be said of an event, and changed later; times are in UTC."""

    title: str
    text: str
    place: str
    starts_at: datetime
    ends_at: datetime | None
    zone: str
    tunes: list[ArchiveTune]


@lru_cache
def list_zones() -> list[str]:
    """The names of places whose time is known, such as `Europe/Dublin`, and UTC."""
    names = {
        name
        for name in available_timezones()
        if "/" in name and not name.startswith(("Etc/", "SystemV/", "posix/", "right/"))
    }
    return [*sorted(names), "UTC"]


def get_zone(name: str) -> ZoneInfo:
    """The zone with a name of `list_zones`.

    Raises:
        StudioError: there is none.
    """
    if name not in list_zones():
        raise StudioError(
            _("“{name}” is no known time zone; choose one such as Europe/Dublin.").format(
                name=name[:60]
            ),
            "zone",
        )
    return ZoneInfo(name)


def parse_local_time(text: str, zone: ZoneInfo, field: str) -> datetime:
    """A time as a form sends it, `2026-03-29T20:00`, of the clocks in a zone, in UTC.

    Where clocks are put back and show a time twice, it is the first.

    Raises:
        StudioError: it is no time, one that clocks skip there, or too far away.
    """
    try:
        local = datetime.fromisoformat(text.strip())
    except ValueError:
        local = None
    if local is None or local.tzinfo is not None or "T" not in text.upper().replace(" ", "T"):
        raise StudioError(_("Write date and time, such as 2026-03-29T20:00."), field)
    if not 1900 < local.year < 2200:
        raise StudioError(_("This date is too far away."), field)
    moment = local.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != local:
        raise StudioError(
            _("There is no {time} on that day in {zone}: clocks are put forward over it.").format(
                time=f"{local:%H:%M}", zone=zone.key
            ),
            field,
        )
    return moment


def check_times(starts_at: datetime, ends_at: datetime | None, now: datetime) -> None:
    """Refuse an end before the beginning, and what is too long or too far away.

    Raises:
        StudioError: says of which field.
    """
    if starts_at - now > _FARTHEST:
        raise StudioError(_("This date is too far away."), "starts_at")
    if ends_at is not None and not timedelta(0) < ends_at - starts_at <= _LONGEST:
        raise StudioError(
            _("The end must be after the beginning, and within a month of it."), "ends_at"
        )


def list_coming(
    database: Session, viewer: Member | None, now: datetime, tune: ArchiveTune | None = None
) -> list[ArchiveEvent]:
    """Events that are not over, the next first."""
    end = func.coalesce(ArchiveEvent.ends_at, ArchiveEvent.starts_at)
    query = select(ArchiveEvent).where(is_visible(ArchiveEvent, viewer), end >= now)
    if tune is not None:
        query = query.where(ArchiveEvent.tunes.any(ArchiveTune.id == tune.id))
    query = query.options(joinedload(ArchiveEvent.media), selectinload(ArchiveEvent.tunes))
    return list(database.scalars(query.order_by(ArchiveEvent.starts_at, ArchiveEvent.id)))


def list_past(
    database: Session,
    viewer: Member | None,
    now: datetime,
    tune: ArchiveTune | None = None,
    skip: int = 0,
    limit: int = 30,
) -> list[ArchiveEvent]:
    """Events that are over, the latest first."""
    end = func.coalesce(ArchiveEvent.ends_at, ArchiveEvent.starts_at)
    query = select(ArchiveEvent).where(is_visible(ArchiveEvent, viewer), end < now)
    if tune is not None:
        query = query.where(ArchiveEvent.tunes.any(ArchiveTune.id == tune.id))
    query = query.order_by(ArchiveEvent.starts_at.desc(), ArchiveEvent.id.desc())
    return list(database.scalars(query.offset(skip).limit(limit)))


def find_event(database: Session, number: int, viewer: Member | None) -> ArchiveEvent:
    """One event.

    Raises:
        NotFoundError: there is none, or not for this viewer.
    """
    return require_visible(database.get(ArchiveEvent, number), viewer)


def find_own_event(database: Session, number: int, member: Member) -> ArchiveEvent:
    """An event that a member may change: its author's, any for a keeper.

    Raises:
        NotFoundError: there is none, or not for this member.
        ForbiddenError: it is another member's.
    """
    event = find_event(database, number, member)
    if not may_change(event, member):
        raise ForbiddenError(_("Only who announced this event can change it."))
    return event


def add_event(database: Session, author: Member, details: EventDetails) -> ArchiveEvent:
    """Announce an event."""
    event = ArchiveEvent(author=author, visibility=choose_visibility(database, author))
    change_event(event, details)
    database.add(event)
    database.flush()
    record_activity(database, author, "event", event.id)
    return event


def change_event(event: ArchiveEvent, details: EventDetails) -> None:
    """Write what is said of an event."""
    event.title, event.text, event.place = details.title, details.text, details.place
    event.starts_at, event.ends_at, event.zone = details.starts_at, details.ends_at, details.zone
    event.tunes = list(details.tunes)
