"""Jobs of `bench/gpu.py`: a process each with a time limit, and a board of what they found.

A job writes a line for each result as it comes, so that what it found before it crashed is kept.
The board prints one line a job and what is wrong at once, and what is wrong again at the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

MARK = "@@"
SCRIPT = Path(__file__).with_name("gpu.py")
BAD = ("WRONG", "FAIL")
SILENT = ("begin", "tick")
_WIDTH, _MAX_BAD = 150, 45
_WIDTH_OF_NOTES = 300


def emit(status: str, what: str, detail: str = "", **more: Any) -> None:
    """Write one result of this job: ``ok``, ``WRONG``, ``FAIL`` or ``note``."""
    row = {"status": status, "what": what, "detail": detail, **more}
    sys.stdout.write(f"{MARK}{json.dumps(row)}\n")
    sys.stdout.flush()


def describe_error(problem: BaseException) -> str:
    """An exception on one line."""
    text = " ".join(str(problem).split())
    return f"{type(problem).__name__}: {text[:_WIDTH]}"


@dataclass(frozen=True)
class Job:
    """The words that `bench/gpu.py job` is called with, and how many seconds it may take.

    ``quiet`` is how many seconds may pass without a result; that a job does not end well is no
    fault where it ``is_optional``.
    """

    words: tuple[str, ...]
    seconds: float = 100.0
    quiet: float = 1000.0
    label: str = ""
    is_optional: bool = False

    @property
    def name(self) -> str:
        """What the job is called in results."""
        return self.label or " ".join(self.words)


class Board:
    """Prints, counts and keeps what jobs find."""

    def __init__(self, part: str, budget: float) -> None:
        self.part, self.budget, self.begin = part, budget, time.time()
        self.folder = Path(os.environ.get("OUT") or "gpu-out")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.rows: list[dict[str, Any]] = []
        self.head: dict[str, Any] = {"date": str(date.today())}
        self.unfinished: list[str] = []
        self.text = (self.folder / f"{part}.txt").open("w", encoding="utf-8")

    @property
    def left(self) -> float:
        """Seconds until the budget ends."""
        return self.budget - (time.time() - self.begin)

    def say(self, line: str) -> None:
        """Print a line and keep it."""
        line = f"{time.time() - self.begin:4.0f} {line}"
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        self.text.write(line + "\n")
        self.text.flush()

    def add(self, job: str, row: dict[str, Any], is_shown: bool = False) -> None:
        """Keep a result; print it where it is bad or ``is_shown``."""
        row = {"job": job, **row}
        self.rows.append(row)
        if row["status"] in BAD or (is_shown and row["status"] not in SILENT):
            self.say(format_row(row))
        else:
            self.text.write(format_row(row) + "\n")
        self.save()

    def save(self) -> None:
        """Write all results to the folder, so that nothing is lost if this process is ended."""
        content = {"part": self.part, **self.head, "rows": self.rows, "not_run": self.unfinished}
        (self.folder / f"{self.part}.json").write_text(json.dumps(content, indent=1))

    def finish(self) -> int:
        """Print the counts, and what is bad once more; the exit status."""
        self.save()
        counts = Counter(row["status"] for row in self.rows)
        self.say("in all: " + ", ".join(f"{n} {status}" for status, n in counts.items()))
        apart = [r["job"] for r in self.rows if r.get("bits") == "differ"]
        if apart:
            self.say("small tiles with other bits: " + ", ".join(dict.fromkeys(apart)))
        for start in range(0, len(self.unfinished), 8):
            self.say("not finished: " + "; ".join(self.unfinished[start : start + 8]))
        bad = [row for row in self.rows if row["status"] in BAD]
        self.say(f"BAD: {len(bad)}")
        for row in bad[:_MAX_BAD]:
            self.say(format_row(row))
        if len(bad) > _MAX_BAD:
            self.say(f"... and {len(bad) - _MAX_BAD} more, in {self.part}.json")
        return 1 if bad else 0


def format_row(row: dict[str, Any]) -> str:
    """A result as one line."""
    if row["status"] == "note":
        return f"{row['what']}: {row['detail']}"[:_WIDTH_OF_NOTES]
    return f"{row['status']:5} {row['job']}: {row['what']}: {row['detail']}"[:_WIDTH]


@dataclass
class _Running:
    """A job at work."""

    job: Job
    process: subprocess.Popen[bytes]
    log: Path
    began: float = field(default_factory=time.time)
    heard: float = field(default_factory=time.time)
    read: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    worst: float = 0.0
    other: list[str] = field(default_factory=list)

    def take_rows(self, is_last: bool = False) -> list[dict[str, Any]]:
        """Results written since the last time."""
        with self.log.open("rb") as stream:
            stream.seek(self.read)
            data = stream.read()
        end = len(data) if is_last else data.rfind(b"\n") + 1
        self.read += end
        self.heard = time.time() if end else self.heard
        rows = []
        for line in data[:end].decode(errors="replace").splitlines():
            if line.startswith(MARK):
                rows.append(json.loads(line[len(MARK) :]))
                self.counts[rows[-1]["status"]] += 1
                self.worst = max(self.worst, rows[-1].get("ratio") or 0.0)
            elif line.strip():
                self.other = [*self.other[-5:], line.strip()]
        return rows

    @property
    def is_late(self) -> bool:
        """Whether it has taken longer than it may."""
        now = time.time()
        return now - self.began > self.job.seconds or now - self.heard > self.job.quiet

    def end(self) -> None:
        """End this job's own processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def run_jobs(
    board: Board, jobs: list[Job], at_once: int, reserve: float = 6.0, is_shown: bool = False
) -> None:
    """Run jobs in order, ``at_once`` of them together, until ``reserve`` seconds are left."""
    waiting, running = list(jobs), list[_Running]()
    while (waiting or running) and board.left > reserve:
        while waiting and len(running) < at_once:
            running.append(_start(board, waiting.pop(0)))
        for entry in list(running):
            done = entry.process.poll()
            for row in entry.take_rows(done is not None):
                board.add(entry.job.name, row, is_shown)
            is_late = done is None and entry.is_late
            if done is None and not is_late:
                continue
            if is_late:
                entry.end()
            running.remove(entry)
            _close(board, entry, "time limit" if is_late else done)
        time.sleep(0.05)
    for entry in running:
        entry.end()
        for row in entry.take_rows(True):
            board.add(entry.job.name, row, is_shown)
    board.unfinished += [f"{e.job.name} (begun)" for e in running] + [j.name for j in waiting]


def _start(board: Board, job: Job) -> _Running:
    log = board.folder / (job.name.replace(" ", "_") + ".log")
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), "job", *job.words],
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return _Running(job, process, log)


def _close(board: Board, entry: _Running, status: int | str) -> None:
    """Say how a job went, and why it ended early where it did."""
    if status != 0:
        problem = next((x for x in reversed(entry.other) if "Error" in x), None)
        why = problem or " | ".join(entry.other[-2:])
        kind = "note" if entry.job.is_optional else "FAIL"
        row = {"status": kind, "what": f"ended with {status}", "detail": why}
        entry.counts[kind] += 1
        board.add(entry.job.name, row)
    counts = " ".join(f"{n} {name}" for name, n in sorted(entry.counts.items()))
    worst = f", worst {entry.worst:.2f} of limit" if entry.worst else ""
    board.say(f"{entry.job.name}: {counts}{worst}, {time.time() - entry.began:.0f} s")
