"""A tune goes on with the same tokens when a process is killed in its middle."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from sluice import tunes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kills by SIGKILL")

Event = tuple[int, str, dict[str, Any]]


class Running(NamedTuple):
    """A studio, as the command starts it, and a browser with its token."""

    folder: Path
    client: httpx.Client

    def kill(self, name: str) -> None:
        path = self.folder / "run" / "processes.json"
        os.kill(json.loads(path.read_text())[name]["pid"], signal.SIGKILL)

    def compose(self, seed: int) -> str:
        form = {"sent": "1", "form": "1", "seed": str(seed), "keep_seed": "1"}
        answer = self.client.post("/compose", data=form, headers={"accept": "application/json"})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["codes"][0])

    def follow(self, code: str, after: int = 0) -> Iterator[Event]:
        """The events of a tune, until the connection ends."""
        with self.client.stream("GET", f"/c/{code}/stream", params={"after": after}) as answer:
            number, kind = 0, ""
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    number = int(value)
                elif name == "event":
                    kind = value
                elif name == "data":
                    yield number, kind, json.loads(value)
                    if kind in ("done", "problem"):
                        return


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("killed") / "studio"
    process = subprocess.Popen(
        [sys.executable, "-m", "sluice", "studio", "--folder", str(folder), "--port", "0",
         "--no-browser"],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline())
    assert found is not None
    with httpx.Client(base_url=found[0], timeout=40) as client:
        try:
            page = client.get("/").text
            token = re.search(r'name="csrf-token" content="(\w+)"', page)
            assert token is not None
            client.headers["x-csrf-token"] = token[1]
            yield Running(folder, client)
        finally:
            process.terminate()
            process.wait(60)
            process.stdout.close()


def check(events: list[Event], seed: int) -> None:
    """Every token came once, and the tune is that of its seed."""
    (expected,) = tunes.load_composer().compose(seed=seed)
    numbers = [number for number, _, _ in events]
    assert numbers == sorted(set(numbers))
    sent = [token for _, kind, data in events if kind == "tokens" for token in data["t"]]
    assert sent == [*expected.tokens]
    assert events[-1][2]["abc"] == expected.abc()


def read_until_notes(events: Iterator[Event]) -> list[Event]:
    found = []
    for event in events:
        found.append(event)
        if event[2].get("abc"):
            return found
    raise AssertionError("no note came")


@pytest.mark.exhaustive
def test_what_was_asked_for_is_composed_after_the_composing_process_was_killed(
    running: Running,
) -> None:
    code = running.compose(31)
    running.kill("composing")
    check([*running.follow(code)], 31)


@pytest.mark.exhaustive
def test_a_stream_goes_on_after_the_composing_process_was_killed(running: Running) -> None:
    code = running.compose(32)
    events = running.follow(code)
    first = read_until_notes(events)
    assert first[-1][1] == "tokens"
    running.kill("composing")
    check([*first, *events], 32)


@pytest.mark.exhaustive
def test_a_stream_is_taken_up_again_after_the_web_process_was_killed(running: Running) -> None:
    code = running.compose(33)
    events = running.follow(code)
    seen = read_until_notes(events)
    assert seen[-1][1] == "tokens"
    running.kill("web-0")
    with suppress(httpx.TransportError):
        seen.extend(events)
    assert seen[-1][1] != "done"
    for _ in range(600):
        with suppress(httpx.TransportError):
            seen.extend(running.follow(code, seen[-1][0]))
            break
        time.sleep(0.1)
    check(seen, 33)
    assert 'data-state="done"' in running.client.get(f"/c/{code}").text
