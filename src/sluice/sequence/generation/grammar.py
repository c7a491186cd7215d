"""What may come next: constraints on generation, as an automaton over tokens."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from itertools import takewhile
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sluice.sequence.errors import SequenceError
from sluice.sequence.vocabulary import END, PADDING, START

State = TypeVar("State", bound=Hashable)
Mask = NDArray[np.bool_]


class Grammar(Protocol[State]):
    """Which ids may follow one another; a sequence may end where `END` (2) is allowed.

    States are hashable, and equal ones allow the same: masks are kept by state.
    """

    def start(self) -> State:
        """Before the first token."""
        ...

    def get_allowed_tokens(self, state: State) -> Tensor | Mask | Collection[int]:
        """The ids that may come next: boolean (vocabulary,), or the ids themselves."""
        ...

    def advance(self, state: State, token: int) -> State:
        """After an id that was allowed."""
        ...


@runtime_checkable
class EndingGrammar(Grammar[State], Protocol[State]):
    """A grammar that knows the way to the end, so that sequences end within their length.

    Wherever `distance_to_end` is n > 1, some allowed id leads to where it is at most n - 1;
    where it is 1, `END` is allowed; and it is `max_distance` at most.
    """

    @property
    def max_distance(self) -> int: ...

    def distance_to_end(self, state: State) -> int:
        """How many tokens, `END` included, are enough to end from here."""
        ...


class GrammarError(SequenceError):
    """A grammar refuses what was asked for: the id (None: whatever there is) and its place."""

    def __init__(self, message: str, place: int, token: int | None = None) -> None:
        super().__init__(message)
        self.place, self.token = place, token


class Guide:
    """A grammar's masks for a vocabulary of some size, checked once and kept.

    `prime` and `choices` are what `split_prompt` makes, and hold besides the grammar.
    """

    def __init__(
        self, grammar: Grammar[Any], prefix: list[int], choices: Tensor, max_length: int
    ) -> None:
        self._grammar, self._size, self._max_length = grammar, choices.shape[1], max_length
        self._prefix, self._choices = prefix, choices.numpy()
        self._masks: dict[Hashable, Mask] = {}
        self._ending = grammar if isinstance(grammar, EndingGrammar) else None

    def begin(self) -> Any:
        """The state after the given beginning.

        Raises:
            NotAllowedError: an id of it, or its end so far from any end, that the grammar refuses.
        """
        state = self._grammar.start()
        for place, token in enumerate(self._prefix):
            if not self._get_mask(state)[token]:
                raise GrammarError(
                    f"The grammar does not allow token {token} at place {place} of the opening.",
                    place,
                    token,
                )
            state = self._grammar.advance(state, token)
        if self._ending is not None:
            least = len(self._prefix) + self._ending.distance_to_end(state)
            if least > self._max_length:
                raise GrammarError(
                    f"The grammar needs {least} tokens to come to an end, but max_length is "
                    f"{self._max_length}; allow more.",
                    len(self._prefix),
                )
        return state

    def mask(self, state: Any, place: int) -> Mask:
        """What may stand at `place` (from 0 on), boolean (vocabulary,).

        Raises:
            NotAllowedError: nothing may.
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
                "opening, or mend the grammar.",
                place,
            )
        return mask

    def advance(self, state: Any, token: int) -> Any:
        return self._grammar.advance(state, token)

    def _get_mask(self, state: Hashable) -> Mask:
        found = self._masks.get(state)
        if found is None:
            found = self._masks[state] = self._to_mask(self._grammar.get_allowed_tokens(state))
        return found

    def _to_mask(self, allowed: Tensor | Mask | Collection[int]) -> Mask:
        if isinstance(allowed, Tensor | np.ndarray):
            mask = (allowed.numpy() if isinstance(allowed, Tensor) else allowed).copy()
            if mask.shape != (self._size,) or mask.dtype != np.bool_:
                raise SequenceError(
                    f"A grammar's mask is boolean of shape ({self._size},), but "
                    f"{mask.dtype} of shape {mask.shape} came."
                )
        else:
            mask = np.zeros(self._size, dtype=np.bool_)
            if not all(0 <= token < self._size for token in allowed):
                raise SequenceError(
                    f"A grammar's ids lie between 0 and {self._size - 1}, but {allowed} came."
                )
            mask[list(allowed)] = True
        mask[[PADDING, START]] = False
        return mask

    def _mask_unreachable_end(self, state: Any, mask: Mask, left: int) -> Mask:
        """Only what leaves time to end within `left` tokens, this one and `END` included."""
        assert self._ending is not None
        found = np.zeros_like(mask)
        for token in map(int, mask.nonzero()[0]):
            found[token] = token == END or (
                self._ending.distance_to_end(self._ending.advance(state, token)) < left
            )
        return found


def split_prompt(prompt: Sequence[Collection[int]], size: int) -> tuple[list[int], Tensor]:
    """The ids of the first places, which leave no choice, and what may stand at those behind.

    The latter, (places, vocabulary), boolean, has one row for each place that leaves a choice or
    follows one, and a last one for every later place.

    Raises:
        SequenceError: an empty choice, or an id outside the vocabulary.
    """
    for place, ids in enumerate(prompt):
        if not ids or not all(END < number < size for number in ids):
            raise SequenceError(
                f"Place {place} of the opening needs ids between {END + 1} and {size - 1}, "
                f"but {sorted(ids)} came."
            )
    prime = [next(iter(ids)) for ids in takewhile(lambda ids: len(set(ids)) == 1, prompt)]
    choices = torch.zeros(len(prompt) - len(prime) + 1, size, dtype=torch.bool)
    for row, ids in zip(choices, prompt[len(prime) :], strict=False):
        row[sorted(ids)] = True
    choices[-1, END:] = True
    return prime, choices
