"""A recorded pass some steps at a time, so that no more is in memory than is to be kept."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sluice.run.checkpointing import RunOutput, slice_spec, split_time
from sluice.run.recording.recorded_pass import Recording, RecordingGroup
from sluice.run.spec import RunSpec

_CHUNK_BYTES = 32 << 20
"""How many bytes of values a part leaves at a time."""


def run_in_chunks(
    spec: RunSpec, runner: Callable[..., RunOutput], recording: Recording | RecordingGroup | None
) -> RunOutput:
    """``plain(job, recording=recording)``, in parts where not all of it is kept in memory.

    A pass that trains is run at once: its way back needs the values of all steps in any case.
    """
    if recording is None or not recording.in_chunks or spec.needs_grad or len(spec.x) == 0:
        return runner(spec, recording=recording)
    widths = sum(spec.sizes.of(node.width) for node in spec.graph.outputs_by_name.values())
    steps = max(1, _CHUNK_BYTES // max(1, widths * spec.x.shape[1] * spec.x.element_size()))
    states, outputs = spec.states, list[Tensor]()
    for at in split_time(spec, steps):
        piece = slice_spec(spec, at, spec.x[at], states)
        parts = recording.chunk_recordings(piece, at)
        y, states = runner(piece, recording=RecordingGroup(parts))
        outputs.append(y)
    return torch.cat(outputs[::-1] if spec.reverse else outputs), states
