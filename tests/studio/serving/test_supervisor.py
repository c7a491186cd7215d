"""Processes that are killed, started again and ended together."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


class Running(NamedTuple):
    """A studio without a composing process, as the command starts it."""

    process: subprocess.Popen[str]
    address: str
    folder: Path

    def read(self, path: str) -> str:
        with urllib.request.urlopen(self.address + path, timeout=60) as answer:
            return str(answer.read().decode())

    def list_children(self) -> list[int]:
        return list_children(self.process.pid)


def list_children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sluice", "studio", "--folder", str(folder), "--port", "0",
         "--no-browser", "--composers", f"unix:{folder}/none", *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


@contextmanager
def run_studio(folder: Path) -> Iterator[Running]:
    process = start(folder, "--workers", "2")
    assert process.stdout is not None
    first = process.stdout.readline()
    found = re.search(r"http://\S+", first)
    assert found, (first, process.communicate())
    opened = Running(process, found[0], folder)
    try:
        opened.read("/healthz")
        yield opened
    finally:
        children = opened.list_children() if process.poll() is None else []
        for pid in (process.pid, *children):
            if process.poll() is None or pid != process.pid:
                os.kill(pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """For tests that kill its processes."""
    with run_studio(tmp_path / "studio") as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """For tests that leave it as it is."""
    with run_studio(tmp_path_factory.mktemp("shared") / "studio") as opened:
        yield opened


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.exhaustive
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_all_processes(running: Running, number: signal.Signals) -> None:
    wait_for(lambda: len(running.list_children()) == 2)
    children = running.list_children()
    running.process.send_signal(number)
    assert running.process.wait(30) == 0
    assert not any(is_running(pid) for pid in children)


def test_killed_children_are_started_again_counted_and_ended(running: Running) -> None:
    wait_for(lambda: len(running.list_children()) == 2)
    before = running.list_children()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(set(running.list_children()) - set(before)) == 2)
    assert json.loads(running.read("/healthz"))["database"] == "ok"
    restarts = re.findall(r"studio_process_restarts_total{.*} (\d)", running.read("/metrics"))
    assert restarts == ["1", "1"]
    children = running.list_children()
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(30) == 0
    assert not any(is_running(pid) for pid in children)


@pytest.mark.exhaustive
def test_children_do_not_outlive_a_killed_parent(running: Running) -> None:
    wait_for(lambda: len(running.list_children()) == 2)
    children = running.list_children()
    running.process.kill()
    wait_for(lambda: not any(is_running(pid) for pid in children))


def test_a_folder_serves_one_studio_at_a_time(shared: Running) -> None:
    process = start(shared.folder)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Another studio runs in the folder" in error and error.count("\n") == 1


def test_a_keeper_s_link_leads_to_where_the_site_runs(shared: Running) -> None:
    command = [sys.executable, "-m", "sluice", "studio", "keeper", "Una", "una@example.org"]
    result = subprocess.run(
        [*command, "--folder", str(shared.folder)], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith(f"{shared.address}/invitation/")
    assert "Una" in shared.read(result.stdout.strip().removeprefix(shared.address))


def test_the_log_has_the_route_and_not_the_address_of_a_page(shared: Running) -> None:
    shared.read("/healthz?token=secret")
    log = next((shared.folder / "log").iterdir())
    wait_for(lambda: '"/healthz"' in log.read_text())
    events = [json.loads(line) for line in log.read_text().splitlines()]
    found = next(event for event in events if event.get("route") == "/healthz")
    assert (found["status"], found["method"], found["address"]) == (200, "GET", "127.0.0.1")
    assert "secret" not in log.read_text()


def test_the_database_s_password_is_no_argument_of_a_process(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    process = start(tmp_path / "studio", "--database", "postgresql://una:verysecret@127.0.0.1:1/a")
    _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "The database (postgresql) cannot be used" in error and error.count("\n") == 1
    assert "verysecret" not in error


@pytest.mark.exhaustive
def test_the_browser_opens_a_page_that_can_compose(tmp_path: Path) -> None:
    browser, seen = tmp_path / "browser", tmp_path / "seen"
    browser.write_text(
        f"#!{sys.executable}\nimport pathlib, sys, urllib.request\n"
        "text = urllib.request.urlopen(sys.argv[1] + '/healthz').read()\n"
        f"pathlib.Path({str(seen)!r}).write_bytes(text)\n"
    )
    browser.chmod(0o700)
    process = subprocess.Popen(
        [sys.executable, "-m", "sluice", "studio", "--folder", str(tmp_path / "s"), "--port", "0"],
        env={**os.environ, "BROWSER": f"{browser} %s"}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(lambda: seen.exists() and bool(seen.read_text()), 60.0)
        assert json.loads(seen.read_text())["composing"] == "ok"
    finally:
        process.terminate()
        process.wait(60)
