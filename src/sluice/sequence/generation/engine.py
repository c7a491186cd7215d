"""A language model that generates tokens step by step, with its state."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Protocol, cast

import torch
from torch import Tensor

from sluice.run.kernels.stepper import LayerWeights
from sluice.run.kernels.token_stepper import SamplingSpec, TokenStepper, TokenWeights
from sluice.sequence.batch import ModelState
from sluice.sequence.errors import SequenceError
from sluice.sequence.generation.sampling import Sampling, draw
from sluice.sequence.models import LanguageModel
from sluice.sequence.vocabulary import END, START


class Engine(Protocol):
    """A batch of sequences and their states."""

    def logits(self, tokens: Tensor) -> Tensor:
        """Read a token each, (batch,), int64; the logits of the next, (batch, vocabulary)."""
        ...

    def rearrange(self, parents: Tensor) -> None:
        """Sequence `b` continues from the state of `parents[b]`: (batch,), int64."""
        ...

    def draw(self, tokens: Tensor, choices: Tensor, uniforms: Tensor, sampling: Sampling) -> Tensor:
        """Read a token each, sample the next, and repeat until all sequences have ended.

        `tokens` (batch,) is overwritten with the last ones. `choices` is boolean or bytes, (places,
        vocabulary) or (places, batch, vocabulary), the last place for every later one; `uniforms`
        (time, batch) are in [0, 1). Returns the tokens, (steps, batch).
        """
        ...


def start_engine(model: LanguageModel, batch: int, prefix: Sequence[int]) -> tuple[Engine, Tensor]:
    """An engine that has read `START` and the ids of `prefix`, except the last of these.

    The last one is returned, (batch,), to be read next. The engine uses the current weights; it
    runs on the kernels if there are any, else on a copy of the model in float64.
    """
    layers = model.layers
    if layers.directions > 1:
        raise SequenceError(
            "A bidirectional model needs the whole sequence, so it cannot generate; train one with "
            "bidirectional=False."
        )
    fused = layers.resolved_backend.has_step_kernels and layers.readout is None
    before = torch.tensor([START, *prefix])
    with torch.inference_mode():
        kind = _KernelEngine if fused else _ReferenceEngine
        engine = kind(model, batch, before[:-1])
    return engine, before[-1:].repeat(batch)


def _require_no_nan(given: Tensor | None) -> Tensor:
    if given is None or (given.is_floating_point() and given.isnan().any()):
        raise SequenceError(
            "The model computes NaN, so it cannot generate; check its weights, or train "
            "again with a lower learning rate."
        )
    return given


class _KernelEngine:
    def __init__(self, model: LanguageModel, batch: int, before: Tensor) -> None:
        layers = model.layers
        states = layers.get_initial_states()
        if len(before):
            # All sequences have the same prefix, so one reads it for all.
            one = _build_stepper(model, 1)
            one.write(states)
            one.feed(before[:, None])
            states = one.read()
        self._stepper = _build_stepper(model, batch)
        self._stepper.write([[row.expand(batch, -1) for row in rows] for rows in states])

    def logits(self, tokens: Tensor) -> Tensor:
        return _require_no_nan(self._stepper.logits(tokens))

    def rearrange(self, parents: Tensor) -> None:
        self._stepper.rearrange(parents)

    def draw(self, tokens: Tensor, choices: Tensor, uniforms: Tensor, sampling: Sampling) -> Tensor:
        draws = SamplingSpec(
            END,
            sampling.temperature,
            sampling.top_k or 0,
            sampling.top_p or 1.0,
            sampling.typical or 1.0,
        )
        return _require_no_nan(self._stepper.generate(draws, choices, tokens, uniforms))


def _build_stepper(model: LanguageModel, batch: int) -> TokenStepper:
    layers = model.layers
    stack = [
        LayerWeights(layers.cell.graph, sizes, layers.get_layer_parameters(place))
        for place, sizes in enumerate(layers.sizes)
    ]
    embedding = model.embedding.weight.detach()
    readout = embedding if model.config.tied else model.readout.weight.detach()
    precision = "float64" if embedding.dtype == torch.float64 else layers.precision
    language = TokenWeights(embedding, readout, model.readout.bias.detach())
    return TokenStepper(stack, language, batch, precision)


class _ReferenceEngine:
    def __init__(self, model: LanguageModel, batch: int, before: Tensor) -> None:
        self._model = deepcopy(model).to("cpu", torch.float64).eval()
        self._state: ModelState = None
        if len(before):
            _, self._state = self._model(before[:, None])
            self.rearrange(torch.zeros(batch, dtype=torch.int64))

    @torch.inference_mode()
    def logits(self, tokens: Tensor) -> Tensor:
        logits, self._state = self._model(tokens[None], self._state)
        return _require_no_nan(logits[0])

    def rearrange(self, parents: Tensor) -> None:
        self._state = _select_rows(self._state, parents)

    def draw(self, tokens: Tensor, choices: Tensor, uniforms: Tensor, sampling: Sampling) -> Tensor:
        ended = torch.zeros(len(tokens), dtype=torch.bool)
        drawn = []
        for time, uniform in enumerate(uniforms):
            allowed = choices[min(time, len(choices) - 1)].bool()
            tokens.copy_(draw(self.logits(tokens), allowed, uniform, sampling))
            drawn.append(tokens.clone())
            ended |= tokens == END
            if ended.all():
                break
        return torch.stack(drawn)


def _select_rows(state: ModelState, parents: Tensor) -> ModelState:
    """The states of some sequences."""
    if isinstance(state, Tensor):
        return state.index_select(-2, parents)
    return tuple(_select_rows(part, parents) for part in cast(tuple[ModelState, ...], state))
