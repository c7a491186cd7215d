"""The steps of the database: up, down, and equal to the tables in the code."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

from sluice.studio.archive.database import Database
from sluice.studio.archive.schema import (
    COMPARISON,
    FOLDER,
    HEAD,
    downgrade_database,
    find_revision,
    upgrade_database,
)
from sluice.studio.archive.search import TuneQuery, find_tunes
from sluice.studio.archive.tables import Base
from sluice.studio.archive.tunes import add_tune
from sluice.studio.config import StudioConfig
from sluice.studio.errors import StudioError


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    opened = Database(StudioConfig(database=database_url).database_url)
    yield opened
    opened.close()


def compare(connection: Connection) -> list[Any]:
    """How a database differs from the tables in the code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SQLite does not show the index of an expression
        return list(
            compare_metadata(MigrationContext.configure(connection, opts=COMPARISON), Base.metadata)
        )


def describe(connection: Connection) -> dict[str, Any]:
    """All tables, columns and indexes, and the statements behind them where there are such."""
    found = inspect(connection)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the index of an expression
        tables: dict[str, Any] = {
            name: (
                {
                    one["name"]: (str(one["type"]), one["nullable"])
                    for one in found.get_columns(name)
                },
                sorted(str(one["name"]) for one in found.get_indexes(name)),
                sorted(str(one["name"]) for one in found.get_unique_constraints(name)),
                sorted(str(one["name"]) for one in found.get_foreign_keys(name)),
            )
            for name in found.get_table_names()
            if name != "alembic_version"
        }
    if connection.dialect.name == "sqlite":
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        tables["triggers"] = sorted(map(tuple, connection.execute(text(query))))
    return tables


def test_all_steps_make_the_tables_of_the_code(any_database: Database) -> None:
    with any_database.engine.begin() as connection:
        made = describe(connection)
        Base.metadata.drop_all(connection)
    upgrade_database(any_database)
    with any_database.engine.connect() as connection:
        assert compare(connection) == []
        assert describe(connection) == made
        assert find_revision(connection) == HEAD


def test_steps_are_taken_back_to_nothing_and_again(empty: Database) -> None:
    for _ in range(2):
        upgrade_database(empty)
        upgrade_database(empty)  # nothing is left to do
        with empty.open_session(write=True) as session:
            add_tune(
                session, title="Reel", abc="X:1\nT:Reel\nM:4/4\nK:D\nd2fd Adfd|\n", author=None
            )
        with empty.open_session() as session:
            assert find_tunes(session, TuneQuery(words="reel")).count == 1
        downgrade_database(empty, "0002")
        downgrade_database(empty, "base")
        with empty.engine.connect() as connection:
            assert inspect(connection).get_table_names() == ["alembic_version"]


def test_a_newer_database_is_refused_and_left_as_it_is(empty: Database) -> None:
    upgrade_database(empty)
    with empty.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StudioError, match="newer version"):
        upgrade_database(empty)
    with empty.engine.connect() as connection:
        assert find_revision(connection) == "9999"


def test_tables_of_no_known_version_are_refused(any_database: Database) -> None:
    with pytest.raises(StudioError, match="which version"):
        upgrade_database(any_database)


def test_the_last_step_is_the_one_named() -> None:
    assert sorted(FOLDER.glob("versions/0*.py"))[-1].name.startswith(f"{HEAD}_")
