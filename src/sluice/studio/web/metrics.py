"""Counts and durations of requests, over all web processes of this machine."""

from __future__ import annotations

import json
import logging
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper limits in seconds of the classes in which durations are counted."""

_SECONDS_BETWEEN_WRITES = 2.0
_logger = logging.getLogger("request")


class RequestMetrics:
    """The counts of this process, stored in a file, and those of the processes beside it.

    A process that is started again goes on counting where its predecessor stopped.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self._folder, self._path = folder, folder / f"requests-{number}.json"
        self._lock = threading.Lock()
        self._rows = _read_rows(self._path)
        self._written_at = time.monotonic()

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request whose answer began after so many seconds."""
        with self._lock:
            row = self._rows.setdefault(
                f"{method} {route} {status}", [0.0, *[0] * (len(BOUNDS) + 1)]
            )
            row[0] += seconds
            row[1 + bisect_left(BOUNDS, seconds)] += 1
            is_due = time.monotonic() - self._written_at > _SECONDS_BETWEEN_WRITES
            if is_due:
                self._written_at = time.monotonic()
                text = json.dumps(self._rows)
        if is_due:
            self._write(text)

    def write(self) -> None:
        """Store the counts, before this process ends."""
        with self._lock:
            text = json.dumps(self._rows)
        self._write(text)

    def list_all(self) -> Iterator[tuple[str, str, int, float, list[int]]]:
        """Method, route, status, sum of seconds and counts by `BOUNDS`, of all processes."""
        total: dict[str, list[float]] = {}
        with self._lock:
            found = [{key: list(row) for key, row in self._rows.items()}]
        found += [
            _read_rows(path)
            for path in sorted(self._folder.glob("requests-*.json"))
            if path != self._path
        ]
        for rows in found:
            for key, row in rows.items():
                before = total.get(key)
                total[key] = (
                    row if before is None else [a + b for a, b in zip(before, row, strict=True)]
                )
        for key, row in sorted(total.items()):
            method, route, status = key.rsplit(" ", 2)
            yield method, route, int(status), row[0], [int(count) for count in row[1:]]

    def _write(self, text: str) -> None:
        new = self._path.with_suffix(".new")
        try:
            new.write_text(text)
            new.replace(self._path)
        except OSError:
            pass  # a full disk or a folder that is gone: the numbers of others stay old


def _read_rows(path: Path) -> dict[str, list[float]]:
    try:
        rows = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    fits = isinstance(rows, dict) and all(len(row) == len(BOUNDS) + 2 for row in rows.values())
    return rows if fits else {}


class MetricsMiddleware:
    """Counts every request, and logs it under its route: addresses of pages may be secret."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, seconds = time.perf_counter(), 500, 0.0

        async def send_measured(message: Message) -> None:
            nonlocal status, seconds
            if message["type"] == "http.response.start":
                status, seconds = message["status"], time.perf_counter() - start
            await send(message)

        try:
            await self._app(scope, receive, send_measured)
        finally:
            self._note(scope, status, seconds or time.perf_counter() - start)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route: Any = scope.get("route")
        path = getattr(route, "path", "")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.add(method, path or "none", status, seconds)
        if path.startswith("/static/"):
            return
        client = scope.get("client") or ("", 0)
        values = {
            "method": method, "route": path, "status": status,
            "ms": round(1000 * seconds, 1), "address": client[0],
        }  # fmt: skip
        _logger.info("", extra={"values": values})


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
