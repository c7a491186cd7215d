"""Code in an interpreter of its own."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def run_python(code: str, **environment: str) -> str:
    """What ``code`` prints; it must end well."""
    process = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=600,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()


@contextmanager
def limit_time(process: subprocess.Popen[Any], seconds: float = 300) -> Iterator[None]:
    """Kill ``process`` if the block takes longer, so that reading from it ends."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
