"""`sluice compose --fill` and `--vary`: progress on a terminal, and Ctrl-C."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from child_process import limit_time
from command import run

pty = pytest.importorskip("pty", reason="needs a Unix terminal")

TUNE = """X:1
T:A
R:jig
M:6/8
L:1/8
K:G
|:GBd gfg|BAG A2B|Bcd edc|BGB A2G|
GBd gfg|BAG A2B|c3 d3|G6:|
"""


@pytest.fixture
def tune(tmp_path: Path) -> Path:
    path = tmp_path / "tune.abc"
    path.write_text(TUNE)
    return path


def read_terminal(handle: int) -> bytes:
    """What was written since, nothing at the end."""
    try:
        return os.read(handle, 65536)
    except OSError:  # how Linux tells that the other side is closed
        return b""


@pytest.mark.parametrize("option", ["--vary", "--fill"])
def test_the_output_of_a_pipe_has_no_bar(tune: Path, tmp_path: Path, option: str) -> None:
    tune.write_text(TUNE.replace("Bcd edc", "*") if option == "--fill" else TUNE)
    out = tmp_path / "out"
    result = run(
        "compose", option, tune, "--count", 2, "--seed", 1, "--out", out, "--formats", "abc"
    )
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("X:1\n")
    assert result.stderr == ""
    assert (out / "a.abc").exists()


def test_what_is_left_out_of_the_file_is_told_in_the_order_of_lines(
    tune: Path, tmp_path: Path
) -> None:
    overlay = TUNE.replace("c3 d3|", "c3 d3 & C3 D3|")
    tune.write_text(overlay.replace("|:GBd", "V:1\n|:GBd") + "V:2\nG6|\n")
    result = run("compose", "--vary", tune, "--seed", 1, "--out", tmp_path, "--formats", "abc")
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines() == [
        f"{tune}, line 9: an overlay (&), left out",
        f"{tune}, line 10: another voice (V:), left out",
    ]


@pytest.mark.exhaustive
def test_ctrl_c_ends_cleanly(tune: Path, tmp_path: Path) -> None:
    """The bar is seen on a terminal; after Ctrl-C the cursor is back, and nothing was written."""
    ours, theirs = pty.openpty()
    out = tmp_path / "out"
    command = [sys.executable, "-m", "sluice", "compose", "--vary", tune, "--count", "5000"]
    process = subprocess.Popen(
        [*command, "--out", out],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TERM": "xterm", "COLUMNS": "80"},
    )
    os.close(theirs)
    shown = b""
    with limit_time(process):
        while shown.count(b"Composing") < 4 and (more := read_terminal(ours)):
            shown += more
        process.send_signal(signal.SIGINT)
        while more := read_terminal(ours):
            shown += more
    os.close(ours)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert b"Composing" in shown
    assert b"Traceback" not in shown
    assert b"\x1b[?25h" in shown  # the cursor is shown again
    assert printed.strip() == b""
    assert not out.exists()
