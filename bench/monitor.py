"""What `sluice.insight.Monitor` costs: whole training steps with it and without, by turns.

    python bench/monitor.py [SECONDS [ROW ...]]

Everything is at its default: the models, batches and optimizer of `sluice train` on a text (that of
this documentation) and on the folk tunes, one thread, and the monitor with a journal. Two models
with the same weights and data are trained step by step in turns, so that a machine that slows down
does so for both; a row takes `SECONDS` (default 45). What it costs is the difference of the two
sums of seconds, beside the shares that the monitor itself reports. The first observed step, which
compiles what records derivatives, is told apart.
"""

from __future__ import annotations

import copy
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from paired import Report
from torch import nn

from sluice import sequence
from sluice.insight import Monitor
from sluice.sequence import BatchSource, BucketBatches, TrainingConfig, Vocabulary
from sluice.sequence.training.processes import ProcessGroup
from sluice.sequence.training.truncation import Chunk, DataPosition, split_into_chunks
from sluice.sequence.training.update import Updater

ROOT = Path(__file__).parents[1]
CONFIG = TrainingConfig(seconds=1.0)
Case = tuple[nn.Module, BatchSource, TrainingConfig]


def make_text(folder: Path) -> Case:
    """What `sluice train book.txt` trains."""
    (folder / "book.txt").write_text(
        "\n".join(page.read_text() for page in sorted((ROOT / "docs").rglob("*.md")))
    )
    task = sequence.make_task(sequence.load_data(folder / "book.txt"), seed=0)
    return task.model, task.training, CONFIG


def make_tunes(_: Path) -> Case:
    """What `sluice train tunes` trains."""
    from sluice.tunes.composition import training

    prepared, shape = training.prepare_dataset(), training.QUICK_CONFIG
    tunes = training.tokenize(
        prepared.split.training, training.choose_model_tokens(prepared.split.training, None)
    )
    vocabulary = Vocabulary.of(tunes)
    model = training._make_model(len(vocabulary), shape)
    batches = BucketBatches([vocabulary.encode(one) for one in tunes], shape.batch_size, 0)
    return model, batches, training.make_training_config(seconds=1.0)


CASES: dict[str, Callable[[Path], Case]] = {"text": make_text, "tunes": make_tunes}


def iterate_chunks(source: BatchSource) -> Iterator[Chunk]:
    epoch = 0
    while True:
        yield from split_into_chunks(source, None, DataPosition(epoch), ProcessGroup())
        epoch += 1


class Trainee:
    """A model that takes one step after another, and the seconds of each."""

    def __init__(self, case: Case, monitor: Monitor | None) -> None:
        model, source, config = case
        self.updater = Updater(model, config, ProcessGroup())
        self.rate, self.monitor = config.learning_rate, monitor
        self.chunks, self.seconds = iterate_chunks(source), list[float]()

    def step(self) -> None:
        chunk = next(self.chunks)
        torch.manual_seed(len(self.seconds))  # the same dropout for both
        started = time.perf_counter()
        observe = self.monitor.observe if self.monitor else None
        self.updater.update([chunk], self.rate, time.monotonic, observe)
        self.seconds.append(time.perf_counter() - started)


def measure(name: str, seconds: float, report: Report) -> None:
    """Train for so long and add a row."""
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        model, source, config = CASES[name](Path(folder))
        twin = copy.deepcopy(model)
        make_monitor = partial(Monitor, journal=Path(folder) / "monitor.jsonl", on_message=print)
        monitor = make_monitor(twin)
        plain = Trainee((model.train(), source, config), None)
        watched = Trainee((twin.train(), source, config), monitor)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for one in (plain, watched) if len(plain.seconds) % 2 else (watched, plain):
                one.step()
        same = all(
            torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True)
        )
        assert same, "the monitor has changed the training"
        add_row(name, plain.seconds[2:], watched.seconds[2:], monitor, report)


def add_row(
    name: str, plain: list[float], watched: list[float], monitor: Monitor, report: Report
) -> None:
    """Add the sums of both, without the first two steps."""
    cost, count = monitor.cost, len(plain)
    total = sum(watched) - cost.setup
    report.add(
        name,
        f"{count}",
        f"{len(monitor.observations)}",
        f"{1e3 * sum(plain) / count:.1f}",
        f"{1e3 * total / count:.1f}",
        f"{100 * (total / sum(plain) - 1):.1f}",
        f"{100 * cost.share:.1f}",
        f"{1e3 * cost.setup:.0f}",
    )


def main(seconds: float = 45.0, chosen: list[str] | None = None) -> None:
    torch.set_num_threads(1)
    report = Report(
        "monitor",
        "Training steps watched by a `Monitor`: milliseconds, and what it costs in percent",
        [
            "model",
            "steps",
            "observed",
            "plain",
            "watched",
            "cost %",
            "by its own count %",
            "setup ms",
        ],
        [
            "Whole steps of `sluice train` at its defaults, with and without a monitor by turns; "
            "both end with the same weights, bit for bit. `cost %` compares the sums of all steps; "
            "`by its own count %` is the time beyond a usual step in those observed, as a share "
            "of all forward and backward passes. The monitor's budget is 2 %, and ten seconds' "
            "share in advance, which weighs less the longer a training is. The first observed "
            "step compiles; what it took beyond another is in the last column, in no other.",
        ],
    )
    for name in chosen or list(CASES):
        measure(name, seconds, report)
    report.keep(merge=1)


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else 45.0, sys.argv[2:])
