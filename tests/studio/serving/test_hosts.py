"""Two hosts that share a PostgreSQL database, started at the same moment on an empty one."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import ArchiveTune
from sluice.studio.config import StudioConfig

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the studio refuses Windows")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_both_show_what_is_in_it(postgres_url: str, tmp_path: Path) -> None:
    hosts = [
        subprocess.Popen(
            [sys.executable, "-m", "sluice", "studio", "--folder", str(tmp_path / name), "--port",
             "0", "--no-browser", "--composers", f"unix:{tmp_path}/none", "--database",
             postgres_url],
            stdout=subprocess.PIPE, text=True, start_new_session=True,
        )
        for name in ("first", "second")
    ]  # fmt: skip
    try:
        addresses = []
        for host in hosts:
            assert host.stdout is not None
            found = re.search(r"http://\S+", host.stdout.readline())
            assert found is not None
            addresses.append(found[0])
        database = Database(StudioConfig(database=postgres_url).database_url)
        with database.open_session(write=True) as session:
            session.add(ArchiveTune(title="Shared", abc="X:1\nT:Shared\nK:D\nabc|\n"))
        database.close()
        for address in addresses:
            with urllib.request.urlopen(f"{address}/api/v1/tunes/1", timeout=30) as answer:
                assert b'"title":"Shared"' in answer.read()
    finally:
        for host in hosts:
            host.send_signal(signal.SIGTERM)
        assert [host.wait(60) for host in hosts] == [0, 0]
        for host in hosts:
            host.communicate()
