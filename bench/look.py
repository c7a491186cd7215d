"""How long `sluice look` takes, as a whole command, and how large its page is.

    python bench/look.py

The shipped model of tunes (two LSTM layers of 512 units) on its first tune and on one of at least
400 steps, and 10,000 steps of a small model.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from paired import Report

from sluice.sequence import Checkpoint, LanguageModel, LanguageModelConfig, Vocabulary
from sluice.tunes.corpus.collections import iterate_collections

MODEL = Path(__file__).parents[1] / "src/sluice/tunes/model/tunes.safetensors"
TEXT = "This is the house that Jack built. " * 300


def find_long_tune(steps: int) -> int:
    """The number of the first tune with that many steps."""
    tunes = enumerate(iterate_collections())
    return next(number for number, tune in tunes if len(tune.tokens) >= steps)


def save_small_model(folder: Path) -> Path:
    """An untrained model of letters."""
    torch.manual_seed(0)
    vocabulary = Vocabulary.of([TEXT])
    config = LanguageModelConfig(len(vocabulary), embedding_size=16, hidden_size=64)
    path = folder / "letters.safetensors"
    Checkpoint(LanguageModel(config), vocabulary, {}).save(path)
    return path


def measure(arguments: list[str], page: Path) -> tuple[float, float, float]:
    """Seconds of the whole command, of the processors, and the page's size in 10⁶ bytes."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "sluice", "look", *arguments, "--out", str(page)]
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, busy, page.stat().st_size / 1e6


def main() -> None:
    """Measure every row once."""
    report = Report(
        "look",
        "`sluice look`: seconds of the whole command, and the page in 10⁶ bytes",
        ["model", "shown", "seconds", "of processors", "MB"],
        [
            "With the start of Python and torch; beside it the time that all processors were "
            "busy, the steadier figure where a machine does other work besides."
        ],
    )
    with tempfile.TemporaryDirectory() as name:
        folder, tunes = Path(name), str(MODEL)
        letters, text = str(save_small_model(folder)), folder / "text.txt"
        text.write_text(TEXT)
        long = str(find_long_tune(400))
        rows = {
            ("2 × LSTM 512", "first tune"): [tunes, "tunes"],
            ("2 × LSTM 512", "400 steps of a long tune"): [tunes, "tunes", "--sequence", long],
            ("LSTM 64", "10,000 steps of text"): [letters, str(text), "--steps", "10000"],
        }
        for (model, shown), arguments in rows.items():
            seconds, busy, size = measure(arguments, folder / "page.html")
            report.add(model, shown, f"{seconds:.1f}", f"{busy:.1f}", f"{size:.2f}")
    report.keep()


if __name__ == "__main__":
    main()
