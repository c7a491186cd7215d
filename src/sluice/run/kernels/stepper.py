"""Layers one step at a time on the kernels, their states and a packed copy of the weights kept."""

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


class Stepper:
    """A stack of layers for ``batch`` sequences; `step` takes and leaves addresses.

    The states are zeros until `write` sets them.

    Args:
        layers: From the first on, each as wide as the next one's input.
        batch: How many sequences.
        precision: One of `fused.PRECISIONS`; ``"float64"`` for weights in float64 alone.
    """

    def __init__(self, layers: Sequence[LayerWeights], batch: int, precision: str) -> None:
        self.dtype = torch.float64 if precision == "float64" else torch.float32
        self.batch = batch
        self.state_widths = [
            [one.sizes.of(state.width) for state in one.graph.states] for one in layers
        ]
        packed, masks = [], []
        for one in layers:
            biased = len(one.parameters) == len(one.graph.parameters)
            made = compile_cell(one.graph, one.sizes, biased, self.dtype)
            packed.append(pack_weights(made, one.parameters, precision, False))
            masks.append([float(mask.eval_value) for mask in one.graph.masks])
        kind = getattr(extension.load_extension(), _STREAM_CLASSES[precision])
        self._stream: Any = kind(batch, extension.get_num_threads(), packed, masks)
        #: From the address of (batch, input) to that of (batch, features), contiguous both.
        self.step = self._stream.step

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
