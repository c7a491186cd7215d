"""Job processes that hang, grow, are killed or no longer wanted; and the folder of files."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sampling import thin_out
from sluice.errors import SluiceError
from sluice.studio.errors import StudioError
from sluice.studio.exports import jobs
from sluice.studio.exports.cache import FileCache
from sluice.studio.exports.formats import FORMATS
from sluice.studio.exports.jobs import BusyError, JobFailedError, JobRunner
from sluice.studio.exports.sources import FileSource, write_quickly

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the studio refuses Windows")

SLOW: dict[str, Any] = {"format": "svg", "title": "", "tunes": ["X:1\nK:C\n" + "C-" * 3900]}
"""Verovio needs more than half a minute for so many ties."""


async def stays() -> bool:
    return False


async def leaves() -> bool:
    return True


def find_jobs() -> list[int]:
    """The processes that this one has started."""
    found = []
    for task in Path(f"/proc/{os.getpid()}/task").iterdir():
        for pid in (task / "children").read_text().split():
            line = Path(f"/proc/{pid}/cmdline")
            if line.exists() and b"exports.job" in line.read_bytes():
                found.append(int(pid))
    return found


@pytest.fixture
def runner(tmp_path: Path) -> JobRunner:
    return JobRunner(tmp_path / "run", FileCache(tmp_path / "cache"))


async def wait_for_jobs(count: int) -> list[int]:
    for _ in range(3000):
        if len(find_jobs()) == count:
            await asyncio.sleep(0 if count else 0.2)  # the pipes of one that ended are closed
            return find_jobs()
        await asyncio.sleep(0.02)
    raise AssertionError(f"{len(find_jobs())} jobs instead of {count}")


def make_slow(number: int) -> dict[str, Any]:
    return SLOW | {"title": str(number)}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_job_is_said_so_and_the_next_one_runs(runner: JobRunner) -> None:
    async def kill() -> None:
        task = asyncio.create_task(runner.make_file(make_slow(1), "una", stays))
        (pid,) = await wait_for_jobs(1)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(JobFailedError, match="ended early"):
            await task
        assert (runner.num_running, runner.num_waiting) == (0, 0)
        path = await runner.make_file(
            {"format": "svg", "title": "", "tunes": ["X:1\nK:C\nabc|\n"]}, "una", stays
        )
        assert path.read_bytes().startswith(b"<svg")

    asyncio.run(kill())


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_job_that_nobody_waits_for_is_killed(runner: JobRunner) -> None:
    async def leave() -> None:
        one = asyncio.create_task(runner.make_file(make_slow(1), "una", stays))
        other = asyncio.create_task(runner.make_file(make_slow(1), "joe", stays))
        await wait_for_jobs(1)
        one.cancel()
        await asyncio.sleep(0.3)
        assert len(find_jobs()) == 1  # the other still waits
        other.cancel()
        await wait_for_jobs(0)
        with pytest.raises(BusyError):
            await runner.make_file(make_slow(2), "una", leaves)
        await wait_for_jobs(0)

    asyncio.run(leave())
    assert not list(runner.folder.parent.glob("cache/*/*"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_two_run_at_a_time_and_whoever_comes_late_is_asked_to_come_back(
    runner: JobRunner,
) -> None:
    runner.max_waiting = 3
    beside = JobRunner(runner.folder, FileCache(runner.folder.parent / "beside"))

    async def crowd() -> None:
        tasks = [
            asyncio.create_task(runner.make_file(make_slow(n), f"visitor {n}", stays))
            for n in range(5)
        ]
        tasks.append(asyncio.create_task(beside.make_file(make_slow(9), "una", stays)))
        await wait_for_jobs(2)
        await asyncio.sleep(0.3)
        assert len(find_jobs()) == 2
        with pytest.raises(BusyError, match="Try again"):
            await runner.make_file(make_slow(6), "una", stays)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await wait_for_jobs(0)

    asyncio.run(crowd())


def test_one_visitor_takes_four_places(runner: JobRunner) -> None:
    async def ask() -> None:
        tasks = [
            asyncio.create_task(runner.make_file(make_slow(n), "una", stays)) for n in range(4)
        ]
        await asyncio.sleep(0.1)
        with pytest.raises(BusyError, match="Your other files"):
            await runner.make_file(make_slow(5), "una", stays)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(ask())


def test_a_job_that_takes_too_long_is_given_up(
    runner: JobRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "get_seconds", lambda count: 1)
    began = time.monotonic()
    with pytest.raises(JobFailedError, match="longer than 1 seconds"):
        asyncio.run(runner.make_file(make_slow(1), "una", stays))
    assert time.monotonic() - began < 30  # it would sleep for minutes


def test_a_full_disk_leaves_no_part_of_a_file(runner: JobRunner) -> None:
    request = {"format": "svg", "title": "", "tunes": ["X:1\nK:C\nabc|\n"]}
    path = runner.cache.make_path(request)
    path.parent.parent.mkdir(parents=True)
    path.parent.write_text("in the way")  # as good as full: nothing can be written there
    with pytest.raises(JobFailedError, match="no room"):
        asyncio.run(runner.make_file(request, "una", stays))


def test_the_folder_keeps_what_was_asked_for_last(tmp_path: Path) -> None:
    cache = FileCache(tmp_path, max_bytes=1000)
    paths = [cache.make_path({"format": "svg", "tunes": [str(n)]}) for n in range(10)]
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 150)
        os.utime(path, (number, number))
    assert cache.find(paths[0])  # now the newest
    cache.remove_old()
    left = [number for number, path in enumerate(paths) if path.exists()]
    assert left == [0, 6, 7, 8, 9]
    assert not cache.find(paths[1])


HOSTILE = {
    "deep tuplets": "X:1\nK:C\n" + "(3" * 3000 + "abc|",
    "huge numbers": "X:1\nM:999999/999999\nL:1/99999999\nQ:99999999\nK:C\nC99999999/9|",
    "long parts": "X:1\nP:((((((A9)9)9)9)9)9)9\nK:C\nP:A\nabc|",
    "macros": "X:1\nm:a=bbbbbbbbbb\nm:b=cccccccccc\nK:C\n" + "a" * 500 + "|",
    "entities": 'X:1\nT:<!DOCTYPE x [<!ENTITY a "b">]>&a;<script>\nK:C\n"<b>&lol;"abc|',
    "chords": "X:1\nK:C\n[" + "ceg" * 500 + "]|",
    "graces": "X:1\nK:C\n{" + "a" * 2000 + "}c|",
    "controls": "X:1\nT:\x00\x1b\ufffe\nK:C\nabc|",
    "slurs": "X:1\nK:C\n" + "(" * 4000 + "a" + ")" * 4000,
    "directives": "X:1\n%%abc-include /etc/passwd\nI:abc-include /etc/passwd\nK:C\nabc|",
    "ties": SLOW["tunes"][0],
    "key": "X:1\nK:C" + "^c" * 3000 + "\nabc|",
    "latex": "X:1\nT:\\input{/etc/passwd}\nK:C\nabc|\nw:" + "~-_*" * 1000,
    "repeats": "X:1\nK:C\n" + "|:a:" * 1500 + "|",
}


@pytest.mark.parametrize("name", thin_out(HOSTILE, 4))
def test_hostile_abc_is_drawn_or_refused(
    runner: JobRunner, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "get_seconds", lambda count: 2 if name == "ties" else 60)
    for ending in ("svg", "musicxml") if name == "entities" else ("svg",):
        request = {"format": ending, "title": "", "tunes": [HOSTILE[name][:8192]]}
        began = time.monotonic()
        try:
            content = asyncio.run(runner.make_file(request, "una", stays)).read_bytes()
        except StudioError as error:
            is_given_up = "longer than" in str(error)
            assert is_given_up == (name == "ties"), error
            assert is_given_up or not isinstance(error, JobFailedError), error
        else:
            assert b"<script" not in content and b"<!ENTITY" not in content
            assert b"root:" not in content
        assert time.monotonic() - began < 120


@pytest.mark.parametrize("name", thin_out(HOSTILE, 4, 1))
def test_hostile_abc_does_not_keep_a_web_process(name: str) -> None:
    source = FileSource("", (HOSTILE[name][:8192],))
    began = time.monotonic()
    try:
        assert write_quickly(source, FORMATS["mid"]).startswith(b"MThd")
    except SluiceError as error:
        assert str(error)
    assert time.monotonic() - began < 30
