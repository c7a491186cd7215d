"""Run by torchrun: a training by its name; in that which is carried over, one process dies.

torchrun distributed_run.py FOLDER NAME: writes to FOLDER the training's best weights, its
checkpoints, and the progress of rank 0, one line of JSON a step.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import torch

from sequence.training.kill_and_resume import PLAN, Stream, model
from sluice.sequence import Progress, TrainingConfig, TrainingResult, train
from sluice.sequence.batch import BatchSource
from sluice.sequence.batching.bucketed import BucketBatches
from sluice.sequence.training.processes import count_restarts, join_process_group

# Three sequences for two processes; at the end of an epoch one sequence for both.
WALKS = BucketBatches(
    [[3 + (a * b) % 8 for b in range(3 + a % 5)] for a in range(1, 29)], 9, seed=0
)
TRAININGS: dict[str, tuple[BatchSource, BatchSource, TrainingConfig]] = {
    "whole": (
        WALKS,
        WALKS,
        replace(PLAN, epochs=2, bptt=None, accumulation_steps=1, ema_decay=None),
    ),
    "sparse": (
        WALKS,
        WALKS,
        replace(PLAN, epochs=2, bptt=None, ema_decay=None, sparse_embeddings=True),
    ),
    "carried": (Stream(6, width=3), Stream(2, width=3), replace(PLAN, epochs=2, save_steps=4)),
}


def run(name: str, folder: Path, dies_at: int | None = None) -> TrainingResult:
    training, validation, plan = TRAININGS[name]
    torch.set_num_threads(1)

    def log_progress(progress: Progress) -> None:
        with (folder / f"{name}.jsonl").open("a") as lines:
            lines.write(json.dumps([progress.step, progress.loss, progress.validation_loss]) + "\n")

    learner, calls = model(dropout=0.0), [0]

    def die(*_: object) -> None:
        calls[0] += 1
        if calls[0] == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    learner.dropout.register_forward_hook(die)
    return train(
        learner,
        training,
        validation,
        plan,
        folder=folder / name,
        resume=True,
        on_progress=log_progress,
    )


if __name__ == "__main__":
    place, chosen = Path(sys.argv[1]), sys.argv[2]
    with join_process_group():
        victim = os.environ["RANK"] == "1" and count_restarts() == 0
        run(chosen, place, dies_at=40 if victim and chosen == "carried" else None)
