"""Changes that share a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import Model
from sluice.studio.archive.write_queue import WriteQueue


def add(name: str, error: Exception | None = None, sql: str = "") -> Callable[[Session], str]:
    def change(session: Session) -> str:
        session.add(Model(fingerprint=name, name=name))
        session.flush()
        if sql:
            session.execute(text(sql))
        if error is not None:
            raise error
        return name

    return change


def run(database: Database, *changes: Callable[[Session], Any]) -> tuple[list[Any], list[str]]:
    """What each change gave, and which rows there are."""

    async def work() -> list[Any]:
        queue = WriteQueue(database)
        found = await asyncio.gather(*map(queue.run, changes), return_exceptions=True)
        await queue.close()
        return found

    outcomes = asyncio.run(work())
    with database.open_session() as session:
        return outcomes, [*session.scalars(select(Model.name).order_by(Model.id))]


def test_each_change_is_made_or_undone_by_itself(any_database: Database) -> None:
    names = [f"m{number}" for number in range(20)]
    changes = [add(name) for name in names]
    changes[7] = add("m7", ValueError("no"))
    outcomes, rows = run(any_database, *changes)
    assert [type(one) for one in outcomes if not isinstance(one, str)] == [ValueError]
    assert rows == [name for name in names if name != "m7"]


def test_one_that_the_database_refuses_takes_no_other_with_it(any_database: Database) -> None:
    outcomes, rows = run(any_database, add("a"), add("b", sql="select * from nowhere"), add("c"))
    assert (outcomes[0], outcomes[2], rows) == ("a", "c", ["a", "c"])
    assert isinstance(outcomes[1], DBAPIError)


def test_who_goes_away_undoes_nothing(database: Database) -> None:
    async def work() -> None:
        queue = WriteQueue(database)
        task = asyncio.create_task(queue.run(add("kept")))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await queue.close()

    asyncio.run(work())
    with database.open_session() as session:
        assert [*session.scalars(select(Model.name))] == ["kept"]
