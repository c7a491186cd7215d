"""`sluice compare`: its files, how it resumes, and the options it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from child_process import limit_time
from command import run, sentence
from sluice.cli.comparison_display import ComparisonDisplay
from sluice.report.comparison import compare

SMALL = (
    "compare", "--cells", "elman,gru", "--lags", "2,4", "--seeds", 2, "--steps", 3, "--hidden", 4,
    "--learning-rates", "0.01",
)  # fmt: skip
OWN = """
from sluice import Cell, Gate, tanh

class Own(Cell):
    write = Gate()
    def step(self, x, h):
        return dict(h=0.5 * h + tanh(self.write(x, h)))
"""


def test_a_comparison_and_the_same_again(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    out = tmp_path / "out"
    first = run(*SMALL, "--out", out)
    assert first.exit_code == 0, first.output
    assert "GRU, lag 4, seed 1, rate 0.01: not solved" in first.output
    assert "0/2 solved" in first.output and "Elman stops learning at lag 2" in first.output
    paths = first.output.rpartition("Written: ")[2].split(", ")
    assert {Path(path.strip()) for path in paths} == set(out.iterdir())
    own = f"{tmp_path / 'own.py'}:Own,gru"
    second = run(*SMALL, "--out", out, "--cells", own, "--lags", 2)
    assert second.exit_code == 0, second.output
    assert second.output.count("Own, lag") == 2 and "GRU, lag" not in second.output
    report = json.loads((out / "comparison.json").read_text())
    assert [verdict["cell"] for verdict in report["verdicts"]] == ["Own", "GRU"]
    # Other settings are not mixed with the existing runs.
    journal = (out / "runs.jsonl").read_bytes()
    assert "with hidden 4, not 5; ask for the same" in sentence(
        run(*SMALL, "--hidden", 5, "--out", out)
    )
    assert (out / "runs.jsonl").read_bytes() == journal


def test_a_time_budget_of_zero(tmp_path: Path) -> None:
    result = run(*SMALL, "--minutes", 0, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "Stopped (out of time) with 0 of 8 runs; the same command" in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--cells", "elmann"), "cell must be one of atr, "),
        (("--cells", "none.py:Own"), "there is no file 'none.py'"),
        (("--cells", ","), "name at least one"),
        (("--task", "chess"), "task must be one of recall, order, adding, copy, parity"),
        (("--lags", "0"), "at least 2 steps, got 0"),
        (("--lags", "5;10"), "--lags must be numbers separated by commas, as in 5,10, got '5;10'"),
        (("--lags", "1000000000"), "ask for shorter lags"),
        (("--seeds", "0"), "seeds is at least 1, got 0"),
        (("--learning-rates", "0"), "learning rates are numbers above 0"),
    ],
)
def test_invalid_options_are_refused(
    options: tuple[str, str], message: str, tmp_path: Path
) -> None:
    assert message in sentence(run(*SMALL, "--out", tmp_path / "out", *options))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here first")
    message = sentence(run(*SMALL, "--out", tmp_path / "file" / "out"))
    assert str(tmp_path / "file") in message and "check the path and its permissions" in message


def test_a_terminal_shows_a_live_table() -> None:
    console = Console(force_terminal=True, width=100, record=True)
    with console.capture() as captured, ComparisonDisplay(console) as live:
        compare(
            ["Elman", "LSTM"], lags=[4], seeds=1, rates=[0.01], steps=3, hidden=4,
            on_progress=live.show,
        )  # fmt: skip
    output = captured.get()
    assert "LSTM, lag 4, seed 0, rate 0.01, update 3" in output
    assert "(chance 1.386)" in output and "arrives at the first" in output and "100% done" in output


@pytest.mark.exhaustive
@pytest.mark.slow
def test_ctrl_c_keeps_finished_runs(tmp_path: Path) -> None:
    options = ("--lags", "4,20", "--steps", "20000", "--seeds", "1", "--learning-rates", "0.01")
    process = subprocess.Popen(
        [sys.executable, "-m", "sluice", "compare", "--cells", "gru,elman", *options,
         "--hidden", "16", "--out", str(tmp_path)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    with limit_time(process):
        for line in process.stdout:
            if line.startswith("GRU, lag 20"):  # next is an Elman with a long training
                process.send_signal(signal.SIGINT)
                break
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "Stopped (interrupted) with 3 of 4 runs" in rest
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == 1 + 3
