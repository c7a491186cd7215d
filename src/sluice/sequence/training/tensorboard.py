"""Training curves for TensorBoard."""

from __future__ import annotations

from sluice.extras import MissingExtraError
from sluice.files import StrPath
from sluice.sequence.training.progress import Progress


class TensorBoardWriter:
    """Writes the numbers of every step to TensorBoard's event files.

    Args:
        folder: for the files; those of earlier parts of the run stay.
        steps: the step at which this part starts; later steps of earlier parts are hidden.

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
        """Write one step."""
        scalars = {
            "loss/training": progress.loss,
            "gradient norm": progress.gradient_norm,
            "learning rate": progress.learning_rate,
            "tokens per second": progress.tokens_per_second,
        }
        if progress.has_new_validation and progress.validation_loss is not None:
            scalars["loss/validation"] = progress.validation_loss
        for name, value in scalars.items():
            self.writer.add_scalar(name, value, progress.step)
        if progress.has_new_validation:
            self.writer.flush()

    def close(self) -> None:
        """Flush and close the files."""
        self.writer.close()
