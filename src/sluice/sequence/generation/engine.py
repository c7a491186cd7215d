"""What runs a language model token by token, and the states of its sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, cast

import torch
from torch import Tensor

from sluice.run.kernels.token_stepper import RowBuffers, SamplingSpec
from sluice.sequence.batch import ModelState
from sluice.sequence.errors import SequenceError
from sluice.sequence.generation.sampling import Sampling
from sluice.sequence.vocabulary import END


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

    def sample_next(self, rows: RowBuffers, samplings: Sequence[Sampling]) -> None:
        """Read a token each, and sample the next, each sequence in its own way.

        `rows.sampled` gets the tokens, −1 for a sequence whose logits are NaN.
        """
        ...

    def feed(self, tokens: Tensor) -> None:
        """Read tokens, (time, batch), int64."""
        ...

    def read(self) -> ModelState:
        """The states of all sequences; their rows are the last dimension but one."""
        ...

    def write(self, states: ModelState) -> None:
        """Go on from these states, with as many sequences as they have rows."""
        ...


def map_states(function: Callable[..., Tensor], *states: ModelState) -> ModelState:
    """`function` of the tensors of states of one structure."""
    if isinstance(states[0], Tensor):
        return function(*states)
    parts = cast(tuple[tuple[ModelState, ...], ...], states)
    return tuple(map_states(function, *some) for some in zip(*parts, strict=True))


def select_rows(states: ModelState, rows: Tensor) -> ModelState:
    """The states of some sequences, copied."""
    return map_states(lambda state: state.index_select(-2, rows), states)


def expand_rows(states: ModelState, count: int) -> ModelState:
    """The state of one sequence for each of `count`."""
    return map_states(lambda state: state.expand(*state.shape[:-2], count, -1), states)


def concatenate_rows(states: Sequence[ModelState]) -> ModelState:
    """The sequences of all `states` in one batch."""
    return map_states(lambda *parts: torch.cat(parts, dim=-2), *states)


def count_rows(states: ModelState) -> int:
    """The number of sequences."""
    while not isinstance(states, Tensor):
        states = cast(tuple[ModelState, ...], states)[0]
    return states.shape[-2]


def list_widths(states: ModelState) -> list[int]:
    """The widths of all states."""
    if isinstance(states, Tensor):
        return [*states.shape[:-2], states.shape[-1]]
    return [width for part in cast(tuple[ModelState, ...], states) for width in list_widths(part)]


_MOST_TOKENS = 1 << 31
"""Above every vocabulary, and exact as a double."""


def make_spec(sampling: Sampling) -> SamplingSpec:
    """`sampling` as the kernels read it."""
    return SamplingSpec(
        END,
        sampling.temperature,
        min(sampling.top_k or 0, _MOST_TOKENS),
        sampling.top_p or 1.0,
        sampling.typical or 1.0,
    )


NAN_MESSAGE = (
    "The model computes NaN, so it cannot generate; check its weights, or train again with a "
    "lower learning rate."
)


def require_no_nan(given: Tensor | None) -> Tensor:
    """`given`. Raises SequenceError where it is None or has NaN."""
    if given is None or (given.is_floating_point() and given.isnan().any()):
        raise SequenceError(NAN_MESSAGE)
    return given
