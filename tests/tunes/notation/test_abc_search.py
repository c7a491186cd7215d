"""Tunes without X:, the file's header, and text around tunes."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest

from sluice.tunes.errors import NoTunesError
from sluice.tunes.notation.abc_file import Block, split_blocks
from sluice.tunes.notation.tune_files import split_tunes
from sluice.tunes.tune import from_abc


def describe(blocks: list[Block]) -> list[tuple[int, str, str]]:
    return [(block.line, block.title, " ".join(from_abc(block).tokens)) for block in blocks]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("M:4/4\nL:1/8\nK:C\nCDEF|\n", [(1, "X:1", "M:4/4 K:Cmaj C D E F |")]),
        ("T:No number\nM:4/4\nL:1/8\nK:D\nDEFG|\n", [(1, "No number", "M:4/4 K:Cmaj C D E F |")]),
        ("\n\nM:4/4\nL:1/8\nK:C\n\nCDEF|\n", [(3, "X:1", "M:4/4 K:Cmaj C D E F |")]),
        (
            "% a book\nT:One\nM:4/4\nL:1/8\nK:C\nCDEF|\n\nT:Two\nM:3/4\nL:1/8\nK:C\nCDE|\n",
            [(2, "One", "M:4/4 K:Cmaj C D E F |"), (8, "Two", "M:3/4 K:Cmaj C D E |")],
        ),
        (
            "T:First\nM:4/4\nL:1/8\nK:C\nCDEF|\n\nX:5\nT:Next\nM:3/4\nL:1/8\nK:C\nCDE|\n",
            [(1, "First", "M:4/4 K:Cmaj C D E F |"), (7, "Next", "M:3/4 K:Cmaj C D E |")],
        ),
        (
            "X:1\nM:4/4\nL:1/8\nK:C\nCDEF|\n\nT:Below\nM:3/4\nL:1/8\nK:D\nDEF|\n\n"
            "M:3/4\nL:1/8\nK:C\nEFG|\n\nX:2\nM:4/4\nL:1/8\nK:C\nGABc|\n",
            [
                (1, "X:1", "M:4/4 K:Cmaj C D E F |"),
                (7, "Below", "M:3/4 K:Cmaj C D E |"),
                (13, "X:3", "M:3/4 K:Cmaj E F G |"),
                (18, "X:2", "M:4/4 K:Cmaj G A B c |"),
            ],
        ),
        (
            "X:1\nT:A header in two parts\n\nM:4/4\nL:1/8\nK:C\n\nCDEF|\n\nK:D\nDEFG|\n",
            [(1, "A header in two parts", "M:4/4 K:Cmaj C D E F | D E ^F G |")],
        ),
    ],
)
def test_tunes_without_a_number(text: str, expected: list[tuple[int, str, str]]) -> None:
    assert describe(split_blocks(text, "book")) == expected


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\r"])
def test_the_files_header_is_the_default_of_its_tunes(break_: str) -> None:
    lines = [
        "%abc-2.1", "%%titlefont Times 20", "M:6/8 % of a jig", "L:1/4", "R:Jig",
        "Q:3/8=70", "T:A book", "K:G", "", "X:1", "T:One", "K:D", "d3|", "",
        "X:2", "M:4/4", "K:C", "c4|",
    ]  # fmt: skip
    one, two = (block.parse_header() for block in split_blocks(break_.join(lines), "book"))
    assert (one.meter, one.unit_length, one.rhythm) == ("6/8", Fraction(1, 4), "Jig")
    assert (two.meter, two.unit_length, two.rhythm) == ("4/4", Fraction(1, 4), "Jig")
    assert one.titles == ("One",) and two.titles == ()
    assert (one.key.tonic, two.key.tonic) == ("D", "C")


def test_text_above_the_first_tune_is_no_header_and_is_remarked() -> None:
    text = "%abc\n\nDear all,\nM: is a field.\n\nX:1\nM:4/4\nL:1/8\nK:C\nCDEF|\n"
    found = split_tunes(text, "book")
    assert [(one.line, one.kind) for one in found.remarks] == [
        (3, "text above the first tune, left out")
    ]
    assert found.blocks[0].defaults == ()
    with pytest.raises(NoTunesError):
        split_tunes("Dear all,\nM: is a field, and K: is one.\nAbe\n", "letter")


def test_nothing_in_typeset_text_begins_a_tune() -> None:
    text = (
        "%%begintext\nX:9\nM:4/4\nK:C\nabc|\n%%endtext\n\nX:1\nM:4/4\nL:1/8\nK:C\nCDEF|\n\n"
        "%%begintext\nX:1 is the first\n%%endtext\n"
    )
    assert describe(split_blocks(text, "book")) == [(8, "X:1", "M:4/4 K:Cmaj C D E F |")]


def test_typeset_text_without_end_hides_nothing() -> None:
    text = "%%begintext\n\nX:1\nM:4/4\nL:1/8\nK:C\nCDEF|\n"
    assert [block.line for block in split_blocks(text, "book")] == [3]


def test_many_typeset_texts_without_end_take_no_time() -> None:
    text = "X:1\nM:4/4\nL:1/8\nK:C\n" + "%%begintext\n" * 20_000 + "CDEF|\n"
    start = time.monotonic()
    assert describe(split_blocks(text, "book")) == [(1, "X:1", "M:4/4 K:Cmaj C D E F |")]
    assert time.monotonic() - start < 20  # a search for each one's end takes minutes
