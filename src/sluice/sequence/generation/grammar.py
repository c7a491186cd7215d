"""Constraints on generation: automata over tokens."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from itertools import takewhile
from typing import Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sluice.sequence.errors import SequenceError
from sluice.sequence.vocabulary import END, PADDING, START

State = TypeVar("State", bound=Hashable)
Mask = NDArray[np.bool_]


class Grammar(Protocol[State]):
    """Which ids may follow which; a sequence may end where `END` (2) is allowed.

    States are hashable, and equal states allow the same ids: masks are cached by state.
    """

    def start(self) -> State:
        """The state before the first token."""
        ...

    def get_allowed_tokens(self, state: State) -> Tensor | Mask | Collection[int]:
        """The ids that may come next: boolean (vocabulary,), or the ids themselves."""
        ...

    def advance(self, state: State, token: int) -> State:
        """The state after an allowed id."""
        ...


@runtime_checkable
class EndingGrammar(Grammar[State], Protocol[State]):
    """A grammar that knows its shortest completions, so that sequences end within their length.

    If `distance_to_end` is n > 1, some allowed id leads to a state with at most n - 1; if it is 1,
    `END` is allowed. It is never above `max_distance`.
    """

    @property
    def max_distance(self) -> int:
        """The maximum of `distance_to_end` over all states."""
        ...

    def distance_to_end(self, state: State) -> int:
        """The number of tokens, `END` included, of the shortest completion."""
        ...


class GrammarError(SequenceError):
    """A grammar refuses an id at a place, or allows none (`token` is None)."""

    def __init__(self, message: str, place: int, token: int | None = None) -> None:
        super().__init__(message)
        self.place, self.token = place, token


class Guide(Generic[State]):
    """A grammar's masks for a vocabulary, checked and cached.

    `prefix` and `choices` are from `split_prompt`, and constrain the ids besides the grammar.
    """

    def __init__(
        self, grammar: Grammar[State], prefix: list[int], choices: Tensor, max_length: int
    ) -> None:
        self._grammar, self._size, self._max_length = grammar, choices.shape[1], max_length
        self._prefix, self._choices = prefix, choices.numpy()
        self._masks: dict[Hashable, Mask] = {}
        self._ending: EndingGrammar[State] | None = (
            grammar if isinstance(grammar, EndingGrammar) else None
        )

    def begin(self) -> State:
        """The state after the prefix.

        Raises:
            GrammarError: the grammar refuses an id of the prefix, or cannot end in time after it.
        """
        state = self._grammar.start()
        for place, token in enumerate(self._prefix):
            if not self._get_mask(state)[token]:
                raise GrammarError(
                    f"The grammar does not allow token {token} at place {place} of the prompt.",
                    place,
                    token,
                )
            state = self._grammar.advance(state, token)
        if self._ending is not None:
            least = len(self._prefix) + self._ending.distance_to_end(state)
            if least > self._max_length:
                raise GrammarError(
                    f"The grammar needs {least} tokens to end, but max_length is "
                    f"{self._max_length}; increase it.",
                    len(self._prefix),
                )
        return state

    def mask(self, state: State, place: int) -> Mask:
        """The ids allowed at `place` (counted from 0), boolean (vocabulary,).

        Raises:
            GrammarError: none is.
        """
        mask = self._get_mask(state)
        if self._ending is not None:
            left = self._max_length - place
            if left <= self._ending.max_distance + 1:
                mask = self._mask_unreachable_end(state, mask, left)
        if place - len(self._prefix) < len(self._choices) - 1:
            mask = mask & self._choices[place - len(self._prefix)]
        if not mask.any():
            raise GrammarError(
                f"The grammar allows no token at place {place}, given those before; give another "
                "prompt, or correct the grammar.",
                place,
            )
        return mask

    def advance(self, state: State, token: int) -> State:
        """The state after an allowed id."""
        return self._grammar.advance(state, token)

    def _get_mask(self, state: State) -> Mask:
        found = self._masks.get(state)
        if found is None:
            found = self._masks[state] = self._to_mask(self._grammar.get_allowed_tokens(state))
        return found

    def _to_mask(self, allowed: Tensor | Mask | Collection[int]) -> Mask:
        if isinstance(allowed, Tensor | np.ndarray):
            mask = (allowed.numpy() if isinstance(allowed, Tensor) else allowed).copy()
            if mask.shape != (self._size,) or mask.dtype != np.bool_:
                raise SequenceError(
                    f"A grammar's mask must be boolean of shape ({self._size},), got "
                    f"{mask.dtype} of shape {mask.shape}."
                )
        else:
            mask = np.zeros(self._size, dtype=np.bool_)
            if not all(0 <= token < self._size for token in allowed):
                raise SequenceError(
                    f"A grammar's ids must be from 0 to {self._size - 1}, got {allowed}."
                )
            mask[list(allowed)] = True
        mask[[PADDING, START]] = False
        return mask

    def _mask_unreachable_end(self, state: State, mask: Mask, left: int) -> Mask:
        """Only the ids after which `left` tokens, that id and `END` included, are enough to end."""
        assert self._ending is not None
        found = np.zeros_like(mask)
        for token in map(int, mask.nonzero()[0]):
            found[token] = token == END or (
                self._ending.distance_to_end(self._ending.advance(state, token)) < left
            )
        return found


def split_prompt(prompt: Sequence[Collection[int]], size: int) -> tuple[list[int], Tensor]:
    """The ids of the leading places with a single choice, and the masks of the places after them.

    The masks, boolean (places, vocabulary), have one row for each place of the rest of the
    prompt, and a last one for every later place.

    Raises:
        SequenceError: an empty choice, or an id outside the vocabulary.
    """
    for place, ids in enumerate(prompt):
        if not ids or not all(END < number < size for number in ids):
            raise SequenceError(
                f"The ids at place {place} of the prompt must be from {END + 1} to {size - 1}, "
                f"got {sorted(ids)}."
            )
    prefix = [next(iter(ids)) for ids in takewhile(lambda ids: len(set(ids)) == 1, prompt)]
    choices = np.zeros((len(prompt) - len(prefix) + 1, size), dtype=np.bool_)
    for row, ids in zip(choices, prompt[len(prefix) :], strict=False):
        row[[*ids]] = True
    choices[-1, END:] = True
    return prefix, torch.from_numpy(choices)


def check_prompt_length(prompt: Sequence[Collection[int]], max_length: int) -> None:
    """Raise SequenceError for a prompt that is longer than a sequence may be."""
    if len(prompt) > max_length:
        raise SequenceError(
            f"The prompt has {len(prompt)} tokens, but max_length is {max_length}; increase it."
        )
