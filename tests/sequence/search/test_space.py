from typing import Any

import pytest

from sluice.sequence import SequenceError
from sluice.sequence.search import SearchSpace
from sluice.sequence.search.space import Choice, Range

KINDS: dict[str, Any] = {"hidden": "int", "rate": "float", "cell": "name"}


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("hidden=8..64", Range(8, 64, False, "int")),
        ("hidden = 8..64:log", Range(8, 64, True, "int")),
        ("rate=1e-4..1e-1:log", Range(1e-4, 1e-1, True, "float")),
        ("rate=0..0.5", Range(0, 0.5, False, "float")),
        ("rate=0.1, 0.3", Choice((0.1, 0.3))),
        ("hidden=16,32,64", Choice((16, 32, 64))),
        ("cell=lstm,path/to/a:b.py:Mine", Choice(("lstm", "path/to/a:b.py:Mine"))),
        ("cell=../up.py:Mine", Choice(("../up.py:Mine",))),
    ],
)
def test_texts_are_ranges_and_choices(text: str, entry: Range | Choice) -> None:
    assert list(SearchSpace.parse([text], KINDS).entries.values()) == [entry]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["hidden"], "NAME=VALUES, with NAME one of hidden, rate, cell, got 'hidden'"),
        (["width=8..9"], "got 'width=8..9'"),
        (["hidden=8..64", "hidden=1,2"], "hidden is given twice"),
        (["hidden=64..8"], "from a lower to a higher number, got"),
        (["hidden=8..8"], "from a lower to a higher"),
        (["rate=0..1:log"], "higher number above 0"),
        (["rate=1..2:square"], "LOW..HIGH or LOW..HIGH:log"),
        (["hidden=1.5..3"], "hidden must be whole numbers, such as"),
        (["hidden=a,b"], "hidden must be whole numbers"),
        (["rate=nan..1"], "rate must be numbers"),
        (["rate=1..inf"], "rate must be numbers"),
        (["rate="], "rate must be numbers"),
        (["rate=.."], "rate must be numbers"),
        (["cell="], "cell must be different values, such as a,b"),
        (["cell=lstm,lstm"], "different values"),
        (["hidden=8,8"], "different values"),
    ],
)
def test_other_texts_are_refused(texts: list[str], message: str) -> None:
    with pytest.raises(SequenceError) as found:
        SearchSpace.parse(texts, KINDS)
    assert message in str(found.value)
