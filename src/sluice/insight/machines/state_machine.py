"""Finite state machines with an output in every state: run, compared, and made minimal."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sluice.errors import SluiceError

Output = bool | str
"""What a state shows: whether the word is accepted, or any text."""
_State = TypeVar("_State", bound=Hashable)


class StateMachineError(SluiceError, ValueError):
    """A state machine that is not one, a word it cannot read, or a model it does not describe."""


@dataclass(frozen=True)
class StateMachine:
    """A deterministic machine that reads symbols, and shows an output in each state (Moore 1956).

    With outputs that are all True or False it is a finite automaton: True states accept.

    Attributes:
        alphabet: The symbols, each once.
        transitions: ``transitions[state][k]`` is the state after symbol ``alphabet[k]``.
        outputs: What each state shows.
        start: The state before the first symbol.
        names: What to call the states; None for their numbers.

    Raises:
        StateMachineError: no states or symbols, a symbol twice, a transition that is missing or
            leads to no state.

    Example:
        >>> parity = StateMachine(("0", "1"), ((0, 1), (1, 0)), (False, True))
        >>> parity.accepts("1011"), parity.run("1011")
        (True, [0, 1, 1, 0, 1])
    """

    alphabet: tuple[str, ...]
    transitions: tuple[tuple[int, ...], ...]
    outputs: tuple[Output, ...]
    start: int = 0
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        states = len(self.transitions)
        if not states or not self.alphabet or len(set(self.alphabet)) < len(self.alphabet):
            raise StateMachineError(
                "a state machine needs a state and a symbol, and has each symbol once; got "
                f"{states} states and the alphabet {list(self.alphabet)}"
            )
        for what, given in (("outputs", self.outputs), ("names", self.names or self.outputs)):
            if len(given) != states:
                raise StateMachineError(
                    f"{what} must be one for each of {states} states, got {len(given)}"
                )
        for state, row in enumerate(self.transitions):
            if len(row) != len(self.alphabet) or not all(0 <= to < states for to in row):
                raise StateMachineError(
                    f"state {state} must lead to one of the states 0 to {states - 1} for each of "
                    f"{len(self.alphabet)} symbols, got {list(row)}"
                )
        if not 0 <= self.start < states:
            raise StateMachineError(f"start must be from 0 to {states - 1}, got {self.start}")

    def __len__(self) -> int:
        return len(self.transitions)

    @property
    def is_acceptor(self) -> bool:
        """Whether all outputs are True or False."""
        return all(isinstance(output, bool) for output in self.outputs)

    def run(self, word: Iterable[str]) -> list[int]:
        """The states on the way through ``word``: the start, then one for each symbol.

        Raises StateMachineError where a symbol is not in the alphabet.
        """
        places = {symbol: k for k, symbol in enumerate(self.alphabet)}
        states = [self.start]
        for step, symbol in enumerate(word):
            if symbol not in places:
                raise StateMachineError(
                    f"symbol {step} of the word is {symbol!r}, but the alphabet is "
                    f"{list(self.alphabet)}"
                )
            states.append(self.transitions[states[-1]][places[symbol]])
        return states

    def label_prefixes(self, word: Iterable[str]) -> list[Output]:
        """The outputs on the way through ``word``, beginning with the empty prefix's."""
        return [self.outputs[state] for state in self.run(word)]

    def accepts(self, word: Iterable[str]) -> bool:
        """Whether ``word`` ends in an accepting state.

        Raises StateMachineError where outputs are texts, or a symbol is not in the alphabet.
        """
        if not self.is_acceptor:
            raise StateMachineError(
                "this machine shows texts and accepts nothing; label_prefixes(word) gives them"
            )
        return bool(self.label_prefixes(word)[-1])

    def minimise(self) -> StateMachine:
        """The machine of fewest states with the same outputs, numbered in order of discovery.

        States that the start does not reach are left out, and states that no word tells apart are
        one, by partition refinement (Moore 1956; Hopcroft 1971 refines in a faster order).
        """
        reached = self._list_reachable()
        blocks = _number([self.outputs[state] for state in reached])
        while True:
            place = dict(zip(reached, blocks, strict=True))
            seen = [(place[s], *(place[to] for to in self.transitions[s])) for s in reached]
            finer = _number(seen)
            if max(finer) == max(blocks):
                break
            blocks = finer
        first = {place[state]: state for state in reversed(reached)}
        return explore(
            self.alphabet,
            place[self.start],
            lambda block, symbol: place[self._follow(first[block], symbol)],
            lambda block: self.outputs[first[block]],
            name=None if self.names is None else lambda block: (self.names or ())[first[block]],
            limit=len(self),
        )

    def find_difference(self, other: StateMachine) -> tuple[str, ...] | None:
        """A shortest word after which the two show different outputs; None where they are equal.

        Both are walked together from their starts (Hopcroft & Karp 1971).

        Raises StateMachineError where they read different symbols.
        """
        if set(self.alphabet) != set(other.alphabet):
            raise StateMachineError(
                f"the machines read different symbols, {sorted(self.alphabet)} and "
                f"{sorted(other.alphabet)}"
            )
        words: dict[tuple[int, int], tuple[str, ...]] = {(self.start, other.start): ()}
        waiting = deque(words)
        while waiting:
            pair = waiting.popleft()
            if self.outputs[pair[0]] != other.outputs[pair[1]]:
                return words[pair]
            for symbol in self.alphabet:
                following = self._follow(pair[0], symbol), other._follow(pair[1], symbol)
                if following not in words:
                    words[following] = (*words[pair], symbol)
                    waiting.append(following)
        return None

    def find_traps(self) -> list[int]:
        """States that no symbol leaves: a word that gets there is decided."""
        return [state for state, row in enumerate(self.transitions) if set(row) == {state}]

    def _follow(self, state: int, symbol: str) -> int:
        return self.transitions[state][self.alphabet.index(symbol)]

    def _list_reachable(self) -> list[int]:
        found = {self.start: None}
        waiting = [self.start]
        while waiting:
            for to in self.transitions[waiting.pop(0)]:
                if to not in found:
                    found[to] = None
                    waiting.append(to)
        return list(found)


