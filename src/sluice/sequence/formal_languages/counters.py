"""Languages that ask for a counter or a stack: finite only while that is bounded."""

from __future__ import annotations

from itertools import chain

from sluice.sequence.errors import SequenceError
from sluice.sequence.formal_languages.language import FormalLanguage

_LETTERS = "abcdefgh"
_BRACKETS = (("(", ")"), ("[", "]"), ("{", "}"), ("<", ">"))


def counting(blocks: int = 2, largest: int | None = None) -> FormalLanguage:
    """aⁿbⁿ for 2 blocks, aⁿbⁿcⁿ for 3, and so on, with n ≥ 1.

    No finite machine knows it for all n; of LSTM and GRU the LSTM learns to count (Weiss, Goldberg
    & Yahav 2018, "On the practical computational power of finite precision RNNs").

    Args:
        blocks: how many letters.
        largest: the largest n; None for all.

    Raises:
        SequenceError: fewer than 2 or more than 8 blocks, or a largest n below 1.

    >>> counting(2).accepts("aaabbb"), len(counting(2, largest=3).build_machine())
    (True, 8)
    """
    if not 2 <= blocks <= len(_LETTERS) or (largest is not None and largest < 1):
        raise SequenceError(
            f"blocks must be from 2 to {len(_LETTERS)} and largest at least 1, got {blocks} and "
            f"{largest}"
        )

    def advance(state: tuple[int, int, int], symbol: str) -> tuple[int, int, int] | None:
        block, n, read = state
        place = _LETTERS.index(symbol)
        if place == block == 0:
            return (0, n + 1, n + 1) if largest is None or n < largest else None
        if place == block and read < n:
            return block, n, read + 1
        return (place, n, 1) if place == block + 1 and read == n > 0 else None

    letters = _LETTERS[:blocks]
    bound = "" if largest is None else f", n at most {largest}"
    return FormalLanguage(
        "".join(f"{letter}ⁿ" for letter in letters),
        f"as many {', '.join(letters)} in this order, at least one of each{bound}",
        "Gers & Schmidhuber 2001, LSTM recurrent networks learn simple context-free and "
        "context-sensitive languages",
        *(tuple(letters), (False, True), (0, 0, 0), advance),
        lambda state: state[0] == blocks - 1 and state[1] == state[2],
    )


def dyck(kinds: int = 1, depth: int | None = None) -> FormalLanguage:
    """Balanced brackets of so many kinds: Dyck-1 asks for a counter, Dyck-2 for a stack.

    Args:
        kinds: of brackets, 1 to 4.
        depth: how many may be open at a time; None for any number.

    Raises:
        SequenceError: fewer than 1 or more than 4 kinds, or a depth below 1.

    >>> dyck(2).accepts("([])"), dyck(2).accepts("([)]"), dyck(1, depth=3).accepts("(((())))")
    (True, False, False)
    >>> len(dyck(1, depth=3).build_machine())
    5
    """
    if not 1 <= kinds <= len(_BRACKETS) or (depth is not None and depth < 1):
        raise SequenceError(
            f"kinds must be from 1 to {len(_BRACKETS)} and depth at least 1, got {kinds} and "
            f"{depth}"
        )
    pairs = dict(_BRACKETS[:kinds])

    def advance(stack: str, symbol: str) -> str | None:
        if symbol in pairs:
            return stack + symbol if depth is None or len(stack) < depth else None
        return stack[:-1] if stack and pairs[stack[-1]] == symbol else None

    bound = "" if depth is None else f", at most {depth} open at a time"
    return FormalLanguage(
        f"Dyck-{kinds}",
        f"balanced brackets of {kinds} kind{'s' * (kinds > 1)}{bound}",
        "Chomsky & Schützenberger 1963, The algebraic theory of context-free languages",
        *(tuple(chain(*_BRACKETS[:kinds])), (False, True), "", advance),
        lambda stack: not stack,
    )
