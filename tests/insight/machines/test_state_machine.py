"""State machines: run, minimised, compared; the expected ones are built by hand."""

from __future__ import annotations

from itertools import product

import pytest

from sluice.insight import StateMachine, StateMachineError

PARITY = StateMachine(("0", "1"), ((0, 1), (1, 0)), (False, True))


def test_the_minimal_machine_does_the_same_with_fewest_states() -> None:
    # Counts ones modulo 6 and zeros modulo 2, and accepts by the ones modulo 3 alone.
    rows = [(6 * (1 - z) + one, 6 * z + (one + 1) % 6) for z in (0, 1) for one in range(6)]
    big = StateMachine(("0", "1"), tuple(rows), tuple(one % 3 == 1 for one in range(6)) * 2)
    small = big.minimise()
    assert len(small) == 3
    for word in product("01", repeat=7):
        assert small.accepts(word) == big.accepts(word) == (word.count("1") % 3 == 1)
    assert small.find_difference(big) is None


def test_minimising_keeps_texts_and_names_and_drops_what_is_not_reached() -> None:
    machine = StateMachine(
        ("a",), ((1,), (2,), (1,), (0,)), ("x", "y", "y", "z"), 0, ("p", "q", "r", "s")
    )
    assert machine.minimise() == StateMachine(("a",), ((1,), (1,)), ("x", "y"), 0, ("p", "q"))


def test_the_difference_is_a_shortest_word() -> None:
    at_most_two = StateMachine(("0", "1"), ((0, 1), (1, 2), (2, 3), (3, 3)), (False, True) * 2)
    assert PARITY.find_difference(at_most_two) == ("1", "1", "1", "1")
    swapped = StateMachine(("1", "0"), ((1, 0), (0, 1)), (False, True))
    assert PARITY.find_difference(swapped) is None
    with pytest.raises(StateMachineError, match="different symbols"):
        PARITY.find_difference(StateMachine(("a",), ((0,),), (True,)))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ((("0",), (), ()), "needs a state"),
        ((("0", "0"), ((0, 0),), (True,)), "each symbol once"),
        ((("0",), ((1,),), (True,)), "state 0 must lead"),
        ((("0", "1"), ((0,),), (True,)), "state 0 must lead"),
        ((("0",), ((0,),), (True, False)), "outputs must be one for each"),
        ((("0",), ((0,),), (True,), 1), "start must be"),
        ((("0",), ((0,),), (True,), 0, ("p", "q")), "names must be one for each"),
    ],
)
def test_what_is_no_machine_is_refused(parts: tuple[object, ...], said: str) -> None:
    with pytest.raises(StateMachineError, match=said):
        StateMachine(*parts)  # type: ignore[arg-type]


def test_strange_symbols_and_texts_are_refused() -> None:
    with pytest.raises(StateMachineError, match="symbol 1 of the word is '2'"):
        PARITY.run("02")
    with pytest.raises(StateMachineError, match="accepts nothing"):
        StateMachine(("a",), ((0,),), ("x",)).accepts("a")
