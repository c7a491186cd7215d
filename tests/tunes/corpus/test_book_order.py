"""The dances by the numbers of O'Neill's book, against the R: fields that its files have."""

from pathlib import Path

import pytest

from sluice.tunes.corpus import collections
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


def test_a_field_of_the_file_is_stronger_than_the_order(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    folder.mkdir()
    head = "T:t\nM:6/8\nL:1/8\nK:C\n"
    text = f"X:701\n{head}c3 d3|\n\nX:702\nR:slide\n{head}e3 d3|\n\nX:2000\n{head}f3 d3|\n"
    (folder / "some.abc").write_text(text)
    tunes = collections.load_collections([folder]).tunes
    assert [tune.rhythm for tune in tunes] == ["jig", "slide", ""]
