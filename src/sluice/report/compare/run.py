"""One training of a comparison: its learning curve, and how far its gradient reaches."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from math import isfinite
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn
from torch.nn.utils import clip_grad_norm_

from sluice.cells.cell import Cell
from sluice.insight.recording import record
from sluice.nn.recurrent import Recurrent
from sluice.report.compare.settings import JUDGED, SOLVED, Job, Settings
from sluice.report.tasks import Drawn, Task

_FLOW = 64
_FORGET_BIAS = 1.0
_OFTEN = 40
"""Updates between two judgements at most; of short runs a thirtieth."""


@dataclass(frozen=True)
class Run:
    """What one training gave; lists so that it is JSON as it stands.

    Attributes:
        cell, lag, seed, rate: which one it was.
        hidden, parameters: the width of its layer; all its parameters, the readout's included.
        equations: a fingerprint of the cell's equations.
        updates: after how many updates it was judged, the first time before any.
        losses, scores: on sequences never trained on; None where they are not finite.
        arrives: the gradient's norm at the first step as a share of that at the last.
        before, after: ‖∂L/∂s_t‖ at every step, before the first update and after the last: the
            mean over sequences, of the state s of the cell at which it is greatest.
        solved: after how many updates it solved the task, or None.
        seconds: how long it took.
    """

    cell: str
    lag: int
    seed: int
    rate: float
    hidden: int
    parameters: int
    equations: str
    updates: list[int]
    losses: list[float | None]
    scores: list[float | None]
    arrives: list[float | None]
    before: list[float]
    after: list[float]
    solved: int | None
    seconds: float

    @property
    def job(self) -> Job:
        """Which one it was."""
        return Job(self.cell, self.lag, self.seed, self.rate)

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


class Reader(nn.Module):
    """A recurrent layer and a linear readout of its output at every step."""

    def __init__(self, cell: Cell, settings: Settings, job: Job) -> None:
        super().__init__()
        sizes = settings.sizes(job.cell)
        begins = beginning(cell, settings.start, job.lag)
        self.layer = Recurrent(
            cell,
            sizes.input,
            sizes.hidden,
            proj_size=sizes.projection,
            forget_bias=begins.get("forget_bias"),
            chrono=begins.get("chrono"),
        )
        self.readout = nn.Linear(self.layer.output_features, settings.task.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """``(time, batch, features)`` to ``(time, batch, outputs)``."""
        answered: Tensor = self.readout(self.layer(x)[0])
        return answered


def beginning(cell: Cell, start: str, lag: int) -> dict[str, float]:
    """How the gate that keeps the state begins; nothing for a cell without such a gate or bias."""
    biased = {gate for stack in cell.graph.stacks if stack.bias for gate, _ in stack.gates}
    if start == "plain" or cell.keeps not in biased or (cell.writes and cell.writes not in biased):
        return {}
    return {"chrono": float(max(2, lag))} if start == "chrono" else {"forget_bias": _FORGET_BIAS}


def fingerprint(cell: Cell) -> str:
    """Tells a cell's equations from others of the same name."""
    return sha256(cell.text.encode()).hexdigest()[:12]


def flow(model: Reader, task: Task, drawn: Drawn) -> NDArray[np.float64]:
    """‖∂L/∂s_t‖ at every step, ``(time,)``: mean over sequences, greatest of the cell's states."""
    with record(model) as tape:
        task.loss(model(drawn.inputs), drawn.targets).backward()
    model.zero_grad()
    gradient = tape.layer(0).gradient
    # In float64: the square of a vanishing float32 is zero.
    norms = [gradient[s.name].double().norm(dim=-1) for s in model.layer.cell.graph.states]
    found: NDArray[np.float64] = torch.stack(norms).mean(dim=-1).amax(dim=0).numpy()
    return np.nan_to_num(found * drawn.inputs.shape[1], nan=0.0, posinf=0.0)


@dataclass
class Training:
    """One training as it goes."""

    settings: Settings
    job: Job

    def __post_init__(self) -> None:
        task, job = self.settings.task, self.job
        self.started = time.monotonic()
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(job.seed)
            self.model = Reader(self.settings.cells[job.cell], self.settings, job)
        self.generator = _generator(job, "training")
        self.judged = task.draw(job.lag, JUDGED, _generator(job, "judging"))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=job.rate, fused=True)
        self.arrives: list[float] = []
        self.updates: list[int] = []
        self.losses: list[float] = []
        self.scores: list[float] = []
        self._judge(0)
        self.before = self.flow

    def to_the_end(self, on_judged: Callable[[Training], None], stop: Callable[[], bool]) -> bool:
        """Train until the task is solved or the updates are spent; False where ``stop`` says so."""
        every = max(1, min(_OFTEN, self.settings.steps // 30))
        on_judged(self)
        for update in range(1, self.settings.steps + 1):
            if stop():
                return False
            self._update()
            if update % every == 0 or update == self.settings.steps:
                self._judge(update)
                on_judged(self)
                if self.solved or not isfinite(self.losses[-1]):
                    break
        return True

    @property
    def solved(self) -> bool:
        """Whether the last judgement was that the task is solved."""
        return self.scores[-1] >= SOLVED

    def result(self) -> Run:
        """What came out."""
        sizes = self.settings.sizes(self.job.cell)
        return Run(
            **self.job._asdict(),
            hidden=sizes.hidden,
            parameters=sum(p.numel() for p in self.model.parameters()),
            equations=fingerprint(self.settings.cells[self.job.cell]),
            updates=self.updates,
            losses=_json(self.losses),
            scores=_json(self.scores),
            arrives=_json(self.arrives),
            before=self.before.tolist(),
            after=self.flow.tolist(),
            solved=self.updates[-1] if self.solved else None,
            seconds=time.monotonic() - self.started,
        )

    def _update(self) -> None:
        drawn = self.settings.task.draw(self.job.lag, self.settings.batch, self.generator)
        self.optimizer.zero_grad()
        torch.autograd.backward(self.settings.task.loss(self.model(drawn.inputs), drawn.targets))
        clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()

    def _judge(self, update: int) -> None:
        task, judged = self.settings.task, self.judged
        with torch.no_grad():
            answered = self.model(judged.inputs)
        self.updates.append(update)
        self.losses.append(float(task.loss(answered, judged.targets)))
        self.scores.append(task.score(answered, judged.targets))
        some = Drawn(judged.inputs[:, :_FLOW], judged.targets[:, :_FLOW])
        self.flow = flow(self.model, task, some)
        self.arrives.append(_share(self.flow))


def _generator(job: Job, purpose: str) -> Generator:
    """Random numbers for a lag and a seed: the same sequences for every cell and rate."""
    digest = sha256(f"{purpose} {job.lag} {job.seed}".encode()).digest()
    return Generator().manual_seed(int.from_bytes(digest[:6], "big"))


def _share(norms: NDArray[np.float64]) -> float:
    return float(norms[0] / norms[-1]) if norms[-1] > 0 else float("nan")


def _json(values: list[float]) -> list[float | None]:
    return [value if isfinite(value) else None for value in values]
