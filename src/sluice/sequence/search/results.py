"""The trials of a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sluice.sequence.errors import SequenceError

TrialStatus = Literal["complete", "pruned", "diverged"]


@dataclass(frozen=True)
class SearchTrial:
    """One training of a search.

    Attributes:
        number: of the trial, from 0; numbers of interrupted trials are missing.
        settings: what was proposed, by name.
        loss: the lowest validation loss; None without one.
        status: how it ended.
        seconds: how long it took.
        worker: the process that ran it, as `host:pid`.
    """

    number: int
    settings: Mapping[str, object]
    loss: float | None
    status: TrialStatus
    seconds: float = 0.0
    worker: str = ""


@dataclass(frozen=True)
class SearchResult:
    """The trials of a search that have ended, in order, and how many others run elsewhere."""

    trials: tuple[SearchTrial, ...]
    running_elsewhere: int = 0

    @property
    def best(self) -> SearchTrial:
        """The complete training with the lowest validation loss.

        Raises:
            SequenceError: no training is complete.
        """
        complete = [one for one in self.trials if one.status == "complete" and one.loss is not None]
        if not complete:
            raise SequenceError("No training of this search is complete; run more trials.")
        return min(complete, key=lambda one: one.loss or 0.0)
