"""Code in an interpreter of its own."""

import os
import subprocess
import sys


def run_python(code: str, **environment: str) -> str:
    """What ``code`` prints; it must end well."""
    process = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()
