"""Which parts of the LSTM matter? After Greff et al., "LSTM: A Search Space Odyssey" (2015).

Each variant takes away one part of the LSTM with peepholes. Every one of them is trained with the
same number of random settings (size, learning rate, momentum); what counts is the best tenth of
its losses, as there. The task is the adding problem (Hochreiter & Schmidhuber 1997): of a series
of random numbers two are marked, and the model must predict their sum.

    python examples/cell_search.py OUT      resumes after an interruption
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn

import sluice
from sluice import Cell, Gate, tanh
from sluice import sigmoid as σ
from sluice.cells import CIFG, LSTM, PeepholeLSTM, clamp_gates
from sluice.sequence import TrainingConfig
from sluice.sequence.batch import Batch, Loss
from sluice.sequence.search import SearchTrial, search
from sluice.sequence.training import ConstantRate


class NoInputActivation(Cell):
    """The candidate has no activation."""

    input, forget, candidate, output = Gate(), Gate(), Gate(), Gate()

    def step(self, x: Any, h: Any, c: Any) -> dict[str, Any]:
        c = σ(self.forget(x, h)) * c + σ(self.input(x, h)) * self.candidate(x, h)
        return dict(h=σ(self.output(x, h)) * tanh(c), c=c)


class NoOutputActivation(Cell):
    """The output has no activation."""

    input, forget, candidate, output = Gate(), Gate(), Gate(), Gate()

    def step(self, x: Any, h: Any, c: Any) -> dict[str, Any]:
        c = σ(self.forget(x, h)) * c + σ(self.input(x, h)) * tanh(self.candidate(x, h))
        return dict(h=σ(self.output(x, h)) * c, c=c)


VARIANTS: dict[str, Callable[[], Cell]] = {
    "V    vanilla, with peepholes": PeepholeLSTM,
    "NIG  no input gate": lambda: clamp_gates(PeepholeLSTM, input=1.0),
    "NFG  no forget gate": lambda: clamp_gates(PeepholeLSTM, forget=1.0),
    "NOG  no output gate": lambda: clamp_gates(PeepholeLSTM, output=1.0),
    "NIAF no input activation": NoInputActivation,
    "NOAF no output activation": NoOutputActivation,
    "NP   no peepholes": LSTM,
    "CIFG coupled gates": CIFG,
}


@dataclass(frozen=True)
class Adding:
    """Sixteen series a batch, in `count` batches; new ones in every epoch."""

    count: int
    steps: int
    seed: int
    stateful: bool = False

    def __len__(self) -> int:
        return self.count

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        for number in range(first, self.count):
            generator = torch.Generator().manual_seed(hash((self.seed, epoch, number)) % 2**63)
            values = torch.rand(self.steps, 16, generator=generator)
            marks = torch.zeros(self.steps, 16)
            marks.scatter_(0, torch.rand(self.steps, 16, generator=generator).topk(2, 0)[1], 1.0)
            targets = torch.full((self.steps, 16, 1), torch.nan)
            targets[-1, :, 0] = (values * marks).sum(0)
            yield Batch(torch.stack([values, marks], -1), targets)


class Adder(nn.Module):
    def __init__(self, cell: Cell, hidden: int) -> None:
        super().__init__()
        self.layer = sluice.nn.Recurrent(cell, 2, hidden, output_size=1)

    def loss(self, batch: Batch, state: Any = None) -> tuple[Loss, None]:
        y, _ = self.layer(batch.inputs)
        return Loss((y[-1] - batch.targets[-1]).square().sum(), batch.inputs.shape[1]), None


def search_settings(
    name: str, folder: Path, trials: int, steps: int, updates: int
) -> list[SearchTrial]:
    """Random settings for one variant."""

    def propose(trial: Any) -> tuple[nn.Module, TrainingConfig]:
        hidden = trial.suggest_int("hidden", 8, 48, log=True)
        rate = trial.suggest_float("learning rate", 1e-3, 1.0, log=True)
        momentum = 1 - trial.suggest_float("1 - momentum", 0.01, 1.0, log=True)
        torch.manual_seed(trial.number)
        plan = TrainingConfig(
            steps=updates, optimizer="sgd", learning_rate=rate, momentum=momentum,
            weight_decay=0.0, schedule=ConstantRate(), warmup=0.0, validations=4, seed=trial.number,
        )  # fmt: skip
        return Adder(VARIANTS[name](), hidden), plan

    found = search(
        propose, Adding(updates, steps, seed=0), Adding(8, steps, seed=1),
        trials=trials, folder=folder / name.split()[0], sampler="random", prune=False,
    )  # fmt: skip
    return list(found.trials)


def main(folder: Path, trials: int = 40, steps: int = 30, updates: int = 1500) -> None:
    print(f"Squared error after {updates} updates; guessing the mean gives {1 / 6:.3f}.")
    for name in VARIANTS:
        results = search_settings(name, folder, trials, steps, updates)
        losses = sorted(one.loss for one in results if one.loss is not None)
        tenth = losses[: max(1, len(losses) // 10)]
        print(
            f"{name:30} best {losses[0]:.4f}   best tenth {median(tenth):.4f}   "
            f"median {median(losses):.4f}   diverged {len(results) - len(losses)}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
