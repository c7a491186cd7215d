"""The number of recordings of a tune, whatever happens to them."""

from __future__ import annotations

from sqlalchemy import select

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import ArchiveRecording, ArchiveTune


def read_counts(database: Database) -> list[int]:
    with database.open_session() as session:
        query = select(ArchiveTune.num_recordings).order_by(ArchiveTune.id)
        return list(session.scalars(query))


def test_a_tune_counts_its_public_recordings(any_database: Database) -> None:
    database = any_database
    with database.open_session(write=True) as session:
        first, second = (ArchiveTune(title=title, abc="x") for title in "AB")
        session.add_all([first, second])
        shown = ArchiveRecording(title="R", kind="link", tunes=[first, second])
        waits = ArchiveRecording(title="W", kind="link", tunes=[first], visibility="waiting")
        session.add_all([shown, waits])
    assert read_counts(database) == [1, 1]
    with database.open_session(write=True) as session:
        session.get_one(ArchiveRecording, waits.id).visibility = "public"
    assert read_counts(database) == [2, 1]
    with database.open_session(write=True) as session:
        recording = session.get_one(ArchiveRecording, shown.id)
        recording.tunes.remove(session.get_one(ArchiveTune, second.id))
    assert read_counts(database) == [2, 0]
    with database.open_session(write=True) as session:
        session.get_one(ArchiveRecording, shown.id).visibility = "hidden"
    assert read_counts(database) == [1, 0]
    with database.open_session(write=True) as session:
        session.delete(session.get_one(ArchiveRecording, waits.id))
    assert read_counts(database) == [0, 0]
