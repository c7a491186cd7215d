"""The recording of a stream: named values, one time step after another."""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.equations.graph import Graph
from sluice.run.recording.record_spec import RecordSpec
from sluice.run.recording.sinks import ValueReader, WeakSink


class StreamRecording:
    """The named values of a stream's steps; each step is delivered as a pass of one time step.

    Attributes:
        stream: The stream whose steps these are.
        graph, names, backend, every: As of a `Recording`.
    """

    has_gradients = reverse = False
    backward_count = 0

    def __init__(self, stream: object, graph: Graph, record_spec: RecordSpec) -> None:
        self.stream, self.graph, self.backend = stream, graph, ""
        self.names, self.every = record_spec.select_names(graph), record_spec.every
        self._count, self._rows = 0, {name: list[Tensor]() for name in self.names}

    def on_forward(self, backend: str, read: ValueReader, needs_grad: bool) -> None:
        """The next step is done; its values are ``(1, batch, width)``."""
        self.backend = backend
        if self._count % self.every == 0:
            for name, rows in self._rows.items():
                rows.append(read(name).detach().clone())
        self._count += 1

    def on_backward(self, read: ValueReader) -> None:
        """Raises AssertionError: a stream has no backward pass."""
        raise AssertionError("a stream runs without gradients")

    def weak(self) -> WeakSink:
        """As `RecordingSink.weak`."""
        return WeakSink(self)

    def value(self, name: str) -> Tensor:
        """A named value of all steps so far, ``(time, batch, width)``."""
        rows = self._rows[name]
        rows[:] = [torch.cat(rows)]
        return rows[0]

    def gradient(self, name: str) -> Tensor:
        """Raises RuntimeError: a stream has no derivatives."""
        raise RuntimeError(
            "there are no derivatives: a stream runs without gradients; record a call of the layer"
        )
