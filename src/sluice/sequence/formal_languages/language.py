"""A formal language: what each prefix of a word is labelled, words drawn from it, its machine."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Generator, Tensor

from sluice.insight.machines.state_machine import Output, StateMachine, explore
from sluice.sequence.errors import SequenceError
from sluice.sequence.vocabulary import START, Vocabulary

_MOST_KNOWN = 2**16

Word = Sequence[str]
"""A word, symbol by symbol; a text where each symbol is one character."""


@dataclass(frozen=True)
class FormalLanguage:
    """A language, by what is to be remembered of a prefix, and what that says of it.

    What is remembered may be unbounded, such as a count or a stack; `build_machine` gives the
    machine of a language for which it is not. It is None where no continuation is a word.

    Attributes:
        name: what it is called.
        description: which words are in it, in one sentence.
        source: the paper.
        alphabet: its symbols.
        outputs: what a prefix can be labelled: False and True (is it a word?), or texts.

    >>> language = FormalLanguage(
    ...     "twos", "as many a as a multiple of two", "", ("a",), (False, True), 0,
    ...     lambda count, symbol: (count + 1) % 2, lambda count: count == 0)
    >>> language.accepts("aaaa"), len(language.build_machine())
    (True, 2)
    """

    name: str
    description: str
    source: str
    alphabet: tuple[str, ...]
    outputs: tuple[Output, ...]
    start: Hashable
    advance: Callable[[Any, str], Hashable]
    """What is remembered after one more symbol; None where no continuation is a word."""
    show: Callable[[Any], Output]
    """The label of a prefix, from what is remembered of it, which is never None here."""

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The symbols with their ids."""
        return Vocabulary(self.alphabet)

    def label(self, word: Word) -> Output:
        """The label of a whole word. Raises SequenceError as `label_prefixes`."""
        return self.label_prefixes(word)[-1]

    def label_prefixes(self, word: Word) -> list[Output]:
        """The label of every prefix, from the empty one to the word itself.

        Raises:
            SequenceError: a symbol that is not in the alphabet.

        >>> from sluice.sequence.formal_languages import counting
        >>> counting(2).label_prefixes("aabb")
        [False, False, False, False, True]
        """
        return [self._show(state) for state in self._read(word)]

    def accepts(self, word: Word) -> bool:
        """Whether the word is in the language.

        Raises:
            SequenceError: a symbol that is not in the alphabet; labels that are texts.
        """
        if self.outputs != (False, True):
            raise SequenceError(
                f"{self.name} labels prefixes by texts and has no words; label_prefixes gives them"
            )
        return self.label(word) is True

    def find_possible_symbols(self, word: Word) -> tuple[str, ...]:
        """The symbols that can follow: with them the word can still become one of the language.

        >>> from sluice.sequence.formal_languages import counting
        >>> counting(2).find_possible_symbols("aa"), counting(2).find_possible_symbols("aab")
        (('a', 'b'), ('b',))
        """
        return self._find_possible(self._read(word)[-1])

    def draw(
        self, count: int, length: int, generator: Generator, mistakes: float = 0.0
    ) -> list[tuple[str, ...]]:
        """Random words: each symbol is one of those that can follow, all equally likely.

        Args:
            count: how many.
            length: of each, in symbols.
            generator: of the random numbers.
            mistakes: how likely each symbol is any of the alphabet; where none can follow, it
                always is.

        Raises:
            SequenceError: a negative count or length; mistakes outside [0, 1].
        """
        if count < 0 or length < 0 or not 0 <= mistakes <= 1:
            raise SequenceError(
                "count and length must be at least 0 and mistakes from 0 to 1, got "
                f"{count}, {length} and {mistakes}"
            )
        numbers = torch.rand(count, length, 2, generator=generator, dtype=torch.float64).tolist()
        words = []
        for row in numbers:
            state, word = self.start, list[str]()
            for chance, place in row:
                possible = () if chance < mistakes else self._find_possible(state)
                symbols = possible or self.alphabet
                word.append(symbols[int(place * len(symbols))])
                state = self._follow(state)[word[-1]]
            words.append(tuple(word))
        return words

    def list_words(self, longest: int) -> list[tuple[str, ...]]:
        """All words of at most ``longest`` symbols, the shortest first.

        >>> from sluice.sequence.formal_languages import counting
        >>> ["".join(word) for word in counting(3).list_words(6)]
        ['abc', 'aabbcc']
        """
        found = list[tuple[str, ...]]()
        level: list[tuple[tuple[str, ...], Hashable]] = [((), self.start)]
        for length in range(longest + 1):
            found += [word for word, state in level if self._show(state) is True]
            if length < longest:
                level = list(self._extend(level))
        return found

    def encode(self, words: Iterable[Word]) -> Tensor:
        """Words of one length as ids, ``(1 + length, batch)``, int64: `START`, then the symbols.

        The start symbol makes room for the label of the empty prefix.

        Raises:
            SequenceError: no words, or words of different lengths.
            UnknownTokenError: a symbol that is not in the alphabet.

        >>> from sluice.sequence.formal_languages import parity
        >>> parity().encode(["01", "11"]).tolist()
        [[1, 1], [3, 4], [4, 4]]
        """
        rows = [[START, *self.vocabulary.encode(word)] for word in words]
        return _stack([torch.tensor(row) for row in rows])

    def encode_labels(self, words: Iterable[Word]) -> Tensor:
        """The places of the labels in `outputs`, ``(1 + length, batch)``, int64.

        Raises:
            SequenceError: as `encode` and `label_prefixes`.

        >>> from sluice.sequence.formal_languages import parity
        >>> parity().encode_labels(["01", "11"]).tolist()
        [[0, 0], [0, 1], [1, 0]]
        """
        places = {output: k for k, output in enumerate(self.outputs)}
        rows = [[places[one] for one in self.label_prefixes(word)] for word in words]
        return _stack([torch.tensor(row) for row in rows])

    def encode_next(self, words: Iterable[Word]) -> Tensor:
        """Which symbols can follow each prefix, ``(1 + length, batch, symbols + 1)``, 0 or 1.

        The last column is whether the word may end there. Source: next-symbol prediction of Gers &
        Schmidhuber 2001, "LSTM recurrent networks learn simple context-free and context-sensitive
        languages". Float32, as a binary cross-entropy takes it.

        >>> from sluice.sequence.formal_languages import counting
        >>> counting(2).encode_next(["ab"])[:, 0].tolist()
        [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
        """
        return _stack(
            [torch.tensor([self._mark_next(state) for state in self._read(w)]) for w in words]
        )

    def build_machine(self, limit: int = 1000) -> StateMachine:
        """The minimal machine that labels every prefix right.

        Raises:
            StateMachineError: it would have more than ``limit`` states before it is made minimal,
                as where there is no bound on what must be remembered.
        """
        return explore(
            self.alphabet,
            self.start,
            lambda s, symbol: self._follow(s)[symbol],
            self._show,
            limit=limit,
        ).minimise()

    def _read(self, word: Word) -> list[Hashable]:
        states = [self.start]
        for step, symbol in enumerate(word):
            following = self._follow(states[-1])
            if symbol not in following:
                raise SequenceError(
                    f"Symbol {step} of the word is {symbol!r}; {self.name} has the symbols "
                    f"{', '.join(self.alphabet)}."
                )
            states.append(following[symbol])
        return states

    @cached_property
    def _successors(self) -> dict[Hashable, dict[str, Hashable]]:
        return {}

    def _follow(self, state: Hashable) -> dict[str, Hashable]:
        """What is remembered after each symbol; kept, since words meet the same states often."""
        if state not in self._successors:
            if len(self._successors) >= _MOST_KNOWN:
                self._successors.clear()
            advance = self.advance
            self._successors[state] = {
                symbol: None if state is None else advance(state, symbol)
                for symbol in self.alphabet
            }
        return self._successors[state]

    def _show(self, state: Hashable) -> Output:
        return False if state is None else self.show(state)

    def _find_possible(self, state: Hashable) -> tuple[str, ...]:
        return tuple(s for s, following in self._follow(state).items() if following is not None)

    def _mark_next(self, state: Hashable) -> list[float]:
        possible = self._find_possible(state)
        return [*(float(s in possible) for s in self.alphabet), float(self._show(state) is True)]

    def _extend(
        self, level: Iterable[tuple[tuple[str, ...], Hashable]]
    ) -> Iterator[tuple[tuple[str, ...], Hashable]]:
        for word, state in level:
            for symbol in self._find_possible(state):
                yield (*word, symbol), self._follow(state)[symbol]


def _stack(rows: list[Tensor]) -> Tensor:
    lengths = sorted({len(row) - 1 for row in rows})
    if len(lengths) != 1:
        raise SequenceError(
            "Words must be of one length, and at least one word, got "
            f"{f'lengths {lengths}' if lengths else 'none'}; encode those of each length by "
            "themselves."
        )
    return torch.stack(rows, dim=1)
