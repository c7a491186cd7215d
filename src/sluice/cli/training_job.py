"""What there is to train: data that was read, and a model for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from rich.console import Group

if TYPE_CHECKING:
    from torch import nn

    from sluice.insight import Monitor
    from sluice.sequence import Progress, TrainingConfig, TrainingResult

RefuseUnused = Callable[[str], None]
"""Refuses the options on the command line that do not apply to a situation of `usage.USES`."""


MonitorFactory: TypeAlias = "Callable[[nn.Module], Monitor]"
"""Makes what looks into a model while it is trained."""


class TrainFunction(Protocol):
    """`sluice.sequence.train` with everything but its surroundings decided."""

    def __call__(
        self,
        *,
        folder: Path,
        resume: bool,
        tensorboard: bool,
        monitor: MonitorFactory | None,
        on_progress: Callable[[Progress], None],
    ) -> TrainingResult: ...


@dataclass(frozen=True)
class TrainingJob:
    """Data that was read, and a model for it, not yet trained.

    Attributes:
        report: what was read, as text.
        config: how the model will be trained.
        loss_unit: the unit of the losses.
        train: trains the model and writes the best weights.
        sample: generates text with the best weights, after each validation.
        fingerprint: of the data.
        figures: tables of the trained model's metrics, beside naive ones.
        suggestion: what to do with the model, and how; empty for none.
    """

    report: str
    config: TrainingConfig
    loss_unit: str
    train: TrainFunction
    fingerprint: str
    sample: Callable[[], str] | None = None
    figures: Callable[[], Group] | None = None
    suggestion: str = ""
