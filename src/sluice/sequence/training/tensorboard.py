"""Curves of a training for TensorBoard."""

from __future__ import annotations

from sluice.extras import MissingExtraError
from sluice.files import StrPath
from sluice.sequence.training.progress import Progress


class TensorBoardWriter:
    """Writes every step's figures into a folder of TensorBoard's event files.

    Args:
        folder: where they go, beside those of earlier parts of the run.
        steps: where this part begins; what earlier parts wrote beyond is not shown.

    Raises:
        MissingExtraError: the library `tensorboard` is not installed.
    """

    def __init__(self, folder: StrPath, steps: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise MissingExtraError("tensorboard", "tensorboard") from None
        self.writer = SummaryWriter(str(folder), purge_step=steps + 1)

    def write(self, progress: Progress) -> None:
        figures = {
            "loss/training": progress.loss,
            "gradient norm": progress.gradient_norm,
            "learning rate": progress.learning_rate,
            "tokens per second": progress.tokens_per_second,
        }
        if progress.has_new_validation and progress.validation_loss is not None:
            figures["loss/validation"] = progress.validation_loss
        for name, value in figures.items():
            self.writer.add_scalar(name, value, progress.step)
        if progress.has_new_validation:
            self.writer.flush()

    def close(self) -> None:
        self.writer.close()
