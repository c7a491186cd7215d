"""The composing process of the studio under load: its first notes, whole tunes and memory.

    python bench/studio_composing.py

starts a process as the studio does, and asks it as a web worker does: for one tune, for fifty at
once, and for tunes while others are varied. Client and process share the processors.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from sluice.studio.composing.client import ComposingClient
from sluice.studio.composing.config import ComposingConfig
from sluice.studio.composing.options import ComposingOptions

ROUNDS, VISITORS = 5, 50


class Timing(NamedTuple):
    """Of one tune, in milliseconds: until its first note, and until it was whole."""

    first: float
    whole: float


class Bench:
    """Asks one composing process.

    Args:
        client: reaches it.
        process: its number.
    """

    def __init__(self, client: ComposingClient, process: int) -> None:
        self._client, self._process, self._seed = client, process, 0

    async def compose(self, count: int) -> list[Timing]:
        """So many tunes at once, each of a seed that nobody asked for before."""
        start = time.perf_counter()

        async def compose_one(seed: int) -> Timing:
            first = 0.0
            async for event in self._client.stream(f"{seed}", ComposingOptions(seed=seed)):
                if not first and "abc" in event.data:
                    first = 1000 * (time.perf_counter() - start)
            return Timing(first, 1000 * (time.perf_counter() - start))

        self._seed += count
        return await asyncio.gather(*map(compose_one, range(self._seed - count, self._seed)))

    async def vary(self, is_over: asyncio.Event) -> int:
        """Vary one tune after the other until told to stop; how many were varied."""
        *_, last = [event async for event in self._client.stream("source", ComposingOptions())]
        count = 0
        while not is_over.is_set():
            options = ComposingOptions(kind="vary", source=last.data["tune"], seed=count)
            async for _ in self._client.stream(f"vary {count}", options):
                pass
            count += 1
        return count

    def read_memory(self) -> str:
        """Resident memory, and the part of it that is shared with nobody, in MB."""
        lines = Path(f"/proc/{self._process}/smaps_rollup").read_text().splitlines()[1:]
        sizes = {name: int(size.split()[0]) / 1024 for name, size in (x.split(":") for x in lines)}
        return f"{sizes['Rss']:.0f} MB resident ({sizes['Pss']:.0f} proportional)"


def describe(timings: list[Timing], seconds: list[float] | None = None) -> str:
    """Median and 95th percentile of the first notes, and when all were whole."""
    first = sorted(timing.first for timing in timings)
    last = seconds or [timing.whole for timing in timings]
    tail = first[int(0.95 * (len(first) - 1))]
    return (
        f"first note {first[len(first) // 2]:.0f} ms, 95% within {tail:.0f} ms; "
        f"whole {sorted(last)[len(last) // 2]:.0f} ms (worst {max(last):.0f})"
    )


async def measure(client: ComposingClient, process: int) -> None:
    """Print all figures."""
    bench = Bench(client, process)
    report(f"idle: {bench.read_memory()}")
    alone = [(await bench.compose(1))[0] for _ in range(20)]
    report(f"alone: {describe(alone)}")
    together, whole = [], []
    for _ in range(ROUNDS):
        timings = await bench.compose(VISITORS)
        together += timings
        whole.append(max(timing.whole for timing in timings))
    report(f"{VISITORS} at once, {ROUNDS} times: {describe(together, whole)}")
    report(f"behind them: {bench.read_memory()}")
    is_over = asyncio.Event()
    varying = asyncio.create_task(bench.vary(is_over))
    await asyncio.sleep(0.5)
    beside = [(await bench.compose(1))[0] for _ in range(20)]
    is_over.set()
    report(f"alone, beside tunes that are varied: {describe(beside)}; varied {await varying}")
    await asyncio.sleep(11)
    report(f"idle again: {bench.read_memory()}")


def report(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        config = ComposingConfig(f"unix:{folder}/socket", parent=os.getpid())
        command = [sys.executable, "-m", "sluice.studio.composing", *config.list_arguments()]
        start = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            address = json.loads(process.stdout.readline())["ready"]
            report(f"ready after {time.perf_counter() - start:.1f} s")
            asyncio.run(measure(ComposingClient([address]), process.pid))
            process.terminate()


if __name__ == "__main__":
    main()
