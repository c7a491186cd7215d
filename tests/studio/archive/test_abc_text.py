"""What is read in a tune's ABC, quickly and without errors of other kinds."""

from __future__ import annotations

import sys
import time
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.studio.archive.abc_text import MAX_BYTES, check_abc, read_abc, split_abc
from sluice.studio.errors import StudioError

HEAD = "X:1\nT:t\nM:4/4\nL:1/8\nK:D\n"


@pytest.mark.parametrize(
    ("head", "unit"),
    [
        (HEAD, "A"), (HEAD, "A|"), (HEAD, "|:A:|"), (HEAD, "Z99|"), (HEAD, "[ABc]"), (HEAD, "(A)"),
        (HEAD, "{ga}A"), (HEAD, '"'), (HEAD, "("), (HEAD, "{"), (HEAD, "!"), (HEAD, "[K:G]A"),
        (HEAD, "A&A|"), (HEAD, "V:1\nA|\n"), (HEAD, "%%begintext\n"), (HEAD, "A|\n\n"),
        ("X:1\nP:A200\nK:D\nP:A\n", "A|"), ("X:1\nP:((A9)9)2\nK:D\nP:A\n", "A|"),
        ("X:1\nm:nA=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nK:D\n", "nA"), ("X:1\nT:", "&"),
    ],
)  # fmt: skip
def test_the_work_of_reading_grows_with_the_text_alone(head: str, unit: str) -> None:
    many = MAX_BYTES // 4 // len(unit)
    read_abc(head + unit)  # what is made once, at the first call
    assert count_calls(head + unit * many) < 6 * count_calls(head + unit * (many // 4))


def count_calls(abc: str) -> int:
    """Function calls of reading: unlike seconds, the same on every machine and under every load."""
    calls = 0

    def count(frame: FrameType, event: str, arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    start = time.monotonic()
    try:
        facts = read_abc(abc)
    finally:
        sys.setprofile(None)
    assert facts.contour or facts.problem
    assert time.monotonic() - start < 60  # a pattern that backtracks takes minutes in one call
    return calls


_PIECES = st.sampled_from(
    ["X:1\n", "X:2\n", "T:a&eacute;\n", "M:4/4\n", "M:x\n", "L:1/0\n", "K:D\n", "K:Hp\n", "K:\n",
     "P:AB\n", "V:1 clef=bass\n", "Q:1/4=0\n", "w:a-b\n", "%%beginps\n", "%\n", "\n", "\n\n", "|:",
     ":|", "|1", "[2", "||", "A", "^c'", "_B,,", "z4", "Z3", "(3", "(3:2:", "[CE", "]", "{", "}",
     '"Am"', "!trill!", "-", "/", "3", "<", ">", "&", "\\", "*", "y", "~", "[M:3/8]", "[K:", "é"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=60).map("".join))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused_in_a_sentence(text: str) -> None:
    try:
        found = split_abc(text)
    except StudioError as error:
        assert error.sentence
        return
    for facts in found:
        assert facts.problem or facts.played
        again = read_abc(facts.abc)
        assert (again.contour, again.played) == (facts.contour, facts.played)


def test_text_is_kept_as_typed() -> None:
    typed = "X:1\r\nT:é \rK:D\n\tA  B|% remark\n"
    assert check_abc(typed) == "X:1\nT:é \nK:D\n\tA  B|% remark"
    for wrong, sentence in (("a\x07", "U\\+0007"), ("\ud800", "U\\+D800"), (" \n", "no ABC yet")):
        with pytest.raises(StudioError, match=sentence):
            check_abc(wrong)


def test_fields_above_the_first_tune_hold_for_each_that_stands_alone() -> None:
    first, second = split_abc("M:6/8\nL:1/4\n\nX:1\nK:D\nDEF|\n\nX:2\nM:3/4\nK:G\nGAB|\n")
    assert first.abc == "X:1\nM:6/8\nL:1/4\nK:D\nDEF|" and first.meter == "6/8"
    assert second.meter == "3/4" and second.line == 8
    assert second.played == read_abc("X:1\nL:1/4\nK:G\nGAB|").played
