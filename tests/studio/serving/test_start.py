"""What is refused before anything is started, each in one sentence."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
from collections.abc import Callable
from datetime import date
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from command import run, sentence
from sluice.studio.config import StudioConfig
from sluice.studio.serving.log import DailyLog, remove_old_files

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the studio refuses Windows")


def start(folder: Path, *options: object) -> str:
    return sentence(run("studio", "--folder", folder, "--no-browser", "--port", 0, *options))


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        port = bound.getsockname()[1]
        assert f"127.0.0.1, port {port}: address already in use" in start(
            tmp_path / "studio", "--port", port
        )


def test_a_host_that_is_not_this_machine_is_named(tmp_path: Path) -> None:
    assert "Cannot listen on 192.0.2.1" in start(tmp_path / "studio", "--host", "192.0.2.1")


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "studio").write_text("")
    assert "studio" in start(tmp_path / "studio")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "Permission denied" in start(tmp_path / "studio")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://una@127.0.0.1:1/tunes", "refused"),
        ("mysql://una@127.0.0.1/tunes", "mysql"),
        ("no url at all", "URL"),
    ],
)
def test_a_database_that_does_not_answer_is_refused(tmp_path: Path, url: str, reason: str) -> None:
    said = start(tmp_path / "studio", "--database", url)
    assert "cannot be used" in said or "must begin with" in said
    assert reason in said


def test_a_missing_library_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find: Callable[..., ModuleSpec | None] = importlib.util.find_spec

    def find_all_but_one(name: str, *rest: Any) -> ModuleSpec | None:
        return None if name == "argon2" else find(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", find_all_but_one)
    assert "pip install 'sluice-rnn[studio]'" in start(tmp_path / "studio")


def test_settings_survive_the_way_to_another_process(tmp_path: Path) -> None:
    config = StudioConfig(
        tmp_path, "postgresql://a", "::1", 1, 3, tmp_path / "models", ("tcp://a:1", "unix:/b"),
        "smtp://u:p@h", "https://ó.example", True, ("10.0.0.0/8",), "sv", "Ó \n \"x\"",
    )  # fmt: skip
    assert StudioConfig.from_json(config.to_json()) == config


def test_a_log_is_at_most_seven_days_old(tmp_path: Path) -> None:
    names = [f"studio-2026-11-{day:02}.log" for day in range(15, 28)] + ["studio-notes.log"]
    for name in names:
        (tmp_path / name).write_text("")
    remove_old_files(tmp_path, date(2026, 11, 27))
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [f"studio-2026-11-{day}.log" for day in range(21, 28)] + ["studio-notes.log"]


def test_lines_that_are_no_events_are_kept_as_their_text(tmp_path: Path) -> None:
    log = DailyLog(tmp_path / "log")
    values = log.write_line("web-0", 'Traceback "of" 1')
    assert (values["event"], values["text"]) == ("output", 'Traceback "of" 1')
    assert log.write_line("web-0", '{"event": "ready", "process": "x"}')["process"] == "web-0"
    log.close()
    (path,) = (tmp_path / "log").iterdir()
    assert len(path.read_text().splitlines()) == 2
