"""The file of a monitor: one line of JSON per observation, written whole, read while it grows."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluice.files import StrPath
from sluice.insight.monitor.errors import MonitorError
from sluice.insight.monitor.observation import Observation

JOURNAL = "monitor.jsonl"
_FORMAT = 1


class JournalWriter:
    """Appends observations to a file.

    Args:
        path: the file; its folder is made.
        step: the step after which this part of the training begins. At 0 an older file is replaced;
            later ones are continued, and what they say of later steps no longer counts.

    Raises:
        OSError: the file cannot be written to.
    """

    def __init__(self, path: StrPath, step: int) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        flags |= os.O_TRUNC if step == 0 else 0
        self._handle: int | None = os.open(self.path, flags, 0o666)
        # A part of a line, left by a process that was killed, is ended here.
        is_whole = self.path.stat().st_size == 0 or self.path.read_bytes()[-1:] == b"\n"
        begin = json.dumps({"event": "begin", "format": _FORMAT, "step": step})
        self._append(begin if is_whole else f"\n{begin}")

    def write(self, observation: Observation) -> None:
        """Append one observation."""
        self._append(observation.to_json())

    def close(self, reason: str = "end") -> None:
        """Say that the training has ended, and close the file; a second call does nothing."""
        if self._handle is not None:
            self._append(json.dumps({"event": "end", "reason": reason}))
            os.close(self._handle)
            self._handle = None

    def _append(self, line: str) -> None:
        if self._handle is None:
            raise MonitorError(f"The journal {self.path} is closed; make a new monitor.")
        rest = f"{line}\n".encode()
        while rest:  # one call, but for a disk that is full
            rest = rest[os.write(self._handle, rest) :]


@dataclass
class JournalReader:
    """Reads a journal, also one that is still written to; each `read` takes what is new.

    Attributes:
        path: the file.
        observations: all observations that count, by step.
        end: why the training ended; None while it runs, or if it was killed.
        skipped: how many lines could not be read.
    """

    path: Path
    observations: list[Observation] = field(default_factory=list)
    end: str | None = None
    skipped: int = 0
    _position: int = 0

    def read(self) -> bool:
        """Read what was written since the last time; returns whether there was anything.

        A last line without its end is left for the next time. A file that was begun anew is read
        from its start.

        Raises:
            OSError: the file cannot be read.
        """
        with self.path.open("rb") as file:
            self._restart_if_replaced(file.read(1), os.fstat(file.fileno()))
            file.seek(self._position)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._position += len(whole)
        for line in whole.splitlines():
            if line.strip():
                self._read_line(line)
        return bool(whole)

    def _restart_if_replaced(self, first: bytes, status: os.stat_result) -> None:
        if status.st_size < self._position or (self._position and not first):
            self.observations.clear()
            self.end, self.skipped, self._position = None, 0, 0

    def _read_line(self, line: bytes) -> None:
        try:
            values = json.loads(line)
            if not isinstance(values, Mapping):
                raise ValueError(line)
            if "event" in values:
                self._read_event(values)
                return
            found = Observation.from_json(values)
        except (ValueError, KeyError, TypeError, AttributeError):
            self.skipped += 1
            return
        self._drop_after(found.step - 1)
        self.observations.append(found)

    def _read_event(self, values: Mapping[str, Any]) -> None:
        if values["event"] == "begin":
            self.end = None
            self._drop_after(int(values["step"]))
        elif values["event"] == "end":
            self.end = str(values.get("reason", "end"))

    def _drop_after(self, step: int) -> None:
        while self.observations and self.observations[-1].step > step:
            self.observations.pop()


def find_journal(path: StrPath) -> Path:
    """The journal of a training, given its output folder or the file itself.

    Raises:
        MonitorError: there is none; the message says how one is made.
    """
    given = Path(path)
    tried = [given] if given.is_file() else [given / JOURNAL, given / "training" / JOURNAL]
    for one in tried:
        if one.is_file():
            return one
    what = "There is no" if given.exists() else f"There is no folder {given}, so no"
    where = f" in {given}" if given.exists() else ""
    raise MonitorError(
        f"{what} {JOURNAL}{where}; train with --watch, as in sluice train DATA --out {given} "
        "--watch, and give the output folder."
    )
