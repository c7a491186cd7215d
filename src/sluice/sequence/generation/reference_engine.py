"""Generation without kernels, by a copy of the model in float64."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor

from sluice.nn.states import StateLayout
from sluice.run.kernels.token_stepper import RowBuffers
from sluice.sequence.batch import ModelState
from sluice.sequence.generation.engine import require_no_nan, select_rows
from sluice.sequence.generation.sampling import Sampling, draw
from sluice.sequence.models import LanguageModel
from sluice.sequence.vocabulary import END


class ReferenceWeights:
    """A copy of a model, and its initial states."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = deepcopy(model).to("cpu", torch.float64).eval()
        layout = StateLayout((), 1, True, None, None)
        states: ModelState = layout.join(self.model.layers.get_initial_states())  # type: ignore[assignment]
        self.initial_states = states

    def make_engine(self, owner: object = None) -> ReferenceEngine:
        """An engine of one sequence in the initial state; it keeps `owner` alive."""
        return ReferenceEngine(self, owner)


class ReferenceEngine:
    """A batch of sequences; see `Engine`."""

    def __init__(self, weights: ReferenceWeights, owner: object) -> None:
        self._model, self._states = weights.model, weights.initial_states
        self._owner = owner

    def logits(self, tokens: Tensor) -> Tensor:
        return require_no_nan(self._step(tokens))

    def rearrange(self, parents: Tensor) -> None:
        self._states = select_rows(self._states, parents)

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

    def sample_next(self, rows: RowBuffers, samplings: Sequence[Sampling]) -> None:
        count = len(samplings)
        logits, allowed = self._step(rows.tokens[:count]), rows.choices[0, :count].bool()
        uniforms = rows.uniforms[0, :count]
        rows.sampled[0, :count] = -1
        for b, sampling in enumerate(samplings):
            if not logits[b].isnan().any():
                one = slice(b, b + 1)
                rows.sampled[0, one] = draw(logits[one], allowed[one], uniforms[one], sampling)

    @torch.inference_mode()
    def feed(self, tokens: Tensor) -> None:
        _, self._states = self._model(tokens, self._states)

    def read(self) -> ModelState:
        return self._states

    def write(self, states: ModelState) -> None:
        self._states = states

    @torch.inference_mode()
    def _step(self, tokens: Tensor) -> Tensor:
        logits, self._states = self._model(tokens[None], self._states)
        next_logits: Tensor = logits[0]
        return next_logits
