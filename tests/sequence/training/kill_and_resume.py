"""Run as a program: a training that is restarted and killed at a random moment until it ends.

python kill_and_resume.py FOLDER SEED: forks trainings that resume in FOLDER until one of them
ends, and runs an uninterrupted one in FOLDER/unbroken; prints how many were killed.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from sluice.sequence import LanguageModel, LanguageModelConfig, TrainingConfig, train
from sluice.sequence.batch import Batch
from sluice.sequence.training import Plateau


@dataclass(frozen=True)
class Stream:
    """Random walks over eight tokens, cut into chunks whose state is carried."""

    chunks: int
    width: int = 4
    stateful: bool = True

    def __len__(self) -> int:
        return self.chunks

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(epoch)
        walks = (
            torch.randint(1, 3, (12 * self.chunks + 1, self.width), generator=generator).cumsum(0)
            % 8
        )
        resets = torch.rand((12 * self.chunks, self.width), generator=generator) < 0.05
        for chunk in range(first, self.chunks):
            here = slice(12 * chunk, 12 * chunk + 12)
            yield Batch(
                walks[here] + 3, walks[12 * chunk + 1 : 12 * chunk + 13] + 3, resets=resets[here]
            )


PLAN = TrainingConfig(
    epochs=3,
    learning_rate=0.02,
    schedule=Plateau(decay=0.7, patience=1),
    bptt=(5, 9),
    accumulation_steps=2,
    ema_decay=0.9,
    validations=7,
    save_steps=1,
)


def model(dropout: float = 0.3) -> LanguageModel:
    torch.manual_seed(1)
    return LanguageModel(
        LanguageModelConfig(11, embedding_size=8, hidden_size=16, num_layers=2, dropout=dropout)
    )


def run(folder: Path) -> None:
    """Resume the training in `folder`; its best weights are saved there."""
    learner = model()
    train(learner, Stream(15), Stream(3), PLAN, folder=folder, resume=True)
    save_file(learner.state_dict(), folder / "end.safetensors")


def _kill_after(folder: Path, after: float, call: str | None = None) -> bool:
    """Whether a training was killed `after` some seconds, or in its fifth `call` of the system."""
    child = os.fork()
    if child == 0:
        signal.alarm(120)
        if call is not None:
            _kill_at(call)
        run(folder)
        os._exit(0)
    if call is None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        raise SystemExit("a training hung")
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit("a training failed")
    return os.WIFSIGNALED(status)


def _kill_at(call: str) -> None:
    real, remaining = getattr(os, call), [5]

    def count(*arguments: object, **options: object) -> object:
        remaining[0] -= 1
        if remaining[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)

    setattr(os, call, count)


def main(folder: Path, seed: int) -> None:
    torch.set_num_threads(1)
    # Slow one-time work, such as compiling the cell's bodies, is done before the first fork.
    run(folder / "unbroken")
    for call in ("fsync", "replace", "unlink"):
        assert _kill_after(folder, 0, call)
    moments, kills, longest = random.Random(seed), 0, 0.1
    while _kill_after(folder, moments.uniform(0.0, longest)):
        kills, longest = kills + 1, longest * 1.5  # so that a slow machine finishes too
    sys.stdout.write(f"{kills}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
