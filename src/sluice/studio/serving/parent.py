"""What a child process hears of its parent: its settings, and that the parent is gone.

As a program it runs another module under the same watch:
`python -m sluice.studio.serving.parent MODULE ARGUMENT…`.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

_SECONDS_TO_END = 5.0


def read_settings() -> str:
    """The first line of the standard input, after which the parent is watched."""
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = os.read(0, 1 if line else 65536)  # the rest of the pipe stays for the watch
        if not piece:
            break
        line += piece
    watch_parent()
    return line.decode()


def watch_parent() -> None:
    """End this process when the standard input ends: its parent has ended, however it did."""
    threading.Thread(target=_wait_for_end, name="parent", daemon=True).start()


def _wait_for_end() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_SECONDS_TO_END)
    os._exit(1)


if __name__ == "__main__":
    read_settings()
    _, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
