"""Generation on the kernels, with weights that all batches share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sluice.run.kernels.stepper import LayerWeights
from sluice.run.kernels.token_stepper import (
    PackedTokenLayers,
    RowBuffers,
    TokenStepper,
    TokenWeights,
)
from sluice.sequence.batch import ModelState
from sluice.sequence.generation.engine import count_rows, make_spec, require_no_nan
from sluice.sequence.generation.sampling import Sampling
from sluice.sequence.models import LanguageModel
from sluice.sequence.vocabulary import END


class KernelWeights:
    """A model's weights, packed as they are now, and its initial states.

    `copies_embedding`: else later changes of the model's embedding reach the engines.
    """

    def __init__(self, model: LanguageModel, copies_embedding: bool) -> None:
        layers = model.layers
        stack = [
            LayerWeights(layers.cell.graph, sizes, layers.get_layer_parameters(place))
            for place, sizes in enumerate(layers.sizes)
        ]
        embedding = model.embedding.weight.detach()
        embedding = embedding.clone() if copies_embedding else embedding
        readout = embedding if model.config.tied else model.readout.weight.detach()
        precision = "float64" if embedding.dtype == torch.float64 else layers.precision
        token_weights = TokenWeights(embedding, readout, model.readout.bias.detach())
        self.packed = PackedTokenLayers(stack, token_weights, precision)
        self.initial_states: ModelState = tuple(layers.get_initial_states())

    def make_engine(self, owner: object = None) -> KernelEngine:
        """An engine of one sequence in the initial state; it keeps `owner` alive."""
        return KernelEngine(self, owner)


class KernelEngine:
    """A batch of sequences; see `Engine`."""

    def __init__(self, weights: KernelWeights, owner: object) -> None:
        self._weights, self._owner, self._capacity = weights, owner, 0
        self._stepper: TokenStepper
        self._rows: RowBuffers | None = None
        self._words: list[int] = []
        self.write(weights.initial_states)

    def logits(self, tokens: Tensor) -> Tensor:
        return require_no_nan(self._stepper.logits(tokens))

    def rearrange(self, parents: Tensor) -> None:
        self._stepper.rearrange(parents)

    def draw(self, tokens: Tensor, choices: Tensor, uniforms: Tensor, sampling: Sampling) -> Tensor:
        drawn = self._stepper.generate(make_spec(sampling), choices, tokens, uniforms)
        return require_no_nan(drawn)

    def sample_next(self, rows: RowBuffers, samplings: Sequence[Sampling]) -> None:
        if rows is not self._rows:
            self._rows, self._words = rows, rows.encode(self._stepper.batch, END)
        self._stepper.sample_next(self._words)

    def feed(self, tokens: Tensor) -> None:
        self._stepper.feed(tokens)

    def read(self) -> ModelState:
        return tuple(self._stepper.read())

    def write(self, states: ModelState) -> None:
        count, self._rows = count_rows(states), None
        if count > self._capacity:
            # A batch that grows again and again makes a stepper of its size rarely.
            self._capacity = count if self._capacity <= 1 else max(count, 4 * self._capacity)
            self._stepper = TokenStepper(self._weights.packed, self._capacity)
        self._stepper.set_batch(count)
        self._stepper.write(states)  # type: ignore[arg-type]
