"""What a database must keep, in SQLite and in PostgreSQL."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import (
    ArchiveEvent,
    ArchiveTune,
    Base,
    Composition,
    Member,
    Setting,
)


def _create_member(name: str) -> Member:
    return Member(email=f"{name}@example.org", name=name, password="x")


def test_times_come_back_aware_of_their_zone(any_database: Database) -> None:
    starts = datetime(2026, 3, 1, 20, 30, tzinfo=timezone(timedelta(hours=5)))
    with any_database.open_session(write=True) as session:
        session.add(ArchiveEvent(title="Session", starts_at=starts))
    with any_database.open_session() as session:
        event = session.scalars(select(ArchiveEvent)).one()
        assert event.starts_at == starts
        assert event.starts_at.tzinfo is UTC
        assert abs(event.created_at - datetime.now(UTC)) < timedelta(minutes=1)
        later = select(ArchiveEvent).where(ArchiveEvent.starts_at > starts + timedelta(seconds=1))
        assert session.scalars(later).first() is None


def test_the_largest_seed_and_all_letters_are_kept(any_database: Database) -> None:
    tokens = ["M:6/8", "K:Cdor", "ƒ", "'\"\\", "🎻"]
    with any_database.open_session(write=True) as session:
        session.add(
            Composition(code="a" * 13, model="0" * 64, options={"title": "Ó"}, seed=2**63 - 1,
                        tokens=tokens, abc="T:Ó\n")
        )  # fmt: skip
    with any_database.open_session() as session:
        found = session.scalars(select(Composition)).one()
        assert (found.seed, found.tokens, found.options) == (2**63 - 1, tokens, {"title": "Ó"})


def test_nothing_is_kept_of_a_session_that_raises(any_database: Database) -> None:
    with pytest.raises(RuntimeError), any_database.open_session(write=True) as session:
        session.add(_create_member("Una"))
        session.flush()
        raise RuntimeError
    with any_database.open_session() as session:
        assert session.scalars(select(Member)).all() == []


def test_references_are_enforced(any_database: Database) -> None:
    with pytest.raises(IntegrityError), any_database.open_session(write=True) as session:
        session.add(Setting(tune_id=17, number=1, abc="X:1\n"))


def test_settings_go_with_their_tune_and_authors_do_not(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        member = _create_member("Una")
        tune = ArchiveTune(title="Reel", abc="X:1\n", author=member)
        tune.settings.append(Setting(number=1, abc="X:1\n", author=member))
        session.add(tune)
    with any_database.open_session(write=True) as session:
        session.execute(text("delete from tune"))
        assert session.scalars(select(Setting)).all() == []
        assert session.scalars(select(Member.name)).all() == ["Una"]


def test_two_writers_wait_for_each_other(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        session.add(ArchiveTune(title="Reel", abc="", num_books=0))

    def add_books() -> None:
        for _ in range(20):
            with any_database.open_session(write=True) as session:
                tune = session.scalars(select(ArchiveTune).with_for_update()).one()
                tune.num_books += 1

    threads = [threading.Thread(target=add_books) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with any_database.open_session() as session:
        assert session.scalars(select(ArchiveTune.num_books)).one() == 80


def test_every_table_takes_a_row_number_of_its_own(any_database: Database) -> None:
    with any_database.open_session() as session:
        for table in Base.metadata.sorted_tables:
            assert session.execute(table.select().limit(1)).all() == []
