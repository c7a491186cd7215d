"""The program `sluice`; `python -m sluice` lets torchrun start it."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

_LARGE_MODULES = ("torch", "numpy")
"""They catch what interrupts their import, and fail later with another error."""


def main() -> None:
    """Run the command line; Ctrl-C ends it without a traceback, also during imports."""
    is_heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_heard:  # not so in the background, say
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from sluice.cli import app

    try:
        if is_heard:
            signal.signal(signal.SIGINT, _interrupt)
        app()
    except KeyboardInterrupt:
        sys.exit(130)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, or end the process at once inside an import that cannot be left."""
    specs = (getattr(sys.modules.get(name), "__spec__", None) for name in _LARGE_MODULES)
    if any(getattr(spec, "_initializing", False) for spec in specs):
        os._exit(130)
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
