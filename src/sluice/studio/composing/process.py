"""The composing process: reads the models, warms up, says that it is ready, and serves."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import sys
from pathlib import Path

import torch

from sluice.studio.composing.addresses import Address
from sluice.studio.composing.config import ComposingConfig
from sluice.studio.composing.jobs import JobBoard
from sluice.studio.composing.memory import limit_arenas, release_memory
from sluice.studio.composing.models import LoadedModel, ModelShelf
from sluice.studio.composing.options import ComposingOptions
from sluice.studio.composing.replays import make_replay
from sluice.studio.composing.service import ComposingService

_log = logging.getLogger("sluice.studio.composing")

_SWITCH_SECONDS = 0.0005
"""After which a thread gives the interpreter to another: the batch shall not wait for the loop."""
_WARMING_TUNES = 6
_PARENT_SECONDS = 0.5
_IDLE_SECONDS = 5.0
"""After which memory is given back."""


def run_composing_process(config: ComposingConfig) -> None:
    """Serve until SIGTERM or SIGINT, or until the parent process ends.

    Once it can be asked, it prints one line of JSON with its address: ``{"ready": "unix:/…"}``.

    Raises:
        StudioError: as `config.check`, a model that cannot be read, or an address that is taken.
        OSError: it cannot listen there.
    """
    config.check()
    address = Address.parse(config.address)
    limit_arenas()
    torch.set_num_threads(1)  # a batch of this size is fastest so, and web workers need the rest
    sys.setswitchinterval(_SWITCH_SECONDS)
    shelf = ModelShelf(config.models, config.max_running)
    try:
        warm_up(shelf)
        asyncio.run(_serve(config, address, shelf))
    finally:
        shelf.close()


def warm_up(shelf: ModelShelf) -> None:
    """Compose and vary a tune with each model, so that the first visitor does not wait for what is
    compiled and cached; then give back what the start needed."""
    for model in shelf:
        _warm_up_model(model)
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    release_memory()


def _warm_up_model(model: LoadedModel) -> None:
    """Several tunes at once, since memory for a batch is taken as it grows."""
    streams = [model.stream(ComposingOptions(seed=seed)) for seed in range(_WARMING_TUNES)]
    for stream in streams:
        next(stream)
    tunes = [[*stream][-1].tune for stream in streams]
    model.composer.vary(tunes[0], bars=[2])


async def _serve(config: ComposingConfig, address: Address, shelf: ModelShelf) -> None:
    loop, is_over = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, is_over.set)
    board = JobBoard(shelf, config)
    service = ComposingService(shelf, board, make_replay, config)
    opened = address.bind()
    inode = _find_inode(address.path)
    start = asyncio.start_server if address.path is None else asyncio.start_unix_server
    server = await start(service.serve, sock=opened)
    if address.path is None:
        address = Address(None, address.host, opened.getsockname()[1])
    print(json.dumps({"ready": str(address)}), flush=True)  # noqa: T201
    watches = [
        loop.create_task(_watch_parent(config.parent, is_over)),
        loop.create_task(_watch_idleness(board)),
    ]
    try:
        await is_over.wait()
    finally:
        server.close()
        await board.close()
        for task in watches:
            task.cancel()
        if address.path is not None and _find_inode(address.path) == inode:
            address.path.unlink(missing_ok=True)


async def _watch_parent(parent: int, is_over: asyncio.Event) -> None:
    while parent and os.getppid() == parent:
        await asyncio.sleep(_PARENT_SECONDS)
    if parent:
        _log.warning("The process %d, which started this one, has ended.", parent)
        is_over.set()


async def _watch_idleness(board: JobBoard) -> None:
    """Give memory back whenever work has ended."""
    seen, was_busy = 0, False
    while True:
        await asyncio.sleep(_IDLE_SECONDS)
        has_worked = board.counter.total != seen
        seen = board.counter.total
        if was_busy and not has_worked and board.is_idle:
            await asyncio.to_thread(release_memory)
        was_busy = has_worked or (was_busy and not board.is_idle)


def _find_inode(path: Path | None) -> int:
    try:
        return 0 if path is None else path.stat().st_ino
    except OSError:
        return 0
