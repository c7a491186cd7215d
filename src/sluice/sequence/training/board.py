"""Curves of a training for TensorBoard."""

from __future__ import annotations

from pathlib import Path

from sluice.extras import MissingExtra
from sluice.sequence.training.progress import Progress


class Board:
    """Writes every step's figures into a folder of TensorBoard's event files.

    Args:
        folder: where they go, beside those of earlier parts of the run.
        steps: where this part begins; what earlier parts wrote beyond is not shown.

    Raises:
        MissingExtra: the library `tensorboard` is not installed.
    """

    def __init__(self, folder: Path, steps: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise MissingExtra("tensorboard", "tensorboard") from None
        self.writer = SummaryWriter(str(folder), purge_step=steps + 1)

    def show(self, progress: Progress) -> None:
        figures = {
            "loss/training": progress.loss,
            "gradient norm": progress.gradient_norm,
            "learning rate": progress.learning_rate,
            "tokens per second": progress.tokens_per_second,
        }
        if progress.validated and progress.validation is not None:
            figures["loss/validation"] = progress.validation
        for name, value in figures.items():
            self.writer.add_scalar(name, value, progress.step)
        if progress.validated:
            self.writer.flush()

    def close(self) -> None:
        self.writer.close()
