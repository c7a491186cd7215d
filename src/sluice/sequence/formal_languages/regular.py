"""Regular languages: a finite machine remembers enough."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from sluice.sequence.errors import SequenceError
from sluice.sequence.formal_languages.language import FormalLanguage

_TOMITA = "Tomita 1982, Dynamic construction of finite automata from examples using hill-climbing"


def parity() -> FormalLanguage:
    """Words of 0 and 1 with an odd number of ones: two states, but every symbol counts.

    >>> parity().accepts("0111"), parity().accepts("0110")
    (True, False)
    """
    return FormalLanguage(
        *("parity", "an odd number of ones", "Minsky & Papert 1969, Perceptrons"),
        *(("0", "1"), (False, True), 0),
        lambda ones, symbol: (ones + int(symbol)) % 2,
        lambda ones: ones == 1,
    )


def tomita(number: int) -> FormalLanguage:
    """One of the seven languages of Tomita 1982 over 0 and 1, the usual test of inference.

    Raises:
        SequenceError: a number other than 1 to 7.

    >>> [len(tomita(number).build_machine()) for number in range(1, 8)]
    [2, 3, 5, 4, 4, 3, 5]
    """
    if number not in range(1, 8):
        raise SequenceError(f"There are Tomita's languages 1 to 7, got {number}.")
    description, start, advance, show = _LANGUAGES[number - 1]
    return FormalLanguage(
        f"Tomita {number}", description, _TOMITA, ("0", "1"), (False, True), start, advance, show
    )


def _follow_alternation(last: str, symbol: str) -> str | None:
    return symbol if symbol != last else None


def _follow_runs(state: tuple[bool, str, bool], symbol: str) -> tuple[bool, str, bool] | None:
    """After an odd run of ones, the run of zeros must be even: (is it so, last symbol, odd run)."""
    after_odd, last, odd = state
    if symbol == last:
        return after_odd, last, not odd
    if symbol == "0":
        return odd and last == "1", "0", True
    return None if after_odd and odd else (False, "1", True)


def _follow_zeros(zeros: int, symbol: str) -> int | None:
    if symbol == "1":
        return 0
    return zeros + 1 if zeros < 2 else None


def _follow_blocks(block: int, symbol: str) -> int | None:
    """Blocks 0 to 3 of 0*1*0*1*."""
    following = block if block % 2 == int(symbol) else block + 1
    return following if following < 4 else None


_LANGUAGES: tuple[
    tuple[str, Hashable, Callable[[Any, str], Hashable], Callable[[Any], bool]], ...
] = (
    ("1*", 0, lambda state, symbol: state if symbol == "1" else None, lambda state: True),
    ("(10)*", "0", _follow_alternation, lambda last: last == "0"),
    (
        "no odd run of zeros directly after an odd run of ones",
        (False, "", False),
        _follow_runs,
        lambda state: not (state[0] and state[2]),
    ),
    ("no three zeros in a row", 0, _follow_zeros, lambda zeros: True),
    (
        "even numbers of zeros and of ones",
        (0, 0),
        lambda odd, symbol: (odd[0] ^ (symbol == "0"), odd[1] ^ (symbol == "1")),
        lambda odd: odd == (0, 0),
    ),
    (
        "the numbers of zeros and of ones differ by a multiple of three",
        0,
        lambda difference, symbol: (difference + (1 if symbol == "1" else 2)) % 3,
        lambda difference: difference == 0,
    ),
    ("0*1*0*1*", 0, _follow_blocks, lambda block: True),
)
