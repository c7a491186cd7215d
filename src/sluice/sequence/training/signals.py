"""Ctrl-C and SIGTERM, handled between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopSignal:
    """Whether the user or the system asked training to stop."""

    def __init__(self) -> None:
        self.is_requested = False

    @contextmanager
    def catch_signals(self, signals: tuple[int, ...]) -> Iterator[None]:
        """Record the first such signal inside the ``with`` block; a second one acts as usual.

        Does nothing outside the main thread, which alone can handle signals.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in signals}

        def record(number: int, frame: FrameType | None) -> None:
            self.is_requested = True
            signal.signal(number, before[number])

        handled = [number for number in signals if before[number] not in (signal.SIG_IGN, None)]
        for number in handled:
            signal.signal(number, record)
        try:
            yield
        finally:
            for number in handled:
                signal.signal(number, before[number])
