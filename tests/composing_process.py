"""Starts composing processes for tests, and reads their streams."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch

from sluice.sequence import Checkpoint, LanguageModel, LanguageModelConfig, Vocabulary
from sluice.studio.composing.client import ComposingClient
from sluice.studio.composing.config import ComposingConfig
from sluice.studio.composing.options import ComposingOptions
from sluice.studio.composing.protocol import ComposingEvent
from sluice.tunes.corpus import statistics

Result = TypeVar("Result")

NOTES = ("C", "D", "E", "G", "A", "c", "d", "_e", "e", "g", "a", "z")
TOKENS = (
    *("R:jig", "R:reel", "M:4/4", "M:6/8", "K:Cmaj", "K:Cdor"),
    *(f"{line}{{{count}}}" for line in ("|", "|:", "::", ":|") for count in range(5)),
    *("|", "|:", ":|", "::", "(3", "[", "]", "-", "2", "3", "/2", *NOTES),
)


def save_small_model(path: Path, seed: int = 3) -> None:
    """A model of random weights, which starts quickly."""
    torch.manual_seed(seed)
    model = LanguageModel(LanguageModelConfig(len(TOKENS) + 3, embedding_size=16, hidden_size=32))
    figures = statistics.to_dict(statistics.TuneStatistics(0.5, 0.5, 0.5))
    Checkpoint(model.eval(), Vocabulary(TOKENS), {"corpus": figures}).save(path)


@contextmanager
def start_process(config: ComposingConfig) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A composing process that is ready, and its address; it has ended afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sluice.studio.composing", *config.list_arguments()],
        stdout=subprocess.PIPE,
        env=config.make_environment(os.environ),
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "The process did not start."
        yield process, json.loads(line)["ready"]
    finally:
        process.kill()
        process.wait(60)
        if process.stdout is not None:
            process.stdout.close()


def run(work: Callable[[], Awaitable[Result]]) -> Result:
    """What a coroutine gives, within a minute."""

    async def limited() -> Result:
        async with asyncio.timeout(60):
            return await work()

    return asyncio.run(limited())


async def collect(events: AsyncIterator[ComposingEvent]) -> list[ComposingEvent]:
    return [event async for event in events]


def stream(
    client: ComposingClient, code: str, options: ComposingOptions, after: int = 0
) -> list[ComposingEvent]:
    return run(lambda: collect(client.stream(code, options, after)))


def as_arguments(options: ComposingOptions) -> dict[str, Any]:
    """The options as `Composer.compose` takes them."""
    names = ("seed", "temperature", "dance", "meter", "key", "mode", "form", "chords", "title")
    return {name: getattr(options, name) for name in names} | {"prompt": options.start}
