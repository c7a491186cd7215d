"""The recording of a stream's step: the step runs again, on a graph that names every value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from sluice.equations.graph import Graph
from sluice.nn.batch import States
from sluice.run.kernels import fused
from sluice.run.kernels.stepper import LayerWeights
from sluice.run.recording import recorders
from sluice.run.recording.recorded_pass import Recording
from sluice.run.recording.sinks import RecordedRunner, ValueReader
from sluice.run.spec import RunSpec


class StepRunner(Protocol):
    """Runs one layer's step again."""

    @property
    def backend(self) -> str:
        """The backend that runs, ``"fused"`` or ``"reference"``."""
        ...

    def __call__(self, place: int, spec: RunSpec) -> tuple[Tensor, ValueReader]:
        """The output of a pass of one step, ``(1, batch, width)``, and its named values."""
        ...


def record_step(
    runner: StepRunner,
    stream: object,
    keys: Sequence[object],
    layers: Sequence[LayerWeights],
    x: Tensor,
    initial_states: States,
    inputs: Sequence[Tensor],
) -> None:
    """Deliver the step from ``initial_states`` to all recorders of any of ``keys``.

    ``x`` is ``(batch, input)``, as are ``inputs``; ``runner`` runs the step layer by layer.
    """
    y = x.unsqueeze(0)
    for place, (layer, states) in enumerate(zip(layers, initial_states, strict=True)):
        found = [(key, *one) for key in keys for one in recorders.find_record_specs(key, place)]
        masks = tuple(y.new_full((1, 1, 1), mask.eval_value) for mask in layer.graph.masks)
        plain = RunSpec(
            layer.graph,
            layer.sizes,
            y,
            tuple(states),
            layer.parameters,
            masks,
            inputs=tuple(one.unsqueeze(0) for one in inputs),
        )
        graph = layer.graph
        for _, _, record_spec in found:
            graph = record_spec.instrument(graph)
        y, read = runner(place, replace(plain, graph=graph))
        for key, recorder, _ in found:
            recorder.on_stream_step(key, place, stream, plain, runner.backend, read)


class FusedStepRunner:
    """Runs a stream's layers as passes of one step on the kernels, which give the same numbers.

    Weights are packed once, at the first step that is recorded.
    """

    backend = "fused"

    def __init__(self, precision: str) -> None:
        self._precision = precision
        self._runners: dict[tuple[int, Graph], RecordedRunner] = {}
        self.last_states: list[Sequence[Tensor]] = []

    def __call__(self, place: int, spec: RunSpec) -> tuple[Tensor, ValueReader]:
        key = (place, spec.graph)
        if key not in self._runners:
            self._runners[key] = fused.make_runner(spec, False, self._precision)
        recording = Recording(spec, None)
        with torch.no_grad():
            y, last = self._runners[key](spec, recording=recording)
        self.last_states[place:] = [last]
        return y, recording.value

    def check_states(self, expected: States) -> None:
        """Raises RuntimeError if the recorded step reached other states than ``expected``."""
        for found, own in zip(self.last_states, expected, strict=True):
            for one, other in zip(found, own, strict=True):
                if not bool(((one == other) | (one.isnan() & other.isnan())).all()):
                    raise RuntimeError(
                        "the layer's weights have changed since this stream took its copy of them, "
                        "so its steps cannot be recorded; call stream.refresh() first"
                    )
