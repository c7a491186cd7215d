"""How far generation is, and whether it shall stop."""

from __future__ import annotations

from collections.abc import Callable

from sluice.sequence import GenerationCancelledError

ProgressCallback = Callable[[float], None]
"""Called with the fraction that is done, from 0 to 1, never less than before."""
StopCallback = Callable[[], bool]
"""Asked between two tokens whether to stop."""


class GenerationMonitor:
    """Tells how much of a known amount of work is done, and stops it when asked to.

    The work comes in parts of known sizes, of which each step does some.

    Args:
        total: the sum of all sizes.
        on_progress: called after each step.
        should_stop: asked after each step.
    """

    def __init__(
        self,
        total: int,
        on_progress: ProgressCallback | None = None,
        should_stop: StopCallback | None = None,
    ) -> None:
        self.total, self._done, self._end, self._told = total, 0, 0, -1.0
        self._on_progress, self._should_stop = on_progress, should_stop

    def begin_part(self, size: int) -> None:
        """The parts before are done.

        Raises:
            GenerationCancelledError: it shall stop.
        """
        self._done, self._end = self._end, self._end + size
        self.advance(0)

    def advance(self, amount: int = 1) -> None:
        """So much more of the part is done.

        Raises:
            GenerationCancelledError: it shall stop.
        """
        if self._should_stop is not None and self._should_stop():
            raise GenerationCancelledError("The music was cancelled before it was complete.")
        self._done = min(self._done + amount, self._end)
        self._tell(self._done / self.total)

    def finish(self) -> None:
        """All is done."""
        self._tell(1.0)

    def _tell(self, fraction: float) -> None:
        if self._on_progress is not None and fraction > self._told:
            self._told = fraction
            self._on_progress(fraction)
