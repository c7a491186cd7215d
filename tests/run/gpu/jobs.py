"""Random passes in which lengths and resets have an effect, small as the passes are."""

from __future__ import annotations

from itertools import count
from typing import Any

from cell_list import CELLS
from run.cases import draw
from sluice.equations.specs import Sizes
from sluice.run.spec import RunSpec

MARKS: dict[str, Any] = {"lengths": True, "resets": True, "reverse": True}


def draw_job(
    name: str, sizes: Sizes, steps: int, batch: int, seed: int = 0, **options: Any
) -> RunSpec:
    """A pass of a cell. With lengths, a sequence ends early and another does not.

    With resets, a state that is not the first restarts, in the direction of the pass.
    """
    graph = CELLS[name]().graph
    jobs = (draw(graph, sizes, steps, batch, seed=seed + n, **options) for n in count())
    return next(job for job in jobs if _have_lengths_effect(job) and _have_resets_effect(job))


def _have_lengths_effect(job: RunSpec) -> bool:
    if job.lengths is None:
        return True
    steps = job.x.shape[0]
    return bool(((job.lengths > 0) & (job.lengths < steps)).any() and (job.lengths == steps).any())


def _have_resets_effect(job: RunSpec) -> bool:
    if job.reset_mask is None:
        return True
    restarts = job.reset_mask if job.valid_mask is None else job.reset_mask & job.valid_mask.bool()
    later = list(job.steps)[1:]
    return bool(restarts[later].any())
