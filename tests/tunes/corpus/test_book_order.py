"""The dances by the numbers of O'Neill's book, against the R: fields that its files have."""

import pytest

from sluice.tunes.corpus.book_order import FOLDER, find_printed_dance
from sluice.tunes.notation.abc_file import split_blocks


@pytest.mark.parametrize(
    ("number", "dance"),
    [
        (1, "air"),
        (700, "air"),
        (701, "jig"),
        (1115, "jig"),
        (1116, "slip jig"),
        (1176, "reel"),
        (1555, "reel"),
        (1556, "hornpipe"),
        (1781, "long dance"),
        (1850, "march"),
        (1851, ""),
    ],
)
def test_a_number_has_the_dance_of_its_part_of_the_book(number: int, dance: str) -> None:
    text = f"X: {number}\nT:t\nK:C\nC|\n"
    (block,) = split_blocks(text, f"corpus/{FOLDER}/0001-0050.abc")
    assert find_printed_dance(block) == dance
    (other,) = split_blocks(text, "corpus/other/0001-0050.abc")
    assert find_printed_dance(other) == ""
