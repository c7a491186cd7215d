"""A stream's step for those who record it: the same numbers once more, with all their names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor

from sluice.equations.graph import Graph
from sluice.nn.batch import States
from sluice.run import cpu, listening
from sluice.run.passes import Pass
from sluice.run.recording import Read, Recording
from sluice.run.steps import Layer


class Runs(Protocol):
    """Runs one layer's step anew."""

    backend: str

    def __call__(self, place: int, job: Pass) -> tuple[Tensor, Read]:
        """The output, ``(1, batch, width)``, and the values of a job of one step."""
        ...


def record_step(
    run: Runs,
    stream: object,
    keys: Sequence[object],
    layers: Sequence[Layer],
    x: Tensor,
    at: States,
) -> None:
    """Leave what the step from the states ``at`` computes with all who listen to ``keys``.

    ``x`` is ``(batch, input)``; ``run`` computes it.
    """
    y = x.unsqueeze(0)
    for place, (layer, states) in enumerate(zip(layers, at, strict=True)):
        takers = [
            (listener, key, want)
            for key in keys
            for listener in listening.listeners(key)
            if (want := listener.wants(key, place)) is not None
        ]
        masks = tuple(y.new_full((1, 1, 1), mask.evaluated) for mask in layer.graph.masks)
        plain = Pass(layer.graph, layer.sizes, y, tuple(states), layer.parameters, masks)
        graph = layer.graph
        for _, _, want in takers:
            graph = want.graph(graph)
        y, read = run(place, replace(plain, graph=graph))
        for listener, key, _ in takers:
            listener.append(key, place, stream, plain, run.backend, read)


class OnKernels:
    """Runs a stream's layers as passes of one step on the kernels, which give the same numbers.

    Weights are packed once, at the first step that is recorded.
    """

    backend = "fused"

    def __init__(self, precision: str) -> None:
        self._precision = precision
        self._packed: dict[tuple[int, Graph], Callable[..., Any]] = {}
        self.last: list[Sequence[Tensor]] = []

    def __call__(self, place: int, job: Pass) -> tuple[Tensor, Read]:
        key = (place, job.graph)
        run: Callable[..., Any] = self._packed.get(key) or cpu.share(job, False, self._precision)
        self._packed[key] = run
        recording = Recording(job, None)
        with torch.no_grad():
            y, last = run(job, recording=recording)
        self.last[place:] = [last]
        return y, recording.value

    def check(self, expected: States) -> None:
        """See that these are the states left. Raises RuntimeError where they are not."""
        for found, own in zip(self.last, expected, strict=True):
            for one, other in zip(found, own, strict=True):
                if not bool(((one == other) | (one.isnan() & other.isnan())).all()):
                    raise RuntimeError(
                        "the layer's weights have changed since this stream took its copy of them, "
                        "so its steps cannot be recorded; call stream.refresh() first"
                    )
