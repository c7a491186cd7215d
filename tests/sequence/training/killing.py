"""Run as a program: a training begun again and again, each time killed at a random moment.

python killing.py FOLDER SEED: forks trainings that go on in FOLDER until one of them ends; prints
how many were killed, and how many of those inside a checkpoint's writing.
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

from sluice.sequence import LanguageModel, ModelConfig, Plan, Progress, train
from sluice.sequence.batch import Batch
from sluice.sequence.training import Plateau


@dataclass(frozen=True)
class Stream:
    """Random walks over eight tokens, cut into chunks whose state is carried."""

    chunks: int
    carries: bool = True

    def __len__(self) -> int:
        return self.chunks

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(epoch)
        walks = torch.randint(1, 3, (12 * self.chunks + 1, 4), generator=generator).cumsum(0) % 8
        resets = torch.rand((12 * self.chunks, 4), generator=generator) < 0.05
        for chunk in range(first, self.chunks):
            here = slice(12 * chunk, 12 * chunk + 12)
            yield Batch(
                walks[here] + 3, walks[12 * chunk + 1 : 12 * chunk + 13] + 3, resets=resets[here]
            )


PLAN = Plan(
    epochs=3,
    learning_rate=0.02,
    schedule=Plateau(decay=0.7, patience=1),
    bptt=(5, 9),
    accumulate=2,
    average=0.9,
    validations=7,
    save_steps=1,
)


class Recurrent(LanguageModel):
    """A language model that heeds resets, and drops out between its layers."""

    def forward(self, tokens, state=None, resets=None):  # type: ignore[no-untyped-def]
        hidden, state = self.layers(self.embedding(tokens), state, resets=resets)
        return self.readout(self.dropout(hidden)), state

    def loss(self, batch, state=None):  # type: ignore[no-untyped-def]
        resets = batch.resets
        self.forward, plain = lambda t, s: Recurrent.forward(self, t, s, resets), self.forward
        try:
            return super().loss(batch, state)
        finally:
            self.forward = plain


def model() -> Recurrent:
    torch.manual_seed(1)
    return Recurrent(ModelConfig(11, embedding_size=8, hidden_size=16, num_layers=2, dropout=0.3))


def run(folder: Path, report: object = None) -> None:
    """Go on with the training in `folder`; its last weights and figures are left there."""
    learner = model()
    told: list[Progress] = []
    outcome = train(
        learner, Stream(15), Stream(3), PLAN, folder=folder, resume=True, on_progress=told.append
    )
    last = {"validation": torch.tensor(outcome.validation, dtype=torch.float64)}
    if told:
        last["loss"] = torch.tensor(told[-1].loss, dtype=torch.float64)
    save_file({**learner.state_dict(), **last}, folder / "end.safetensors")


def _killed(folder: Path, after: float) -> bool:
    child = os.fork()
    if child == 0:
        run(folder)
        os._exit(0)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit("a training failed")
    return os.WIFSIGNALED(status)


def main(folder: Path, seed: int) -> None:
    torch.set_num_threads(1)
    # What a first step takes long for, compiling the cell's body, is done before the first fork.
    learner = model()
    loss, _ = learner.loss(next(Stream(1).batches(0)))
    loss.total.backward()
    moments, kills, torn = random.Random(seed), 0, 0
    while _killed(folder, moments.uniform(0.0, 0.25)):
        kills += 1
        torn += bool(list(folder.glob(".last-*")))
    print(kills, torn)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
