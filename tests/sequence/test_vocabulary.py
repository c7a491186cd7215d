import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.sequence import SequenceError, UnknownTokenError, Vocabulary


def test_tokens_are_numbered_in_order_after_the_three_marks() -> None:
    vocabulary = Vocabulary.of([["G", "|"], ["A", "G"]])
    assert vocabulary.tokens == ("A", "G", "|")
    assert vocabulary.encode(["|", "A", "G"]) == [5, 3, 4]
    assert len(vocabulary) == 6
    assert "A" in vocabulary
    assert "B" not in vocabulary


def test_decoding_skips_the_marks() -> None:
    assert Vocabulary(("x", "y")).decode([1, 4, 3, 2, 0, 0]) == ["y", "x"]


@given(st.lists(st.text(min_size=1), min_size=1))
def test_round_trip(tokens: list[str]) -> None:
    vocabulary = Vocabulary.of([tokens])
    restored = Vocabulary.from_json(vocabulary.to_json())
    assert restored == vocabulary
    assert restored.decode(restored.encode(tokens)) == tokens


def test_an_unknown_token_is_named() -> None:
    with pytest.raises(UnknownTokenError, match=r"'\^Q' is not among the 2"):
        Vocabulary(("x", "y")).encode(["x", "^Q"])


@pytest.mark.parametrize("number", [-1, 5])
def test_an_id_outside_is_refused(number: int) -> None:
    with pytest.raises(UnknownTokenError, match=f"from 0 to 4, got {number}"):
        Vocabulary(("x", "y")).decode([3, number])


def test_no_tokens_or_one_twice_is_refused() -> None:
    with pytest.raises(SequenceError, match="at least one token"):
        Vocabulary.of([])
    with pytest.raises(SequenceError, match="got 'x' twice"):
        Vocabulary(("x", "y", "x"))


@pytest.mark.parametrize("text", ["", "[", json.dumps({"a": 1}), json.dumps(["a", 1])])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(SequenceError, match="JSON list"):
        Vocabulary.from_json(text)
