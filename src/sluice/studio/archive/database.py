"""The connection to the database: SQLite with a write-ahead log, or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from sluice.studio.archive import (
    recording_counts,  # noqa: F401 -- keeps them in every session
    search_index,  # noqa: F401 -- keeps the index in every session
)
from sluice.studio.archive.tables import Base

_SECONDS_FOR_LOCK = 10


class Database:
    """A pool of connections to the database at a URL of SQLAlchemy."""

    def __init__(self, url: str) -> None:
        self.engine = _create_engine(url)
        self._writing = self.engine.execution_options(is_writing=True)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file rather than a server."""
        return self.engine.dialect.name == "sqlite"

    def create_tables(self) -> None:
        """Create the tables that do not exist."""
        Base.metadata.create_all(self.engine)

    @contextmanager
    def open_session(self, write: bool = False) -> Iterator[Session]:
        """A session that is committed at the end of the block, unless that raises.

        Args:
            write: whether it changes anything: SQLite's lock is then taken at once, since a
                transaction that reads first may not begin to write after another has written.
                Commit before work that takes long, so that others need not wait for it.
        """
        bind = self._writing if write else self.engine
        with Session(bind, expire_on_commit=False) as session:
            yield session
            session.commit()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _create_engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        # Plans made once for any words are bad for searches: each is planned for its own words.
        return create_engine(url, pool_pre_ping=True, connect_args={"prepare_threshold": None})
    engine = create_engine(url, connect_args={"timeout": _SECONDS_FOR_LOCK})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    is_writing = connection.get_execution_options().get("is_writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")
