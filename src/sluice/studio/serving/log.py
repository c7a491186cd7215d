"""The studio's log: a line of JSON an event, a file a day, seven days long."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, Any

_DAYS = 7
_MOST_BYTES = 50_000_000
_NAME = re.compile(r"studio-(\d{4}-\d\d-\d\d)\.log")


class DailyLog:
    """Files of a folder, of which one process writes the lines of all.

    They have addresses of visitors, so none is older than seven days. A day has at most 50 MB; what
    comes then is left out. A full disk loses lines and stops nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._day: date | None = None
        self._file: IO[bytes] | None = None
        self._size = 0

    def write_event(self, level: str, process: str, event: str, **values: Any) -> None:
        """Write an event of this process's own."""
        self._write({"time": _format_now(), "level": level, "process": process, "event": event}
                    | values)  # fmt: skip

    def write_line(self, process: str, line: str) -> dict[str, Any]:
        """Write what a process printed, as it is or as the text of an event; its values."""
        try:
            values = json.loads(line)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            values = {"level": "warning", "event": "output", "text": line}
        values = {"level": "info", "event": "output"} | values
        values = {"time": _format_now()} | values | {"process": process}
        self._write(values)
        return values

    def close(self) -> None:
        """Close the file of the day."""
        if self._file is not None:
            self._file.close()

    def _write(self, values: dict[str, Any]) -> None:
        line = json.dumps(values, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        try:
            self._open_file_of_day()
            if self._file is not None and self._size + len(line) <= _MOST_BYTES:
                self._file.write(line)
                self._size += len(line)
        except OSError:
            pass

    def _open_file_of_day(self) -> None:
        today = datetime.now(UTC).date()
        if self._file is not None and self._day == today:
            return
        self.close()
        self._file = None
        self._folder.mkdir(parents=True, exist_ok=True)
        remove_old_files(self._folder, today)
        self._file = (self._folder / f"studio-{today}.log").open("ab", buffering=0)
        self._size, self._day = self._file.tell(), today


def remove_old_files(folder: Path, today: date) -> None:
    """Delete the files of all days but the last seven."""
    for path in folder.glob("studio-*.log"):
        found = _NAME.fullmatch(path.name)
        if found and date.fromisoformat(found[1]) <= today - timedelta(days=_DAYS):
            path.unlink(missing_ok=True)


def _format_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
