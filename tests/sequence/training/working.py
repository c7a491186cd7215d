"""Run by torchrun: two trainings one after the other, in the second of which one process dies.

torchrun working.py FOLDER: leaves in FOLDER each training's best weights, its checkpoints, and what
rank 0 was told of every step, a line of JSON each.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import torch

from sequence.training.killing import PLAN, Stream, model
from sluice.sequence import Outcome, Plan, Progress, train
from sluice.sequence.batch import Source
from sluice.sequence.batches import Bucketed
from sluice.sequence.training.processes import joined, restarts

# Three sequences for two processes; and at an epoch's end one sequence for the two.
WALKS = Bucketed([[3 + (a * b) % 8 for b in range(3 + a % 5)] for a in range(1, 29)], 9, seed=0)
TRAININGS: dict[str, tuple[Source, Source, Plan]] = {
    "whole": (WALKS, WALKS, replace(PLAN, epochs=2, bptt=None, accumulate=1, average=None)),
    "carried": (Stream(6, width=3), Stream(2, width=3), replace(PLAN, epochs=2, save_steps=4)),
}


def run(name: str, folder: Path, dies_at: int | None = None) -> Outcome:
    training, validation, plan = TRAININGS[name]
    torch.set_num_threads(1)

    def tell(progress: Progress) -> None:
        with (folder / f"{name}.jsonl").open("a") as lines:
            lines.write(json.dumps([progress.step, progress.loss, progress.validation]) + "\n")

    learner, calls = model(dropout=0.0), [0]

    def die(*_: object) -> None:
        calls[0] += 1
        if calls[0] == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    learner.dropout.register_forward_hook(die)
    return train(
        learner, training, validation, plan, folder=folder / name, resume=True, on_progress=tell
    )


if __name__ == "__main__":
    place = Path(sys.argv[1])
    with joined():
        run("whole", place)
        victim = os.environ["RANK"] == "1" and restarts() == 0
        run("carried", place, dies_at=40 if victim else None)
