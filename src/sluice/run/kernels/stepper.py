"""Layers one step at a time on the kernels: their states, and weights that steppers share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sluice.equations.graph import Graph
from sluice.equations.specs import Sizes
from sluice.run.kernels import extension
from sluice.run.kernels.compiled_cell import compile_cell, pack_weights
from sluice.run.kernels.encode import as_memory

_STREAM_CLASSES = {
    "float32": "StreamFloat32",
    "float64": "StreamFloat64",
    "bfloat16": "StreamBfloat16",
    "int8": "StreamInt8",
}


@dataclass(frozen=True)
class LayerWeights:
    """One layer's equations and sizes, and its weights in the graph's order of parameters."""

    graph: Graph
    sizes: Sizes
    parameters: tuple[Tensor, ...]


class PackedLayers:
    """A stack of layers whose weights are packed as they are now, for any number of steppers.

    Args:
        layers: From the first on, each as wide as the next one's input.
        precision: One of `fused.PRECISIONS`; ``"float64"`` for weights in float64 alone.
    """

    def __init__(self, layers: Sequence[LayerWeights], precision: str) -> None:
        self.precision = precision
        self.dtype = torch.float64 if precision == "float64" else torch.float32
        self.state_widths = [
            [one.sizes.of(state.width) for state in one.graph.states] for one in layers
        ]
        self._packed, self._masks = [], []
        for one in layers:
            biased = len(one.parameters) == len(one.graph.parameters)
            made = compile_cell(one.graph, one.sizes, biased, self.dtype)
            self._packed.append(pack_weights(made, one.parameters, precision, False))
            self._masks.append([float(mask.eval_value) for mask in one.graph.masks])

    def make_stream(self, batch: int) -> Any:
        """The compiled stream of so many sequences, which keeps the packed weights alive."""
        kind = getattr(extension.load_extension(), _STREAM_CLASSES[self.precision])
        return kind(batch, extension.get_num_threads(), self._packed, self._masks)


class Stepper:
    """A stack of layers for at most ``batch`` sequences; `step` takes and leaves addresses.

    The states are zeros until `write` sets them.
    """

    def __init__(self, layers: PackedLayers, batch: int) -> None:
        self.dtype, self.batch = layers.dtype, batch
        self.state_widths = layers.state_widths
        self._stream: Any = layers.make_stream(batch)
        #: From the address of (batch, input) to that of (batch, features), contiguous both.
        self.step = self._stream.step

    def set_batch(self, batch: int) -> None:
        """Step only the first ``batch`` sequences from now on; the states of others are lost.

        Raises ValueError for more than there were at first.
        """
        if batch != self.batch:
            self._stream.set_batch(batch)
            self.batch = batch

    def write_inputs(self, inputs: Sequence[Tensor]) -> None:
        """What every layer reads beside x at the next step, ``(batch, width)`` each."""
        for number, tensor in enumerate(inputs):
            own = as_memory(tensor)
            self._stream.write_input(number, own.data_ptr())

    def read(self) -> list[tuple[Tensor, ...]]:
        """The states now, ``(batch, width)`` for each layer."""
        found = []
        for layer, widths in enumerate(self.state_widths):
            states = tuple(torch.empty(self.batch, width, dtype=self.dtype) for width in widths)
            for number, state in enumerate(states):
                self._stream.read(layer, number, state.data_ptr())
            found.append(states)
        return found

    def write(self, states: Sequence[Sequence[Tensor]]) -> None:
        """Go on from these states."""
        for layer, own in enumerate(states):
            for number, state in enumerate(own):
                expected = (self.batch, self.state_widths[layer][number])
                assert state.shape == expected and state.dtype == self.dtype, state.shape
                kept = as_memory(state)  # named, so that it lives until it has been read
                self._stream.write(layer, number, kept.data_ptr())

    def rearrange(self, parents: Tensor) -> None:
        """The states of row ``b`` become those that row ``parents[b]`` had: (batch,), int64."""
        assert parents.shape == (self.batch,), parents.shape
        parents = parents.contiguous()
        self._stream.rearrange(parents.data_ptr())
