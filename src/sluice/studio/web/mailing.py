"""Sends the mails that wait, while a web process runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.concurrency import run_in_threadpool

from sluice.studio.accounts.mail import send_waiting
from sluice.studio.web.context import Studio

_PAUSE = 3.0
_logger = logging.getLogger("mail")


@asynccontextmanager
async def send_mails(studio: Studio) -> AsyncIterator[None]:
    """Send mails within the block. Several processes may: each mail is taken by one of them."""
    task = asyncio.create_task(_send(studio)) if studio.config.mail else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _send(studio: Studio) -> None:
    while True:
        try:
            await run_in_threadpool(send_waiting, studio.database, studio.config)
        except Exception:  # the database is away, say: the next time it may be back
            _logger.exception("mails could not be sent")
        await asyncio.sleep(_PAUSE)
