"""The process that keeps all others running: `python -m sluice.studio.serving.supervisor`.

It imports nothing but the standard library, since it lives as long as the studio does.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import replace
from types import FrameType

from sluice.studio.composing.config import ComposingConfig
from sluice.studio.config import StudioConfig
from sluice.studio.serving.children import Child
from sluice.studio.serving.log import DailyLog

_SECONDS_FOR_WEB, _SECONDS_FOR_OTHERS = 4.0, 3.0
_SECONDS_TO_FIRST_NIGHT, _SECONDS_BETWEEN_NIGHTS = 60.0, 3600.0
_REFUSED = 2
"""The exit status of a process that cannot start, having said why in a sentence."""


class Supervisor:
    """Starts the processes, starts again what ends, writes the log, and ends all together."""

    def __init__(self, config: StudioConfig, listening: int, opens_browser: bool) -> None:
        self._config, self._opens_browser = config, opens_browser
        self._log = DailyLog(config.folder / "log")
        self._selector = selectors.DefaultSelector()
        self._children = create_children(config, listening)
        self._night = Child(
            "night", ["-m", "sluice.studio.serving.night"], config.to_json(),
            due_at=time.monotonic() + _SECONDS_TO_FIRST_NIGHT,
        )  # fmt: skip
        self._is_ending = False
        self._is_ready = False
        self._unready = {child.name.partition("-")[0] for child in self._children}
        self._status = 0

    def run(self) -> int:
        """Run until a signal ends it; the exit status."""
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        self._selector.register(read_end, selectors.EVENT_READ, None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note_signal)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)  # wakes the loop below
        self._log.write_event("info", "supervisor", "start", port=self._config.port)
        while not self._is_ending:
            self._start_what_is_due()
            self._read(self._get_seconds_to_next())
            self._note_ends()
        self._end_all()
        self._log.write_event("info", "supervisor", "end", status=self._status)
        self._log.close()
        return self._status

    def _note_signal(self, number: int, frame: FrameType | None) -> None:
        if self._is_ending:  # asked twice: at once
            for child in self._children:
                child.send(signal.SIGKILL)
        self._is_ending = True

    def _start_what_is_due(self) -> None:
        has_started = False
        for child in (*self._children, self._night):
            if child.process is None and child.due_at <= time.monotonic():
                self._selector.register(child.start(), selectors.EVENT_READ, child)
                has_started = has_started or child is not self._night
        if has_started:
            self._write_state()

    def _get_seconds_to_next(self) -> float:
        due = [child.due_at for child in (*self._children, self._night) if child.process is None]
        return max(0.0, min((*due, time.monotonic() + 3600.0)) - time.monotonic())

    def _read(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            child: Child | None = key.data
            try:
                piece = os.read(key.fd, 65536)
            except BlockingIOError:
                continue
            if child is None:
                continue
            if not piece:
                self._selector.unregister(key.fd)
                os.close(key.fd)
                continue
            *lines, rest = (child.unread + piece).split(b"\n")
            child.unread = rest[:65536]
            for line in lines:
                self._take_line(child, line.decode("utf-8", "replace").strip())

    def _take_line(self, child: Child, line: str) -> None:
        if not line:
            return
        values = self._log.write_line(child.name, line)
        if values["event"] == "output":
            child.last_words = line
        if values["event"] == "ready" or "ready" in values:
            self._is_ready = self._is_ready or values["event"] == "ready"
            self._unready.discard(child.name.partition("-")[0])
            # The page that is opened composes at once, so the composing process is waited for.
            if self._opens_browser and not self._unready:
                self._opens_browser = False
                self._open_browser()

    def _note_ends(self) -> None:
        for child in (*self._children, self._night):
            status = None if child.process is None else child.process.poll()
            if status is None:
                continue
            self._read(0.0)  # its last words
            child.note_end()
            if child is self._night:
                child.due_at = time.monotonic() + _SECONDS_BETWEEN_NIGHTS
                continue
            self._log.write_event("error", child.name, "ended", status=status)
            if status == _REFUSED and not self._is_ready:
                self._status, self._is_ending = _REFUSED, True
                sys.stderr.write(f"{child.last_words}\n")
            elif not self._is_ending:
                sys.stderr.write(
                    f"sluice: the process {child.name} ended (status {status}) and is started "
                    f"again; see {self._config.folder / 'log'}.\n"
                )
                self._write_state()

    def _end_all(self) -> None:
        """Web processes first: what they still answer may need the others."""
        web = [child for child in self._children if child.name.startswith("web")]
        others = [*(child for child in self._children if child not in web), self._night]
        for group, seconds in ((web, _SECONDS_FOR_WEB), (others, _SECONDS_FOR_OTHERS)):
            for child in group:
                child.send(signal.SIGTERM)
            until = time.monotonic() + seconds
            for child in group:
                if not child.wait(until):
                    child.send(signal.SIGKILL)
                    child.wait(until + 1.0)
        self._read(0.0)

    def _open_browser(self) -> None:
        subprocess.Popen(
            [sys.executable, "-m", "webbrowser", self._config.public_address],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def _write_state(self) -> None:
        """For `/metrics`: which processes there are."""
        state = {
            child.name: {
                "pid": child.process.pid if child.process else 0,
                "restarts": max(child.num_restarts, 0),
            }
            for child in self._children
        }
        path = self._config.folder / "run" / "processes.json"
        try:
            path.with_suffix(".new").write_text(json.dumps(state))
            path.with_suffix(".new").replace(path)
        except OSError:
            pass  # a full disk: the numbers stay old


def create_children(config: StudioConfig, listening: int) -> list[Child]:
    """The processes that the settings ask for."""
    children = []
    if not config.composers:
        config, child = plan_composing(config)
        children.append(child)
    for number in range(config.workers):
        arguments = ["-m", "sluice.studio.serving.web_process", str(listening), str(number)]
        children.append(Child(f"web-{number}", arguments, config.to_json(), (listening,)))
    return children


def plan_composing(config: StudioConfig) -> tuple[StudioConfig, Child]:
    """The settings with the address of a composing process of this folder, and that process."""

    composing = ComposingConfig(
        f"unix:{config.folder / 'run' / 'composing.socket'}", models=config.models
    )
    module = ["-m", "sluice.studio.serving.parent", "sluice.studio.composing"]
    child = Child("composing", [*module, *composing.list_arguments()], config.to_json())
    return replace(config, composers=(composing.address,)), child


def main() -> int:
    """Run with what `start` has prepared: open files of the settings, the lock and the port."""
    settings, listening, opens_browser = (int(one) for one in sys.argv[1:])
    with os.fdopen(settings, "rb") as file:
        config = StudioConfig.from_json(file.read().decode())
    return Supervisor(config, listening, bool(opens_browser)).run()


if __name__ == "__main__":
    sys.exit(main())
