"""Layers one step at a time on the kernels, their states and a packed copy of the weights kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sluice.equations.graph import Graph
from sluice.equations.specs import Sizes
from sluice.run import cpu, kernels

_STREAMS = {
    "float32": "StreamFloat32",
    "float64": "StreamFloat64",
    "bfloat16": "StreamBfloat16",
    "int8": "StreamInt8",
}


@dataclass(frozen=True)
class Layer:
    """One layer's equations and sizes, and its weights in the graph's order of parameters."""

    graph: Graph
    sizes: Sizes
    parameters: tuple[Tensor, ...]


@dataclass(frozen=True)
class Draws:
    """With what tokens are drawn, and how; all tensors contiguous, on a CPU.

    ``embedding`` and ``readout`` are (vocabulary, width), ``bias`` (vocabulary,) or None, of the
    stream's dtype; ``choices`` (places, vocabulary) is boolean, its last row serving every later
    place. ``top_k`` 0 keeps all, as ``top_p`` 1 does.
    """

    embedding: Tensor
    readout: Tensor
    bias: Tensor | None
    choices: Tensor
    end: int
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0


class Steps:
    """A stack of layers for ``batch`` sequences; `step` takes and leaves addresses.

    The states are zeros until `write` sets them.

    Args:
        layers: From the first on, each as wide as the next one's input.
        batch: How many sequences.
        precision: One of `cpu.LAYERS`; ``"float64"`` for weights in float64 alone.
    """

    def __init__(self, layers: Sequence[Layer], batch: int, precision: str) -> None:
        self.dtype = layers[0].parameters[0].dtype
        self.batch = batch
        self.widths = [[one.sizes.of(state.width) for state in one.graph.states] for one in layers]
        packed, masks = [], []
        for one in layers:
            biased = len(one.parameters) == len(one.graph.parameters)
            made = cpu.prepare(one.graph, one.sizes, biased, self.dtype)
            packed.append(cpu.pack(made, one.parameters, precision, False))
            masks.append([float(mask.evaluated) for mask in one.graph.masks])
        kind = getattr(kernels.load(), _STREAMS[precision])
        self._stream: Any = kind(batch, kernels.get_num_threads(), packed, masks)
        #: From the address of (batch, input) to that of (batch, features), contiguous both.
        self.step = self._stream.step

    def read(self) -> list[tuple[Tensor, ...]]:
        """The states now, ``(batch, width)`` for each layer."""
        found = []
        for layer, widths in enumerate(self.widths):
            states = tuple(torch.empty(self.batch, width, dtype=self.dtype) for width in widths)
            for number, state in enumerate(states):
                self._stream.read(layer, number, state.data_ptr())
            found.append(states)
        return found

    def write(self, states: Sequence[Sequence[Tensor]]) -> None:
        """Go on from these states."""
        for layer, own in enumerate(states):
            for number, state in enumerate(own):
                expected = (self.batch, self.widths[layer][number])
                assert state.shape == expected and state.dtype == self.dtype, state.shape
                self._stream.write(layer, number, state.contiguous().data_ptr())

    def generate(self, draws: Draws, tokens: Tensor, uniforms: Tensor) -> Tensor | None:
        """Draw a token for each sequence and step until all have ended.

        Args:
            draws: With what.
            tokens: The tokens before the first, ``(batch,)``, int64; replaced by the last ones.
            uniforms: Numbers in [0, 1) that decide, ``(time, batch)``, float64.

        Returns:
            The tokens, ``(steps taken, batch)``; None where the weights give NaN.
        """
        choices = draws.choices.to(torch.uint8).contiguous()
        uniforms = uniforms.contiguous()
        drawn = torch.empty(uniforms.shape, dtype=torch.int64)
        words = [
            len(uniforms),
            *draws.embedding.shape,
            draws.end,
            draws.embedding.data_ptr(),
            draws.readout.data_ptr(),
            0 if draws.bias is None else draws.bias.data_ptr(),
            uniforms.data_ptr(),
            choices.data_ptr(),
            len(choices),
            draws.top_k,
            tokens.data_ptr(),
            drawn.data_ptr(),
        ]
        top_p = draws.top_p if draws.top_p < 1 else 2.0  # rounding must not cut the last token
        taken = self._stream.generate(words, draws.temperature, top_p)
        return None if taken < 0 else drawn[:taken]
