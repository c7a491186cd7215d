"""Sampling from a `BiaxialModel`: step by step in time, note by note within a step."""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.run.kernels.stepper import LayerWeights
from sluice.run.kernels.token_stepper import (
    PackedTokenLayers,
    SamplingSpec,
    TokenStepper,
    TokenWeights,
)
from sluice.sequence.batch import ModelState
from sluice.sequence.errors import SequenceError
from sluice.sequence.generation.engine import NAN_MESSAGE, map_states
from sluice.sequence.models.base import evaluation_mode
from sluice.sequence.models.biaxial import SILENT, BiaxialModel

_NEVER = -1
"""No decision ends a chord: all its notes are sampled."""


class NoteSampler:
    """Pieces that are sampled side by side from a model, with the weights it has now.

    For each time step call `read`, then `draw` with what it returned. Within a step the notes go in
    the model's order, each reading what was drawn for the one before: in the kernels' loop if
    there are kernels (`TokenStepper`, whose tokens are the decisions), else note by note in torch.

    Args:
        model: the model, in evaluation mode; on a CPU.
        count: how many pieces.

    >>> import torch
    >>> from sluice.sequence.models import BiaxialConfig
    >>> model = BiaxialModel(BiaxialConfig(features=13, lowest=60, hidden_size=8))
    >>> sampler = NoteSampler(model, count=2)
    >>> hidden = sampler.read(torch.zeros(2, 13), torch.zeros(0))
    >>> chords = sampler.draw(hidden, torch.rand(13, 2, dtype=torch.float64))
    >>> chords.shape                                                # pieces, notes
    torch.Size([2, 13])
    """

    def __init__(self, model: BiaxialModel, count: int) -> None:
        self.model, self.count = model, count
        self._state: ModelState = None
        layers = model.note_layers
        self._native: TokenStepper | None = None
        if layers.resolved_backend.has_step_kernels and layers.readout is None:
            stack = [
                LayerWeights(layers.cell.graph, sizes, layers.get_layer_parameters(place))
                for place, sizes in enumerate(layers.sizes)
            ]
            weights = TokenWeights(
                model.decisions, model.readout.weight.detach(), model.readout.bias.detach()
            )
            double = model.decisions.dtype == torch.float64
            precision = "float64" if double else layers.precision
            self._native = TokenStepper(PackedTokenLayers(stack, weights, precision), count)
            self._start = [
                tuple(torch.zeros(count, width, dtype=self._native.dtype) for width in widths)
                for widths in self._native.state_widths
            ]

    def read(self, before: Tensor, clock: Tensor) -> Tensor:
        """Read the step before; what the layers over time say of each note of the next.

        Args:
            before: (pieces, notes), 0 for a silent note, 1 for one that sounds on, 2 for a struck
                one; zeros before the first step.
            clock: (width,), where the next step is.

        Returns:
            (pieces, notes, features), for `draw` and `compute_logits`.
        """
        with evaluation_mode(self.model):
            dtype = self.model.decisions.dtype
            beside = clock.to(dtype).expand(self.count, -1)
            inputs = torch.cat((before.to(dtype), beside), dim=1)[None]
            hidden, self._state = self.model.run_over_time(inputs, self._state)
        return hidden[0]

    def draw(
        self,
        hidden: Tensor,
        uniforms: Tensor,
        allowed: Tensor | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """The next step of each piece, (pieces, notes), int64.

        Args:
            hidden: what `read` returned.
            uniforms: numbers in [0, 1) that decide, (notes, pieces), float64.
            allowed: what each note may be, (notes, pieces, states), bool; None for anything.
            temperature: below 1 makes likely states likelier.

        Raises:
            SequenceError: a temperature that is not above 0, or weights that give NaN.
        """
        if not temperature > 0:
            raise SequenceError(f"temperature must be above 0, got {temperature}.")
        order = self.model.order_notes
        over_notes = order(hidden).movedim(1, 0).contiguous()
        notes, states = len(over_notes), self.model.config.states
        if allowed is None:
            allowed = torch.ones(notes, self.count, states, dtype=torch.bool)
        uniforms, allowed = (order(one, 0).contiguous() for one in (uniforms, allowed))
        if self._native is None:
            return order(self._draw_in_torch(over_notes, uniforms, allowed, temperature))
        self._native.write(self._start)
        below = torch.full((self.count,), SILENT, dtype=torch.int64)
        spec = SamplingSpec(_NEVER, temperature)
        drawn = self._native.generate(spec, allowed, below, uniforms, over_notes)
        if drawn is None:
            raise SequenceError(NAN_MESSAGE)
        return order(drawn.T).contiguous()

    def compute_logits(self, hidden: Tensor, drawn: Tensor) -> Tensor:
        """The logits of a step that is known, (pieces, notes, states).

        Args:
            hidden: what `read` returned.
            drawn: the step, (pieces, notes), int64.
        """
        with evaluation_mode(self.model):
            return self.model.run_over_notes(hidden, drawn)

    def rearrange(self, parents: Tensor) -> None:
        """Piece `b` goes on from what piece `parents[b]` has read: (pieces,), int64."""
        notes = self.model.config.features
        rows = (parents[:, None] * notes + torch.arange(notes)).flatten()
        self._state = map_states(lambda state: state.index_select(-2, rows), self._state)

    def _draw_in_torch(
        self, over_notes: Tensor, uniforms: Tensor, allowed: Tensor, temperature: float
    ) -> Tensor:
        model, state = self.model, None
        below = torch.full((self.count,), SILENT)
        drawn = []
        with evaluation_mode(model):
            for features, chance, choices in zip(over_notes, uniforms, allowed, strict=True):
                read = torch.cat((features, model.decisions[below]), dim=-1)[None]
                output, state = model.note_layers(read, state)
                logits = model.readout(output[0]).double() / temperature
                weights = logits.masked_fill(~choices, -torch.inf).softmax(dim=-1)
                if weights.isnan().any():
                    raise SequenceError(NAN_MESSAGE)
                reached = weights.cumsum(dim=-1) <= chance[:, None]
                last = choices.long().cumsum(dim=-1).argmax(dim=-1)
                below = torch.minimum(reached.long().sum(dim=-1), last)
                drawn.append(below)
        return torch.stack(drawn, dim=1)


def compute_masses(logits: Tensor, allowed: Tensor) -> Tensor:
    """The log-probability that a step is among those that were allowed, (pieces,), float64.

    It is the sum over the notes of ln P(what the note may be | the notes below it). By it a step
    that was drawn under `allowed` is weighted, to be one of the model's given what is allowed.

    Args:
        logits: of the step that was drawn, as `NoteSampler.compute_logits` returns them.
        allowed: as for `NoteSampler.draw`.
    """
    logits = logits.double()
    within = logits.masked_fill(~allowed.movedim(1, 0), -torch.inf)
    return (within.logsumexp(dim=-1) - logits.logsumexp(dim=-1)).sum(dim=-1)
