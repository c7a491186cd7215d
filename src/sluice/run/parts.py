"""A recorded pass some steps at a time, so that no more is in memory than is to be kept."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sluice.run.passes import Pass
from sluice.run.recording import Company, Recording
from sluice.run.segments import Found, cut, segment

_AT_ONCE = 32 << 20
"""How many bytes of values a part leaves at a time."""


def run(job: Pass, plain: Callable[..., Found], recording: Recording | Company | None) -> Found:
    """``plain(job, recording=recording)``, in parts where not all of it is kept in memory.

    A pass that trains is run at once: its way back needs the values of all steps in any case.
    """
    if recording is None or not recording.in_parts or job.trains or len(job.x) == 0:
        return plain(job, recording=recording)
    widths = sum(job.sizes.of(node.width) for node in job.graph.named.values())
    steps = max(1, _AT_ONCE // max(1, widths * job.x.shape[1] * job.x.element_size()))
    states, outputs = job.states, list[Tensor]()
    for at in cut(job, steps):
        piece = segment(job, at, job.x[at], states)
        parts = recording.parts(piece, at)
        y, states = plain(piece, recording=Company(parts))
        outputs.append(y)
    return torch.cat(outputs[::-1] if job.reverse else outputs), states
