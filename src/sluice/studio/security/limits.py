"""How often somebody may do something: rows that count, in slots of time.

A slot counts until all of it is past, so that no span of time has more than its limit.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import Allowance
from sluice.studio.archive.tables.base import get_now
from sluice.studio.errors import LimitError, StudioError
from sluice.studio.languages import ngettext
from sluice.studio.security.keys import sign

_MINUTE, _HOUR, _DAY = 60, 3600, 24 * 3600
_SLOTS = 12
DAYS_KEPT = 7
KEEPER = "keeper "
_FREE_FOR_KEEPERS = ("post",)

LIMITS: dict[str, tuple[tuple[int, int], ...]] = {
    "compose": ((30, _MINUTE),),
    "post": ((10, _HOUR),),
    "report": ((5, _HOUR),),
    "search": ((60, _MINUTE),),
    "upload": ((5, _HOUR), (20, _DAY)),
    "sign-up": ((5, _DAY),),
    "invitation": ((20, _DAY),),
    "mail": ((3, _HOUR), (5, _DAY)),
    "reset": ((5, _HOUR),),
    "login": ((5, _MINUTE), (10, 15 * _MINUTE), (30, _DAY)),
    "login-address": ((30, 15 * _MINUTE), (100, _DAY)),
    "login-account": ((100, _DAY),),
    "export": ((3, _DAY),),
    "api": ((120, _MINUTE),),
}
"""What may be done how often: for each word, counts with the seconds in which they may be."""


def allow(database: Session, who: str, what: str) -> None:
    """Count that `who` does `what`, or refuse it.

    The count is kept when the session is committed; where what follows is costly even if it is
    refused, commit before it.

    Args:
        database: a session that writes.
        who: a member, a keeper, or the hash of an address: `Visitor.who`.
        what: a word of `LIMITS`.

    Raises:
        LimitError: it was done too often; says how many seconds to wait.
    """
    now = get_now()
    for limit, seconds in _list_limits(who, what):
        # Counted first: whoever counts at the same moment waits for this row.
        _add(database, who, f"{what}/{seconds}", _get_slot(now, seconds), 1)
        wait = _measure_wait(database, who, f"{what}/{seconds}", limit, seconds, now)
        if wait:
            _take_back_until(database, who, what, seconds, now)
            raise LimitError(_describe_wait(wait), wait)


def _list_limits(who: str, what: str) -> tuple[tuple[int, int], ...]:
    is_free = what in _FREE_FOR_KEEPERS and who.startswith(KEEPER)
    return () if is_free else LIMITS[what]


def _describe_wait(seconds: int) -> str:
    if seconds <= 90:
        return ngettext(
            "That was too often in too short a time. Please wait {seconds} second.",
            "That was too often in too short a time. Please wait {seconds} seconds.",
            seconds,
        ).format(seconds=seconds)
    minutes = math.ceil(seconds / _MINUTE)
    if minutes < 55:
        return ngettext(
            "That was too often in too short a time. Please wait {minutes} minute.",
            "That was too often in too short a time. Please wait {minutes} minutes.",
            minutes,
        ).format(minutes=minutes)
    hours = max(1, round(seconds / _HOUR))
    return ngettext(
        "That was too often in too short a time. Please wait about an hour.",
        "That was too often in too short a time. Please wait about {hours} hours.",
        hours,
    ).format(hours=hours)


def _take_back_until(database: Session, who: str, what: str, last: int, now: datetime) -> None:
    for _limit, seconds in LIMITS[what]:
        _add(database, who, f"{what}/{seconds}", _get_slot(now, seconds), -1)
        if seconds == last:
            return


def allow_reading(database: Database, who: str, what: str) -> None:
    """`allow` for requests that otherwise only read, such as a search."""
    with database.open_session(write=True) as session:
        allow(session, who, what)


def forget_counts(database: Session, who: str, what: str) -> None:
    """Begin to count anew, as after a login that succeeded."""
    names = [f"{what}/{seconds}" for _limit, seconds in LIMITS[what]]
    database.execute(delete(Allowance).where(Allowance.who == who, Allowance.what.in_(names)))


@contextmanager
def take_back_if_refused(database: Session, who: str, words: Sequence[str]) -> Iterator[None]:
    """Count once less of each word if what is done within is refused.

    For what commits, with the counts, before it is refused; else a rollback suffices.
    """
    counted_at = get_now()
    try:
        yield
    except (StudioError, OSError):
        database.rollback()
        for what in words:
            take_back(database, who, what, counted_at)
        database.commit()
        raise


def take_back(database: Session, who: str, what: str, counted_at: datetime | None = None) -> None:
    """Count once less, as after an attempt that succeeded."""
    now = counted_at or get_now()
    for _limit, seconds in _list_limits(who, what):
        _add(database, who, f"{what}/{seconds}", _get_slot(now, seconds), -1)


def purge_counts(database: Session) -> None:
    """Delete all counts older than `DAYS_KEPT` days."""
    oldest = get_now() - timedelta(days=DAYS_KEPT)
    database.execute(delete(Allowance).where(Allowance.window_start < oldest))


def hash_address(key: bytes, address: str) -> str:
    """Digits in place of a network address; of IPv6, where a home has many, of its first half."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return sign(key, "address", address)
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return sign(key, "address", str(parsed.ipv4_mapped))
        return sign(key, "address", str(ipaddress.ip_network((parsed, 64), strict=False)))
    return sign(key, "address", str(parsed))


def _get_slot(now: datetime, seconds: int) -> datetime:
    slot = seconds / _SLOTS
    return datetime.fromtimestamp(now.timestamp() // slot * slot, UTC)


def _measure_wait(
    database: Session, who: str, what: str, limit: int, seconds: int, now: datetime
) -> int:
    """Seconds until the last that was counted is allowed; 0 if it is now."""
    slot = timedelta(seconds=seconds / _SLOTS)
    rows = database.execute(
        select(Allowance.window_start, Allowance.count)
        .where(
            Allowance.who == who,
            Allowance.what == what,
            Allowance.window_start > now - timedelta(seconds=seconds) - slot,
        )
        .order_by(Allowance.window_start)
    ).all()
    total = sum(count for _start, count in rows)
    wait = 0.0
    for start, count in rows:
        if total <= limit:
            break
        total -= count
        wait = (start + slot + timedelta(seconds=seconds) - now).total_seconds()
    return max(1, math.ceil(wait)) if wait else 0


def _add(database: Session, who: str, what: str, window: datetime, count: int) -> None:
    is_sqlite = database.get_bind().dialect.name == "sqlite"
    insert = (sqlite if is_sqlite else postgresql).insert(Allowance)
    database.execute(
        insert.values(who=who, what=what, window_start=window, count=count, created_at=get_now())
        .on_conflict_do_update(
            index_elements=["who", "what", "window_start"],
            set_={"count": Allowance.count + count},
        )
    )  # fmt: skip
