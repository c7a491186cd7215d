"""Changes of the database that wait for each other in memory, and are committed together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from sluice.studio.archive.database import Database

T = TypeVar("T")
Change = Callable[[Session], Any]

_MOST_TOGETHER = 8
"""Changes of a transaction: the first shall not wait for what comes long after it."""


class WriteQueue:
    """Runs changes one after the other in one thread, for coroutines.

    Fifty requests that each took SQLite's lock would wait for it with growing pauses, in fifty
    threads. Here those that come while a transaction runs share the next one, each within a
    savepoint of its own.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[Context, Change, asyncio.Future[Any]]] = []
        self._task: asyncio.Task[None] | None = None

    async def run(self, change: Callable[[Session], T]) -> T:
        """What `change` returns, once it is committed.

        Raises:
            Exception: what `change` raised; it is then undone, and nothing else is.
        """
        # Whoever goes away does not take back what others share a transaction with.
        return await asyncio.shield(self._add(change))

    def post(self, change: Change) -> None:
        """Run a change that nobody waits for."""
        self._add(change)

    async def close(self) -> None:
        """Wait until all changes are committed."""
        if self._task is not None:
            await self._task

    def _add(self, change: Callable[[Session], T]) -> asyncio.Future[T]:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((copy_context(), change, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._commit_all())
        return future

    async def _commit_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_MOST_TOGETHER], self._waiting[_MOST_TOGETHER:]
            outcomes = await asyncio.to_thread(self._apply, [item[:2] for item in batch])
            for (*_, future), outcome in zip(batch, outcomes, strict=True):
                if future.done():
                    continue
                if isinstance(outcome, Exception):
                    future.set_exception(outcome)
                    future.exception()  # nobody may be left to ask for it
                else:
                    future.set_result(outcome)

    def _apply(self, changes: list[tuple[Context, Change]]) -> list[Any]:
        """What each change returns or raises."""
        try:
            return self._apply_together(changes)
        except Exception as error:
            if len(changes) == 1:
                return [error]
        # A full disk ends the transaction of all: those that fit are made one by one.
        return [outcome for change in changes for outcome in self._apply([change])]

    def _apply_together(self, changes: list[tuple[Context, Change]]) -> list[Any]:
        outcomes: list[Any] = []
        with self._database.open_session(write=True) as session:
            for context, change in changes:
                try:
                    with session.begin_nested():
                        outcome = context.run(change, session)
                except DBAPIError:
                    raise
                except Exception as error:
                    outcome = error
                outcomes.append(outcome)
        return outcomes
