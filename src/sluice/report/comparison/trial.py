"""One training of a comparison: its learning curve, and how far its gradient reaches."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from math import isfinite

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn
from torch.nn.utils import clip_grad_norm_, get_total_norm

from sluice.cells.cell import Cell
from sluice.insight.measures.norms import compute_norm, compute_total_norm
from sluice.insight.recording.recorder import record
from sluice.nn.recurrent import Recurrent
from sluice.report.comparison.settings import (
    SOLVED,
    VALIDATION_SEQUENCES,
    ComparisonSettings,
    TrialSpec,
)
from sluice.report.tasks import LagTask, TaskBatch
from sluice.run.torch_state import scale_tensors_

_GRADIENT_SEQUENCES = 64
_FORGET_BIAS = 1.0
_MAX_INTERVAL = 40
"""Updates between two judgements at most; of short runs a thirtieth."""


@dataclass(frozen=True)
class TrialResult:
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
    def spec(self) -> TrialSpec:
        """Which one it was."""
        return TrialSpec(self.cell, self.lag, self.seed, self.rate)

    def to_dict(self) -> dict[str, object]:
        """All of it."""
        return asdict(self)


class ReadoutModel(nn.Module):
    """A recurrent layer and a linear readout of its output at every step."""

    def __init__(self, cell: Cell, settings: ComparisonSettings, spec: TrialSpec) -> None:
        super().__init__()
        sizes = settings.sizes(spec.cell)
        begins = gate_init_options(cell, settings.start, spec.lag)
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


def gate_init_options(cell: Cell, start: str, lag: int) -> dict[str, float]:
    """How the gate that keeps the state begins; nothing for a cell without such a gate or bias."""
    biased = {gate for stack in cell.graph.stacks for gate, _ in stack.gates_with_bias}
    if (
        start == "plain"
        or cell.forget_gate_name not in biased
        or (cell.input_gate_name and cell.input_gate_name not in biased)
    ):
        return {}
    return {"chrono": float(max(2, lag))} if start == "chrono" else {"forget_bias": _FORGET_BIAS}


def fingerprint(cell: Cell) -> str:
    """Tells a cell's equations from others of the same name."""
    return sha256(cell.text.encode()).hexdigest()[:12]


def measure_gradient_norms(
    model: ReadoutModel, task: LagTask, batch: TaskBatch
) -> NDArray[np.float64]:
    """‖∂L/∂s_t‖ at every step, ``(time,)``: mean over sequences, greatest of the cell's states."""
    with record(model) as tape:
        task.loss(model(batch.inputs), batch.targets).backward()
    model.zero_grad()
    gradient = tape.layer(0).gradient
    norms = [compute_norm(gradient[s.name]) for s in model.layer.cell.graph.states]
    found: NDArray[np.float64] = torch.stack(norms).mean(dim=-1).amax(dim=0).numpy()
    return np.nan_to_num(found * batch.inputs.shape[1], nan=0.0, posinf=0.0)


@dataclass
class Trial:
    """One training in progress."""

    settings: ComparisonSettings
    spec: TrialSpec

    def __post_init__(self) -> None:
        task, job = self.settings.task, self.spec
        self.start_time = time.monotonic()
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(job.seed)
            self.model = ReadoutModel(self.settings.cells[job.cell], self.settings, job)
        self.generator = _build_generator(job, "training")
        self.validation_batch = task.draw(
            job.lag, VALIDATION_SEQUENCES, _build_generator(job, "judging")
        )
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=job.rate, fused=True)
        self.arrives: list[float] = []
        self.updates: list[int] = []
        self.losses: list[float] = []
        self.scores: list[float] = []
        self._validate(0)
        self.before = self.gradient_norms

    def run(self, on_validation: Callable[[Trial], None], stop: Callable[[], bool]) -> bool:
        """Train until the task is solved or the updates are spent; False where ``stop`` says so."""
        every = max(1, min(_MAX_INTERVAL, self.settings.steps // 30))
        on_validation(self)
        for update in range(1, self.settings.steps + 1):
            if stop():
                return False
            self._update()
            if update % every == 0 or update == self.settings.steps:
                self._validate(update)
                on_validation(self)
                if self.is_solved or not isfinite(self.losses[-1]):
                    break
        return True

    @property
    def is_solved(self) -> bool:
        """Whether the task was solved at the last validation."""
        return self.scores[-1] >= SOLVED

    def result(self) -> TrialResult:
        """The result."""
        sizes = self.settings.sizes(self.spec.cell)
        return TrialResult(
            **self.spec._asdict(),
            hidden=sizes.hidden,
            parameters=sum(p.numel() for p in self.model.parameters()),
            equations=fingerprint(self.settings.cells[self.spec.cell]),
            updates=self.updates,
            losses=_to_json(self.losses),
            scores=_to_json(self.scores),
            arrives=_to_json(self.arrives),
            before=self.before.tolist(),
            after=self.gradient_norms.tolist(),
            solved=self.updates[-1] if self.is_solved else None,
            seconds=time.monotonic() - self.start_time,
        )

    def _update(self) -> None:
        drawn = self.settings.task.draw(self.spec.lag, self.settings.batch, self.generator)
        self.optimizer.zero_grad()
        torch.autograd.backward(self.settings.task.loss(self.model(drawn.inputs), drawn.targets))
        gradients = [one.grad for one in self.model.parameters() if one.grad is not None]
        if not bool(get_total_norm(gradients).isfinite()):  # its squares may be infinite alone
            scale_tensors_(gradients, 1.0 / compute_total_norm(gradients))
        clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()

    def _validate(self, update: int) -> None:
        task, judged = self.settings.task, self.validation_batch
        with torch.no_grad():
            answered = self.model(judged.inputs)
        self.updates.append(update)
        self.losses.append(float(task.loss(answered, judged.targets)))
        self.scores.append(task.score(answered, judged.targets))
        some = TaskBatch(
            judged.inputs[:, :_GRADIENT_SEQUENCES], judged.targets[:, :_GRADIENT_SEQUENCES]
        )
        self.gradient_norms = measure_gradient_norms(self.model, task, some)
        self.arrives.append(_compute_ratio(self.gradient_norms))


def _build_generator(spec: TrialSpec, purpose: str) -> Generator:
    """Random numbers for a lag and a seed: the same sequences for every cell and rate."""
    digest = sha256(f"{purpose} {spec.lag} {spec.seed}".encode()).digest()
    return Generator().manual_seed(int.from_bytes(digest[:6], "big"))


def _compute_ratio(norms: NDArray[np.float64]) -> float:
    return float(norms[0] / norms[-1]) if norms[-1] > 0 else float("nan")


def _to_json(values: list[float]) -> list[float | None]:
    return [value if isfinite(value) else None for value in values]