def explore(
    alphabet: Sequence[str],
    start: _State,
    follow: Callable[[_State, str], _State],
    show: Callable[[_State], Output],
    *,
    name: Callable[[_State], str] | None = None,
    limit: int = 1000,
) -> StateMachine:
    """The machine of all states that are reached from ``start``, breadth first.

    Args:
        alphabet: The symbols.
        start: Any hashable state.
        follow: The state after a state and a symbol.
        show: The output of a state.
        name: What to call a state.
        limit: The most states.

    Raises:
        StateMachineError: more than ``limit`` states are reached.

    Example:
        >>> mod3 = explore("ab", 0, lambda n, symbol: (n + (symbol == "a")) % 3, lambda n: n == 0)
        >>> len(mod3), mod3.accepts("abaab")
        (3, True)
    """
    numbers: dict[_State, int] = {start: 0}
    states, rows = [start], list[tuple[int, ...]]()
    for state in states:
        row = []
        for symbol in alphabet:
            following = follow(state, symbol)
            if following not in numbers:
                if len(states) == limit:
                    raise StateMachineError(
                        f"more than {limit} states are reached; a machine that counts without a "
                        "bound is not finite: bound it, or raise limit"
                    )
                numbers[following] = len(states)
                states.append(following)
            row.append(numbers[following])
        rows.append(tuple(row))
    names = None if name is None else tuple(name(state) for state in states)
    return StateMachine(tuple(alphabet), tuple(rows), tuple(map(show, states)), 0, names)


def _number(values: Sequence[Hashable]) -> list[int]:
    """Equal values get the same number, from 0 in order of appearance."""
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(value, len(numbers)) for value in values]
