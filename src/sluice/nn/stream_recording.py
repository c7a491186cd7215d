"""A stream's step for those who record it: the same numbers once more, with all their names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor

from sluice.equations.graph import Graph
from sluice.nn.batch import States
from sluice.run.kernels import fused
from sluice.run.kernels.stepper import LayerWeights
from sluice.run.recording import recorders
from sluice.run.recording.recorded_pass import Recording, ValueReader
from sluice.run.spec import RunSpec


class StepRunner(Protocol):
    """Runs one layer's step anew."""

    backend: str

    def __call__(self, place: int, spec: RunSpec) -> tuple[Tensor, ValueReader]:
        """The output, ``(1, batch, width)``, and the values of a job of one step."""
        ...


def record_step(
    runner: StepRunner,
    stream: object,
    keys: Sequence[object],
    layers: Sequence[LayerWeights],
    x: Tensor,
    initial_states: States,
) -> None:
    """Leave what the step from the states ``at`` computes with all who listen to ``keys``.

    ``x`` is ``(batch, input)``; ``run`` computes it.
    """
    y = x.unsqueeze(0)
    for place, (layer, states) in enumerate(zip(layers, initial_states, strict=True)):
        takers = [
            (listener, key, want)
            for key in keys
            for listener in recorders.find_recorders(key)
            if (want := listener.spec_for(key, place)) is not None
        ]
        masks = tuple(y.new_full((1, 1, 1), mask.eval_value) for mask in layer.graph.masks)
        plain = RunSpec(layer.graph, layer.sizes, y, tuple(states), layer.parameters, masks)
        graph = layer.graph
        for _, _, want in takers:
            graph = want.instrument(graph)
        y, read = runner(place, replace(plain, graph=graph))
        for listener, key, _ in takers:
            listener.on_stream_step(key, place, stream, plain, runner.backend, read)


class FusedStepRunner:
    """Runs a stream's layers as passes of one step on the kernels, which give the same numbers.

    Weights are packed once, at the first step that is recorded.
    """

    backend = "fused"

    def __init__(self, precision: str) -> None:
        self._precision = precision
        self._runners: dict[tuple[int, Graph], Callable[..., Any]] = {}
        self.last_states: list[Sequence[Tensor]] = []

    def __call__(self, place: int, spec: RunSpec) -> tuple[Tensor, ValueReader]:
        key = (place, spec.graph)
        run: Callable[..., Any] = self._runners.get(key) or fused.make_runner(
            spec, False, self._precision
        )
        self._runners[key] = run
        recording = Recording(spec, None)
        with torch.no_grad():
            y, last = run(spec, recording=recording)
        self.last_states[place:] = [last]
        return y, recording.value

    def check_states(self, expected: States) -> None:
        """See that these are the states left. Raises RuntimeError where they are not."""
        for found, own in zip(self.last_states, expected, strict=True):
            for one, other in zip(found, own, strict=True):
                if not bool(((one == other) | (one.isnan() & other.isnan())).all()):
                    raise RuntimeError(
                        "the layer's weights have changed since this stream took its copy of them, "
                        "so its steps cannot be recorded; call stream.refresh() first"
                    )
