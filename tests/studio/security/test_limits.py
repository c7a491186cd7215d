"""How often something may be done."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import Allowance
from sluice.studio.errors import LimitError
from sluice.studio.security import limits

START = datetime(2030, 1, 1, 12, 0, 20, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    created = Clock()
    monkeypatch.setattr(limits, "get_now", created)
    return created


def use(database: Database, what: str = "compose", who: str = "member 1") -> int:
    """0 if it was allowed, else the seconds to wait."""
    try:
        limits.allow_reading(database, who, what)
    except LimitError as error:
        return error.seconds
    return 0


def test_thirty_compositions_a_minute(database: Database, clock: Clock) -> None:
    assert [use(database) for _ in range(30)] == [0] * 30
    assert use(database) > 0
    assert use(database, who="member 2") == 0
    clock.move(120)
    assert use(database) == 0


def test_after_the_seconds_that_it_says_it_is_allowed(database: Database, clock: Clock) -> None:
    for pause in (0.0, 7.0, 31.0, 1.5):
        clock.move(pause)
        while not (seconds := use(database)):
            pass
        clock.move(seconds - 1.01)
        assert use(database) > 0
        clock.move(1.01)
        assert use(database) == 0


def test_no_minute_has_more_wherever_it_begins(database: Database, clock: Clock) -> None:
    times = []
    for _ in range(600):
        clock.move(0.5)
        if not use(database):
            times.append(clock.now)
    for first in times:
        in_minute = [t for t in times if first <= t < first + timedelta(seconds=60)]
        assert len(in_minute) <= 30
    assert len(times) >= 30 * 600 * 0.5 / 66


def test_all_windows_of_a_word_count(database: Database, clock: Clock) -> None:
    for _ in range(2):
        assert [use(database, "login") for _ in range(5)] == [0] * 5
        assert use(database, "login") > 0
        clock.move(120)
    assert use(database, "login") > 120


def test_what_is_refused_does_not_count(database: Database, clock: Clock) -> None:
    for _ in range(100):
        use(database)
    clock.move(66)
    assert [use(database) for _ in range(30)] == [0] * 30


def test_many_at_once_are_all_counted(any_database: Database) -> None:
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: use(any_database), range(40)))
    assert results.count(0) == 30


def test_what_is_older_than_a_week_is_forgotten(database: Database, clock: Clock) -> None:
    use(database)
    clock.move(6 * 24 * 3600)
    use(database)
    clock.move(2 * 24 * 3600)
    with database.open_session(write=True) as session:
        limits.purge_counts(session)
        assert session.scalar(select(func.count()).select_from(Allowance)) == 1


def test_addresses_of_one_home_are_one() -> None:
    key = b"k"
    same = {limits.hash_address(key, f"2001:db8:1:2::{n}") for n in range(1, 5)}
    assert len(same) == 1
    assert limits.hash_address(key, "2001:db8:1:3::1") not in same
    assert limits.hash_address(key, "::ffff:192.0.2.1") == limits.hash_address(key, "192.0.2.1")
    assert limits.hash_address(key, "192.0.2.1") != limits.hash_address(b"l", "192.0.2.1")


@pytest.mark.parametrize(
    ("limit", "end"),
    [
        ((3, 60), "wait 65 seconds."),
        ((3, 30 * 60), "wait 33 minutes."),
        ((3, 3600), "wait about an hour."),
        ((3, 24 * 3600), "wait about 26 hours."),
    ],
)
def test_waits_are_said_in_fitting_units(
    database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch, limit: tuple[int, int],
    end: str,
) -> None:  # fmt: skip
    monkeypatch.setitem(limits.LIMITS, "post", (limit,))
    clock.now = datetime(2030, 1, 1, tzinfo=UTC)
    for _ in range(3):
        limits.allow_reading(database, "member 1", "post")
    with pytest.raises(LimitError) as caught:
        limits.allow_reading(database, "member 1", "post")
    assert caught.value.sentence.endswith(end)
    assert caught.value.seconds == limit[1] * 13 / 12


def test_keepers_post_as_often_as_they_like(database: Database) -> None:
    assert [use(database, "post", "keeper 1") for _ in range(50)] == [0] * 50
    assert any(use(database, "upload", "keeper 1") for _ in range(6))
