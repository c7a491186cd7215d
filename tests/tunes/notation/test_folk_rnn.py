"""The forms of folk-rnn's data sets and programs, with tunes invented here."""

from __future__ import annotations

import pytest

from sluice.tunes.notation.tune_files import split_tunes
from sluice.tunes.tune import Tune, from_abc

PLAIN = """M:4/4
K:Cmaj
|: c 2 e g c' 2 g e | f a g e d 4 :|

M:6/8
K:Cdor
|: G | c 3 e d c | [ c e g ] 3 z 3 |1 c /2 d /2 e 2 d 2 :| |2 (3 c d e c 2 c 3 |
"""
FIRST = "M:4/4 K:Cmaj |: c 2 e g c' 2 g e | f a g e d 4 :|"
SECOND = (
    "M:6/8 K:Cdor |: G | c 3 _e d c | [ c _e g ] 3 z 3 |1 c /2 d /2 _e 2 d 2 :| "
    "|2 (3 c d _e c 2 c 3 |"
)


def read(text: str) -> list[Tune]:
    return [from_abc(block) for block in split_tunes(text, "data").blocks]


def test_tunes_between_empty_lines() -> None:
    first, second = read(PLAIN)
    assert " ".join(first.tokens) == FIRST
    assert " ".join(second.tokens) == SECOND
    assert [(tune.title, tune.line) for tune in (first, second)] == [("X:1", 1), ("X:2", 5)]


@pytest.mark.parametrize(
    "text",
    [
        "<s> M:6/8 K:Cmaj |: c 3 d 3 :| </s>\n<s> M:4/4 K:Cmin c 8 | </s>\n",
        "<s> M:6/8 K:Cmaj |: c 3 d 3 :| </s> <s> M:4/4 K:Cmin c 8 | </s>",
        "<s>\nM:6/8\nK:Cmaj\n|: c 3 d 3 :|\n</s>\n<s>\nM:4/4\nK:Cmin\nc 8 |\n</s>\n",
        "M:6/8 K:Cmaj |: c 3 d 3 :|\n\nM:4/4 K:Cmin c 8 |\n",
        "M:6/8\nK:maj\n|: c 3 d 3 :|\n\nM:4/4\nK:min\nc 8 |\n",
        "M:6/8\r\nK:Cmaj\r\n|: c 3 d 3 :|\r\n\r\nM:4/4\r\nK:Cmin\r\nc 8 |\r\n",
    ],
)
def test_tunes_between_marks_and_on_one_line(text: str) -> None:
    assert [" ".join(tune.tokens) for tune in read(text)] == [
        "M:6/8 K:Cmaj |: c 3 d 3 :|",
        "M:4/4 K:Cmin c 8 |",
    ]


def test_what_its_programs_write_has_fields_and_numbers() -> None:
    text = (
        "X:7\nT:The Invented\nM:2/4\nK:Cmaj\nc 2 d e | c 4 |\n\n"
        "S:a program\nX:8\nT:Another\nM:4/4\nL:1/4\nK:Cmaj\nc 2 d e | c 4 |\n"
    )
    first, second = read(text)
    assert (first.title, " ".join(first.tokens)) == ("The Invented", "M:2/4 K:Cmaj c 2 d e | c 4 |")
    assert (second.title, " ".join(second.tokens[2:])) == ("Another", "c 4 d 2 e 2 | c 8 |")


def test_marks_in_a_title_are_no_marks() -> None:
    (tune,) = read("X:1\nT:An <s>Old</s> New Tune\nM:2/4\nL:1/8\nK:C\nc2 d2 |\n")
    assert tune.title == "An <s>Old</s> New Tune"


def test_ordinary_abc_is_not_taken_for_tokens() -> None:
    (tune,) = read("X:1\nM:2/4\nK:C\nc2 d2 |1 e4 :|2 c4 |\n")
    assert " ".join(tune.tokens[2:]) == "c d |1 e 2 :| |2 c 2 |"  # sixteenths where no L: is
