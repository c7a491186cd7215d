"""Reports the progress of a training to a callback and to TensorBoard."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from sluice.files import StrPath
from sluice.insight import Observation, write_curves
from sluice.sequence.training.progress import Progress, preserve_rng
from sluice.sequence.training.tensorboard import TensorBoardWriter


class ProgressReporter:
    """Calls back after every step, and writes curves for TensorBoard.

    Used as a context manager, which closes TensorBoard's files.

    Args:
        on_progress: called after every step; None in processes that do not report.
        curves: the folder for TensorBoard's files, if they are wanted.
        steps: the steps that are done already.

    Raises:
        MissingExtraError: curves without the library tensorboard.
    """

    def __init__(
        self, on_progress: Callable[[Progress], None] | None, curves: StrPath | None, steps: int
    ) -> None:
        self._callbacks = [] if on_progress is None else [on_progress]
        self._exit_stack = ExitStack()
        self._board: TensorBoardWriter | None = None
        if curves is not None:
            self._board = board = TensorBoardWriter(curves, steps)
            self._callbacks.insert(0, board.write)  # on_progress may ask to stop
            self._exit_stack.callback(board.close)

    def __enter__(self) -> ProgressReporter:
        return self

    def __exit__(self, *error: object) -> None:
        self._exit_stack.close()

    def report_observation(self, observation: Observation) -> None:
        """Write what a monitor saw to TensorBoard, if that is on."""
        if self._board is not None:
            write_curves(self._board.writer, observation)

    def report(self, progress: Progress) -> None:
        """Call back; what is called does not change the random numbers of training."""
        with preserve_rng():
            for show in self._callbacks:
                show(progress)
