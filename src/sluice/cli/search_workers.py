"""The processes that `sluice search --processes` starts, each with the same command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from types import FrameType

from sluice.cli.errors import fail

_MOST_RESTARTS = 3


def run_workers(count: int, variable: str, *, threads: int | None) -> None:
    """Run this command in `count` processes until all have ended.

    One that is killed is started again, at most three times; the trials of all continue. Ctrl-C
    and SIGTERM are passed on, and wait for the processes to end.

    Args:
        count: the number of processes.
        variable: of the environment, by which a process knows that it is one of them.
        threads: of each; default: the processors shared out.
    """
    share = threads or max(1, len(os.sched_getaffinity(0)) // count)
    environment = {**os.environ, variable: "1", "OMP_NUM_THREADS": str(share)}
    command = [sys.executable, "-m", "sluice", *sys.argv[1:]]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=environment, start_new_session=True)

    running = [start() for _ in range(count)]
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        for one in running:
            one.send_signal(signal.SIGTERM)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    restarts = 0
    try:
        while running:
            time.sleep(0.05)
            for one in [one for one in running if one.poll() is not None]:
                running.remove(one)
                if one.returncode > 0 and not stopping:
                    stop(0, None)
                    for other in running:
                        other.wait()
                    sys.exit(one.returncode)
                if one.returncode < 0 and not stopping:
                    restarts += 1
                    if restarts > _MOST_RESTARTS:
                        fail(
                            f"processes of this search were killed {restarts} times (signal "
                            f"{-one.returncode}); start fewer, or smaller models"
                        )
                    running.append(start())
    finally:
        for one in running:
            one.terminate()
        for number, handler in before.items():
            signal.signal(number, handler)
