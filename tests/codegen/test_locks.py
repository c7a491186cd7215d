"""A lock held by another thread when a process forks."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from sluice.codegen.locks import ForkSafeLock


def test_a_lock_excludes_other_threads() -> None:
    lock, entered = ForkSafeLock(), threading.Event()

    def enter() -> None:
        with lock.hold():
            entered.set()

    thread = threading.Thread(target=enter)
    with lock.hold():
        thread.start()
        assert not entered.wait(0.05)
    thread.join(10)
    assert entered.is_set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_finds_the_lock_free() -> None:
    lock, held, release = ForkSafeLock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock.hold():
            held.set()
            release.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    child = os.fork()
    if child == 0:
        signal.alarm(5)  # ends a child that waits for the lock
        with lock.hold():
            os._exit(7)
    _, status = os.waitpid(child, 0)
    release.set()
    thread.join(10)
    assert os.waitstatus_to_exitcode(status) == 7
