"""Many composers at once from one model: the first note of each, and the last.

    python bench/composers.py

Each draws a tune under the grammar of bars, with its own seed. They are threads that each have a
stream of tokens of their own, or threads that read from one `GenerationServer`; below these, the
server's `ContinuousBatch` alone, with nobody else in the process. The first note is the first token
after those of the dance, the meter and the key. Rounds go by turns, and the medians are shown.
A server and a batch are made beforehand. Memory is the most that a process of its own takes beyond
what it had with the model loaded.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paired import Report

from sluice import tunes
from sluice.sequence import (
    ContinuousBatch,
    GenerationServer,
    LanguageModel,
    Sampling,
    Vocabulary,
    stream_tokens,
)
from sluice.tunes.grammar import TuneGrammar

COMPOSERS, ROUNDS = 50, 5
HEADERS = ("R:", "M:", "K:")


@dataclass
class Wishes:
    """What every composer asks for, and when each token came."""

    model: LanguageModel
    options: dict[str, Any]
    num_headers: int

    @classmethod
    def load(cls) -> Wishes:
        checkpoint = tunes.load_composer().checkpoint
        model, vocabulary = checkpoint.model, checkpoint.vocabulary
        assert isinstance(model, LanguageModel)
        prompt = [ids for kind in HEADERS if (ids := _find_ids(vocabulary, kind))]
        options = {
            "prompt": prompt,
            "sampling": Sampling(max_length=700),
            "grammar": TuneGrammar(vocabulary),
        }
        return cls(model, options, len(prompt))

    def run_threads(
        self, count: int, make_tokens: Callable[[int], Iterable[int]]
    ) -> list[list[float]]:
        """The seconds after which each composer, a thread, got each token."""
        times: list[list[float]] = [[] for _ in range(count)]
        start = time.perf_counter()

        def compose(number: int) -> None:
            for _ in make_tokens(number):
                times[number].append(time.perf_counter() - start)

        threads = [threading.Thread(target=compose, args=(n,)) for n in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return times

    def run_streams(self, count: int) -> list[list[float]]:
        return self.run_threads(count, lambda seed: stream_tokens(self.model, seed, **self.options))

    def run_server(self, count: int) -> list[list[float]]:
        with GenerationServer(self.model) as server:
            return self.run_threads(count, lambda seed: server.submit(seed, **self.options))

    def run_batch(self, count: int) -> list[list[float]]:
        batch = ContinuousBatch(self.model)
        start = time.perf_counter()
        made = [batch.add(seed, **self.options) for seed in range(count)]
        times: dict[Any, list[float]] = {one: [] for one in made}
        while batch.is_busy:
            events = batch.step()
            now = time.perf_counter() - start
            for one, token in events:
                times[one] += [] if token is None else [now]
        return list(times.values())


WAYS = {
    "a stream a thread": Wishes.run_streams,
    "one server": Wishes.run_server,
    "its batch alone": Wishes.run_batch,
}


def _find_ids(vocabulary: Vocabulary, kind: str) -> list[int]:
    return vocabulary.encode([token for token in vocabulary.tokens if token.startswith(kind)])


def read_memory(name: str) -> float:
    """A figure of this process in MB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1000


def print_memory(way: str) -> None:
    wishes = Wishes.load()
    next(iter(stream_tokens(wishes.model, 0, **wishes.options)))  # compiled once, for every way
    before = read_memory("VmRSS")
    WAYS[way](wishes, COMPOSERS)
    sys.stdout.write(str(max(0.0, read_memory("VmHWM") - before)))


def measure_memory(way: str) -> float:
    command = [sys.executable, __file__, way]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    wishes = Wishes.load()
    list(stream_tokens(wishes.model, 0, **wishes.options))
    found: dict[str, list[tuple[float, ...]]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way, run in WAYS.items():
            (alone,) = run(wishes, 1)
            times = run(wishes, COMPOSERS)
            first = sorted(one[wishes.num_headers] for one in times)
            last = max(one[-1] for one in times)
            found[way].append((statistics.median(first), first[-1], last, alone[-1] / len(alone)))
    report = Report(
        "composers",
        f"{COMPOSERS} composers at once",
        ["way", "first note, median", "worst", "all done", "×", "memory", "one alone"],
        [
            "The first note of each, in ms; the last of all, in s, and how many times as soon as",
            "with a stream a thread; memory in MB; one composer alone, in ms a token. A tune under",
            f"the grammar of bars has some {sum(map(len, times)) // COMPOSERS} tokens here.",
        ],
    )
    medians = {
        way: [statistics.median(column) for column in zip(*rounds, strict=True)]
        for way, rounds in found.items()
    }
    slowest = medians["a stream a thread"][2]
    for way, (first_note, worst, last, alone_token) in medians.items():
        memory = measure_memory(way)
        report.add(
            way,
            f"{first_note * 1000:.0f}",
            f"{worst * 1000:.0f}",
            f"{last:.2f}",
            f"{slowest / last:.1f}",
            f"{memory:.0f}",
            f"{alone_token * 1000:.2f}",
        )
    report.keep()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print_memory(sys.argv[1])
    else:
        main()
