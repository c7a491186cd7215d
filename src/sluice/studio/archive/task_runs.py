"""Which machine does the work of the night, where several share a database."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import TaskRun
from sluice.studio.archive.tables.base import get_now

_BETWEEN_RUNS, _LONGEST_RUN = timedelta(hours=20), timedelta(hours=2)


def claim_run(database: Database, name: str, now: datetime | None = None) -> bool:
    """Whether the caller is to run this task now: nobody has today, and nobody is about to.

    Who claimed a task and did not finish it within two hours has lost it.
    """
    now = now or get_now()
    try:
        with database.open_session(write=True) as session:
            run = session.scalar(select(TaskRun).where(TaskRun.name == name).with_for_update())
            if run is None:
                session.add(TaskRun(name=name, started_at=now))
                return True
            is_finished = run.finished_at is not None and run.finished_at >= run.started_at
            if now - run.started_at < (_BETWEEN_RUNS if is_finished else _LONGEST_RUN):
                return False
            run.started_at = now
            return True
    except IntegrityError:  # another one inserted the row at the same moment
        return False


def finish_run(database: Database, name: str, now: datetime | None = None) -> None:
    """Note that the task was done."""
    with database.open_session(write=True) as session:
        run = session.scalar(select(TaskRun).where(TaskRun.name == name).with_for_update())
        if run is not None:
            run.finished_at = now or get_now()
