"""Formal languages beside other definitions of them: patterns, counts, reductions."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product

import pytest
import torch

from sluice.insight import StateMachineError
from sluice.sequence import SequenceError
from sluice.sequence.formal_languages import (
    FormalLanguage,
    counting,
    dyck,
    memory_program,
    parity,
    tomita,
)


def _reduces(word: str) -> bool:
    while (shorter := re.sub(r"\(\)|\[\]", "", word)) != word:
        word = shorter
    return not word


def _is_deepest(word: str, depth: int) -> bool:
    heights = [sum(1 if s in "([" else -1 for s in word[:end]) for end in range(len(word) + 1)]
    return max(heights) <= depth


DEFINITIONS: list[tuple[FormalLanguage, Callable[[str], bool], int]] = [
    (parity(), lambda w: w.count("1") % 2 == 1, 2),
    (tomita(1), lambda w: "0" not in w, 2),
    (tomita(2), lambda w: re.fullmatch("(10)*", w) is not None, 3),
    (
        tomita(3),
        lambda w: re.search(r"(?<!1)1(11)*0(00)*(?!0)", w) is None,
        5,
    ),
    (tomita(4), lambda w: "000" not in w, 4),
    (tomita(5), lambda w: w.count("0") % 2 == 0 == w.count("1") % 2, 4),
    (tomita(6), lambda w: (w.count("0") - w.count("1")) % 3 == 0, 3),
    (tomita(7), lambda w: re.fullmatch("0*1*0*1*", w) is not None, 5),
    (dyck(1, depth=3), lambda w: _reduces(w) and _is_deepest(w, 3), 5),
    (dyck(2, depth=2), lambda w: _reduces(w) and _is_deepest(w, 2), 8),
    (counting(2, largest=3), lambda w: w in ("ab", "aabb", "aaabbb"), 8),
    (counting(2), lambda w: len(w) > 0 and w == "a" * (len(w) // 2) + "b" * (len(w) // 2), 0),
    (counting(3), lambda w: len(w) > 2 and w == "".join(s * (len(w) // 3) for s in "abc"), 0),
    (dyck(2), _reduces, 0),
]


@pytest.mark.parametrize(("language", "is_word", "states"), DEFINITIONS)
def test_words_and_machines_are_those_of_the_definition(
    language: FormalLanguage, is_word: Callable[[str], bool], states: int
) -> None:
    longest = 6 if len(language.alphabet) > 2 else 9
    words = ["".join(w) for n in range(longest + 1) for w in product(language.alphabet, repeat=n)]
    accepted = [word for word in words if is_word(word)]
    assert 0 < len(accepted) < len(words)
    assert [word for word in words if language.accepts(word)] == accepted
    assert ["".join(w) for w in language.list_words(longest)] == accepted
    # A symbol is possible where some word goes on so.
    prefixes = {w[:end] for w in accepted for end in range(len(w) + 1)}
    for word in (w for w in words if len(w) < longest // 3):
        possible = tuple(s for s in language.alphabet if word + s in prefixes)
        assert language.find_possible_symbols(word) == possible
    if states:
        machine = language.build_machine()
        assert len(machine) == states  # Tomita's: the sizes that papers list
        assert [word for word in words if machine.accepts(word)] == accepted
    else:
        with pytest.raises(StateMachineError, match="not finite"):
            language.build_machine()


def test_a_program_is_interpreted() -> None:
    language = memory_program(values=3)
    generator = torch.Generator().manual_seed(0)
    for program in language.draw(20, 30, generator):
        cell, shown = "nothing", ["nothing"]
        for instruction in program:
            match instruction.split():
                case ["store", value]:
                    cell = value
                case ["delete"]:
                    cell = "nothing"
            shown.append(cell if instruction == "load" else "nothing")
        assert language.label_prefixes(program) == shown
    assert len(language.build_machine()) == 1 + 2 * 3
    with pytest.raises(SequenceError, match="texts"):
        language.accepts(["load"])


def test_words_drawn_stay_prefixes_and_mistakes_leave_them() -> None:
    language, generator = dyck(2, depth=3), torch.Generator().manual_seed(0)
    clean = language.draw(200, 12, generator)
    assert all(language.find_possible_symbols(word) for word in clean)
    assert any(map(language.accepts, clean)) and len(set(clean)) > 150
    careless = language.draw(200, 12, generator, mistakes=0.3)
    lost = sum(not language.find_possible_symbols(word) for word in careless)
    assert 100 < lost < 200
    again = language.draw(200, 12, torch.Generator().manual_seed(0))
    assert again == clean
    finished = counting(2).draw(50, 30, generator)  # after ab nothing can follow: any symbol does
    assert {len(word) for word in finished} == {30}


def test_words_become_ids_labels_and_what_can_follow() -> None:
    language = counting(2)
    words = ["aabb", "abba"]
    assert language.encode(words).T.tolist() == [[1, 3, 3, 4, 4], [1, 3, 4, 4, 3]]
    assert language.encode_labels(words).T.tolist() == [[0, 0, 0, 0, 1], [0, 0, 1, 0, 0]]
    nothing, a, a_or_b, b, end = [0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1]
    expected = [[a, a_or_b, a_or_b, b, end], [a, a_or_b, end, nothing, nothing]]
    assert language.encode_next(words).transpose(0, 1).tolist() == expected
    with pytest.raises(SequenceError, match=r"lengths \[1, 2\]"):
        language.encode(["a", "ab"])
    with pytest.raises(SequenceError, match="none"):
        language.encode([])


def test_what_is_not_understood_is_refused() -> None:
    for wrong in (lambda: tomita(8), lambda: dyck(5), lambda: dyck(1, depth=0),
                  lambda: counting(1), lambda: counting(2, largest=0),
                  lambda: memory_program(0)):  # fmt: skip
        with pytest.raises(SequenceError):
            wrong()
    with pytest.raises(SequenceError, match="Symbol 1 of the word is 'c'"):
        counting(2).accepts("ac")
    with pytest.raises(SequenceError, match="mistakes from 0 to 1"):
        parity().draw(1, 2, torch.Generator(), mistakes=2.0)
