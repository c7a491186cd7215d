"""A process of the studio and its restarts. Uses the standard library only, to stay small."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

_SHORTEST_DELAY, _LONGEST_DELAY = 0.5, 30.0
_SECONDS_OF_GOOD_HEALTH = 60.0


@dataclass
class Child:
    """A process that is started again whenever it ends.

    Attributes:
        name: in the log, such as `web-1`.
        arguments: of the interpreter.
        config: what the process reads as its first line.
        handles: the open files that it inherits.
        num_restarts: how often it was started again.
        started_at, due_at: on the clock of `time.monotonic`; when it was and will be started.
        unread: the beginning of a line that it has not finished.
        last_words: the last line that it printed and that is no event.
    """

    name: str
    arguments: list[str]
    config: str
    handles: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    num_restarts: int = -1
    started_at: float = 0.0
    due_at: float = 0.0
    unread: bytes = field(default=b"", repr=False)
    last_words: str = ""
    _delay: float = _SHORTEST_DELAY

    def start(self) -> int:
        """Start the process; the open file from which all that it writes is read.

        Its standard input stays open for as long as this process lives: at its end the child
        knows that its parent is gone, even if that was killed.
        """
        read_end, write_end = os.pipe()
        try:
            self.process = subprocess.Popen(
                [sys.executable, *self.arguments],
                stdin=subprocess.PIPE,
                stdout=write_end,
                stderr=write_end,
                pass_fds=self.handles,
                env={"MALLOC_ARENA_MAX": "2", **os.environ},  # else each thread keeps one
                start_new_session=True,  # Ctrl-C is for the parent, which ends them in order
            )
        finally:
            os.close(write_end)
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(self.config.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:  # it has ended already, which is seen next
            pass
        self.num_restarts += 1
        self.started_at, self.unread = time.monotonic(), b""
        os.set_blocking(read_end, False)
        return read_end

    def note_end(self) -> None:
        """Plan the next start; the sooner an end followed the start, the later."""
        now = time.monotonic()
        if now - self.started_at > _SECONDS_OF_GOOD_HEALTH:
            self._delay = _SHORTEST_DELAY
        self.due_at, self._delay = now + self._delay, min(2 * self._delay, _LONGEST_DELAY)
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
        self.process = None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def wait(self, until: float) -> bool:
        """Whether it has ended before `until`, on the clock of `time.monotonic`."""
        if self.process is None:
            return True
        try:
            self.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            return False
        return True
