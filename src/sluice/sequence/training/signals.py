"""Ctrl-C and SIGTERM, heard between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopSignal:
    """Whether somebody has asked training to end."""

    def __init__(self) -> None:
        self.is_requested = False

    @contextmanager
    def catch_signals(self, signals: tuple[int, ...]) -> Iterator[None]:
        """Note the first such signal inside a ``with`` block; a second one does what it always did.

        Only a process's main thread can listen.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in signals}

        def note(number: int, frame: FrameType | None) -> None:
            self.is_requested = True
            signal.signal(number, before[number])

        heard = [number for number in signals if before[number] not in (signal.SIG_IGN, None)]
        for number in heard:
            signal.signal(number, note)
        try:
            yield
        finally:
            for number in heard:
                signal.signal(number, before[number])
