"""What may come next: constraints on generation, as an automaton over tokens."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
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

    def allowed(self, state: State) -> Tensor | Mask | Collection[int]:
        """The ids that may come next: boolean (vocabulary,), or the ids themselves."""
        ...

    def advance(self, state: State, token: int) -> State:
        """After an id that was allowed."""
        ...


@runtime_checkable
class EndingGrammar(Grammar[State], Protocol[State]):
    """A grammar that knows the way to the end, so that sequences end within their length.

    Wherever `to_end` is n > 1, some allowed id leads to where it is at most n - 1; where it is 1,
    `END` is allowed; and it is `farthest` at most.
    """

    @property
    def farthest(self) -> int: ...

    def to_end(self, state: State) -> int:
        """How many tokens, `END` included, are enough to end from here."""
        ...


class NotAllowed(SequenceError):
    """A grammar refuses what was asked for: the id (None: whatever there is) and its place."""

    def __init__(self, message: str, place: int, token: int | None = None) -> None:
        super().__init__(message)
        self.place, self.token = place, token


class Guide:
    """A grammar's masks for a vocabulary of some size, checked once and kept.

    `choices` (places, vocabulary) is boolean and holds besides the grammar; its last row serves
    every later place.
    """

    def __init__(self, grammar: Grammar[Any], choices: Tensor, longest: int) -> None:
        self._grammar, self._size, self._longest = grammar, choices.shape[1], longest
        self._choices = choices.numpy()
        self._masks: dict[Hashable, Mask] = {}
        self._ending = grammar if isinstance(grammar, EndingGrammar) else None

    def begin(self, prime: Sequence[int]) -> Any:
        """The state after a given beginning.

        Raises:
            NotAllowed: an id of it, or its end so far from any end, that the grammar refuses.
        """
        state = self._grammar.start()
        for place, token in enumerate(prime):
            if not self._of(state)[token]:
                raise NotAllowed(
                    f"The grammar does not allow token {token} at place {place} of the opening.",
                    place,
                    token,
                )
            state = self._grammar.advance(state, token)
        if self._ending is not None:
            least = len(prime) + self._ending.to_end(state)
            if least > self._longest:
                raise NotAllowed(
                    f"The grammar needs {least} tokens to come to an end, but max_length is "
                    f"{self._longest}; allow more.",
                    len(prime),
                )
        return state

    def mask(self, state: Any, place: int) -> Mask:
        """What may stand at `place` (from 0 on), boolean (vocabulary,).

        Raises:
            NotAllowed: nothing may.
        """
        mask = self._of(state)
        if self._ending is not None:
            left = self._longest - place
            if left <= self._ending.farthest + 1:
                mask = self._in_time(state, mask, left)
        if place < len(self._choices) - 1:
            mask = mask & self._choices[place]
        if not mask.any():
            raise NotAllowed(
                f"The grammar allows no token at place {place}, given those before; give another "
                "opening, or mend the grammar.",
                place,
            )
        return mask

    def advance(self, state: Any, token: int) -> Any:
        return self._grammar.advance(state, token)

    def _of(self, state: Hashable) -> Mask:
        found = self._masks.get(state)
        if found is None:
            found = self._masks[state] = self._checked(self._grammar.allowed(state))
        return found

    def _checked(self, allowed: Tensor | Mask | Collection[int]) -> Mask:
        if isinstance(allowed, Tensor | np.ndarray):
            mask = np.array(allowed)
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

    def _in_time(self, state: Any, mask: Mask, left: int) -> Mask:
        """Only what leaves time to end within `left` tokens, this one and `END` included."""
        assert self._ending is not None
        found = np.zeros_like(mask)
        for token in map(int, mask.nonzero()[0]):
            found[token] = token == END or (
                self._ending.to_end(self._ending.advance(state, token)) < left
            )
        return found


def choices_of(opening: Sequence[Collection[int]], size: int) -> Tensor:
    """What may stand at each place of the opening, then at every later one: (places, vocabulary).

    Raises:
        SequenceError: an empty choice, or an id outside the vocabulary.
    """
    choices = torch.zeros(len(opening) + 1, size, dtype=torch.bool)
    for place, ids in enumerate(opening):
        if not ids or not all(END < number < size for number in ids):
            raise SequenceError(
                f"Place {place} of the opening needs ids between {END + 1} and {size - 1}, "
                f"but {sorted(ids)} came."
            )
        choices[place, sorted(ids)] = True
    choices[-1, END:] = True
    return choices


def prime_of(opening: Sequence[Collection[int]]) -> list[int]:
    """The places from the first on that leave no choice."""
    prime: list[int] = []
    for ids in opening:
        if len(set(ids)) != 1:
            break
        prime += set(ids)
    return prime
