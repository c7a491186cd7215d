"""The grammar of a gap against all sequences of few tokens, read by a plain function."""

from fractions import Fraction
from itertools import product

import pytest

from sluice.sequence import Vocabulary
from sluice.tunes.errors import TuneError
from sluice.tunes.grammar.alphabet import TuneAlphabet
from sluice.tunes.grammar.gap_grammar import GapGrammar

HEAD = "M:6/8 K:Cmaj |".split()


def fills(tokens: tuple[str, ...], eighths: int) -> bool:
    """Whether notes with durations and ties, the ties to the same note, last so long."""
    passed, held, place = Fraction(0), "", 0
    while place < len(tokens):
        note, place = tokens[place], place + 1
        if note not in "CE" or (held and note != held):
            return False
        length, held = Fraction(1), ""
        if place < len(tokens) and tokens[place] in ("2", "1/2", "3"):
            length, place = Fraction(tokens[place]), place + 1
        if place < len(tokens) and tokens[place] == "-":
            held, place = note, place + 1
        passed += length
    return passed == eighths and not held


@pytest.mark.parametrize("eighths", [1, 2])
def test_a_token_is_allowed_where_the_gap_can_still_be_filled(eighths: int) -> None:
    words = ["C", "E", "2", "1/2", "3", "-"]
    vocabulary = Vocabulary.of([[*HEAD, *words]])
    grammar = GapGrammar(TuneAlphabet(vocabulary), Fraction(eighths))
    complete = {
        tokens
        for length in range(1, 7)
        for tokens in product(words, repeat=length)
        if fills(tokens, eighths)
    }
    begun = {tokens[:place] for tokens in complete for place in range(len(tokens) + 1)}
    checked = 0
    for length in range(3):
        for prefix in product(words, repeat=length):
            if prefix not in begun:
                continue
            state = grammar.begin("6/8")
            for number in vocabulary.encode(prefix):
                state = grammar.advance(state, number)
            allowed = grammar.get_allowed_tokens(state)
            found = set(vocabulary.decode(allowed.nonzero()[0].tolist()))
            assert found == {word for word in words if (*prefix, word) in begun}, prefix
            assert grammar.is_full(state) == (prefix in complete)
            checked += 1
    assert checked >= 5


def test_tuplets_chords_and_notes_held_into_the_gap() -> None:
    vocabulary = Vocabulary.of([[*HEAD, *"C E G 2 3 (3 [ ] -".split()]])
    grammar = GapGrammar(TuneAlphabet(vocabulary), Fraction(2))

    def list_allowed(*tokens: str) -> set[str]:
        state = grammar.begin("6/8")
        for number in vocabulary.encode(tokens):
            state = grammar.advance(state, number)
        return set(vocabulary.decode(grammar.get_allowed_tokens(state).nonzero()[0].tolist()))

    assert list_allowed() == {"C", "E", "G", "(3", "["}
    assert list_allowed("(3", "C", "E") == {"C", "E", "G", "-", "["}
    assert list_allowed("[", "C", "E", "]") == {"C", "E", "G", "2", "-", "["}
    assert list_allowed("C", "2") == set()
    tied = grammar.get_allowed_tokens(grammar.begin("6/8", frozenset([64])))
    assert set(vocabulary.decode(tied.nonzero()[0].tolist())) == {"E", "(3"}


@pytest.mark.parametrize("length", [Fraction(1, 3), Fraction(0), Fraction(99)])
def test_lengths_that_no_notes_fill_are_refused(length: Fraction) -> None:
    vocabulary = Vocabulary.of([[*HEAD, "C", "2"]])
    with pytest.raises(TuneError, match="fill a gap of"):
        GapGrammar(TuneAlphabet(vocabulary), length)
