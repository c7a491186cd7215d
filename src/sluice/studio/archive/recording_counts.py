"""Keeps the number of public recordings of each tune, whoever adds, hides or deletes one.

`archive.database` imports it, so that every session does.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import event, func, select, update
from sqlalchemy.orm import Session, UOWTransaction

from sluice.studio.archive.tables import ArchiveRecording, ArchiveTune, recording_tunes
from sluice.studio.archive.visibility import PUBLIC

_CHANGED = "tunes with changed recordings"


@event.listens_for(Session, "before_flush")
def _note_tunes_before(session: Session, context: UOWTransaction, instances: Any) -> None:
    """Remember the tunes that changed recordings had."""
    rows = [*session.dirty, *session.deleted]
    found = _find_tunes(session, [row.id for row in rows if isinstance(row, ArchiveRecording)])
    session.info.setdefault(_CHANGED, set()).update(found)


@event.listens_for(Session, "after_flush")
def _count_recordings(session: Session, context: UOWTransaction) -> None:
    rows = [row for row in [*session.new, *session.dirty] if isinstance(row, ArchiveRecording)]
    changed: set[int] = session.info.pop(_CHANGED, set())
    changed |= _find_tunes(session, [row.id for row in rows])
    if not changed:
        return
    count = (
        select(func.count())
        .select_from(recording_tunes)
        .join(ArchiveRecording, ArchiveRecording.id == recording_tunes.c.recording_id)
        .where(recording_tunes.c.tune_id == ArchiveTune.id, ArchiveRecording.visibility == PUBLIC)
        .scalar_subquery()
    )
    tunes = update(ArchiveTune).where(ArchiveTune.id.in_(changed))
    session.connection().execute(tunes.values(num_recordings=count))


def _find_tunes(session: Session, recordings: list[int]) -> set[int]:
    if not recordings:
        return set()
    query = select(recording_tunes.c.tune_id).where(recording_tunes.c.recording_id.in_(recordings))
    return set(session.connection().scalars(query))
