"""A recorded pass in chunks of time steps, so that memory holds no more than is recorded."""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.run.recomputation import RunOutput, slice_spec, split_time
from sluice.run.recording.sinks import ChunkableSink, RecordedRunner
from sluice.run.spec import RunSpec

_CHUNK_BYTES = 32 << 20
"""How many bytes of values a chunk has."""


def run_in_chunks(
    spec: RunSpec, runner: RecordedRunner, recording: ChunkableSink | None
) -> RunOutput:
    """``runner(spec, recording=recording)``, in chunks where memory holds only a part of it.

    A pass that trains runs at once: its backward pass needs the values of all steps in any case.
    """
    if recording is None or not recording.in_chunks or spec.needs_grad or len(spec.x) == 0:
        return runner(spec, recording=recording)
    widths = sum(spec.sizes.of(node.width) for node in spec.graph.outputs_by_name.values())
    steps = max(1, _CHUNK_BYTES // max(1, widths * spec.x.shape[1] * spec.x.element_size()))
    states, outputs = spec.states, list[Tensor]()
    for chunk in split_time(spec, steps):
        part = slice_spec(spec, chunk, spec.x[chunk], states)
        y, states = runner(part, recording=recording.for_chunk(part, chunk))
        outputs.append(y)
    return torch.cat(outputs[::-1] if spec.reverse else outputs), states
