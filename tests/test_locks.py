"""A lock held by another thread when a process forks."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from sluice.locks import ForkSafeLock


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
def test_a_forked_child_finds_the_lock_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.locks.LONGEST_WAIT", 0.1)
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_waits_until_the_lock_is_free() -> None:
    lock, held, ended = ForkSafeLock(), threading.Event(), []

    def hold() -> None:
        with lock.hold():
            held.set()
            time.sleep(0.2)
            ended.append(True)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        os._exit(7 if ended else 1)
    _, status = os.waitpid(child, 0)
    with lock.hold():  # the parent has it back
        thread.join(10)
    assert os.waitstatus_to_exitcode(status) == 7
