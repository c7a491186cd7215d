"""Several composing processes, and what becomes of tunes when one of them ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from composing_process import collect, run, start_process, stream
from sluice.studio.composing import client as composing_client
from sluice.studio.composing.client import ComposingClient
from sluice.studio.composing.config import ComposingConfig
from sluice.studio.composing.options import ComposingOptions
from sluice.studio.composing.protocol import ComposingEvent
from sluice.studio.errors import StudioError
from sluice.tunes.composition.composer import Composer


def test_a_stream_survives_the_death_of_its_process(
    composing_address: str, tmp_path: Path, small: Composer, small_model: Path
) -> None:
    path = tmp_path / ("a folder with a long name " * 4) / "socket"
    path.parent.mkdir()
    with start_process(ComposingConfig(f"unix:{path}", small_model)) as (process, address):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        client = ComposingClient([address, composing_address])
        other = ComposingClient([composing_address])
        codes = [f"code {number}" for number in range(64)]
        code = next(code for code in codes if str(client._order(code)[0]) == address)
        options = ComposingOptions(model=small.fingerprint, seed=11)

        async def kill_in_mid_tune() -> tuple[list[ComposingEvent], int]:
            found, before = [], 0
            async for event in client.stream(code, options):
                if event.kind == "tokens" and not before:
                    process.send_signal(signal.SIGKILL)
                    before = event.number
                found.append(event)
            return found, before

        found, before = run(kill_in_mid_tune)
        assert process.wait(60) == -signal.SIGKILL
        assert 1 < before < len(found) and found[-1].kind == "done"
        assert found == stream(other, "alone", options)
        statuses = run(client.get_status)
        assert [status is None for status in statuses] == [True, False]
        both = {str(client._order(code)[0]) for code in codes}
        assert both == {address, composing_address}
    with start_process(ComposingConfig(f"unix:{path}", small_model)) as (process, address):
        assert stream(ComposingClient([address]), code, options, 4) == found[4:]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert [*path.parent.iterdir()] == []


def test_over_tcp_the_secret_must_be_known(small_model: Path) -> None:
    """The process also ends with the one that started it."""
    script = (
        "import json, os, subprocess, sys, dataclasses\n"
        "from sluice.studio.composing.config import ComposingConfig\n"
        "config = ComposingConfig('tcp://127.0.0.1:0', sys.argv[1], 'known to both',"
        " parent=os.getpid())\n"
        "command = [sys.executable, '-m', 'sluice.studio.composing', *config.list_arguments()]\n"
        "child = subprocess.Popen(command, env=config.make_environment(),"
        " stdout=subprocess.PIPE)\n"
        "print(child.stdout.readline().decode().strip(), flush=True)\n"
        "print(child.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, str(small_model)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None and parent.stdin is not None
        address = json.loads(parent.stdout.readline())["ready"]
        child = int(parent.stdout.readline())
        options = ComposingOptions(seed=2)
        found = stream(ComposingClient([address], "known to both"), "a", options)
        assert found[-1].kind == "done"
        for secret in ("", "known to none"):
            with pytest.raises(StudioError, match="The secret is wrong"):
                stream(ComposingClient([address], secret), "a", options)
        parent.stdin.close()
        parent.wait(60)
        end = time.monotonic() + 10
        while Path(f"/proc/{child}").exists() and time.monotonic() < end:
            status = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0]
            if status == "Z":
                break
            time.sleep(0.05)
        else:
            assert not Path(f"/proc/{child}").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--address", "tcp://127.0.0.1:0"], "over TCP needs a secret"),
        (["--address", "nowhere"], "unix:/path or tcp://host:port"),
        (["--address", "unix:{folder}/socket", "--models", "{folder}"], "no .safetensors file"),
    ],
)
def test_a_process_that_cannot_start_says_why(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    given = [argument.format(folder=tmp_path) for argument in arguments]
    command = [sys.executable, "-m", "sluice.studio.composing", *given]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=dict(os.environ))
    assert done.returncode == 1 and sentence in done.stderr and "Traceback" not in done.stderr


def test_an_address_is_not_taken_from_a_living_process(composing_address: str) -> None:
    command = [sys.executable, "-m", "sluice.studio.composing", "--address", composing_address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "Another process listens" in done.stderr
    client = ComposingClient([composing_address])
    assert run(lambda: collect(client.stream("still there", ComposingOptions())))[-1].is_final


def test_nobody_waits_for_a_process_that_stands_still(
    composing_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that accepts connections and says nothing."""
    monkeypatch.setattr(composing_client, "_HELLO_SECONDS", 0.3)

    async def ask() -> ComposingEvent:
        async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        silent = await asyncio.start_unix_server(say_nothing, tmp_path / "silent")
        async with silent:
            client = ComposingClient([f"unix:{tmp_path / 'silent'}", composing_address])
            codes = (f"silent {number}" for number in range(64))
            code = next(code for code in codes if client._order(code)[0] == client._addresses[0])
            *_, last = [event async for event in client.stream(code, ComposingOptions(seed=1))]
            return last

    assert run(ask).kind == "done"
