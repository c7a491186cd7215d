"""Words below the notes, aligned as ABC 2.1 says in section 5; the values are worked by hand."""

import pytest

from sluice.tunes.notation import abc_file
from sluice.tunes.tune import Tune, from_abc


def read(body: str) -> Tune:
    text = f"X:1\nT:t\nM:4/4\nL:1/4\nK:C\n{body}\n"
    return from_abc(abc_file.split_blocks(text, "text")[0])


@pytest.mark.parametrize(
    ("words", "syllables"),
    [
        ("syll-a-ble fly", "syll-|a-|ble|fly||||"),
        ("syll-a- ble", "syll-|a-|ble|||||"),
        ("syll-a--ble", "syll-|a-|-|ble||||"),
        ("time__ flies", "time|_|_|flies||||"),
        ("* of~the * day", "|of~the||day||||"),
        (r"half\-way home", r"half\-way|home||||||"),
        ("a | b c", "a||||b|c||"),
        ("a b c d | e", "a|b|c|d|e|||"),
        ("Ju-ly_ | Aug-ust", "Ju-|ly|_||Aug-|ust||"),
        (r"50\% off", r"50\%|off||||||"),
    ],
)
def test_syllables_find_their_notes(words, syllables):
    tune = read(f"CDEF|GABc|\nw: {words}")
    assert tune.lyrics == (tuple(syllables.split("|")),)
    again = from_abc(abc_file.split_blocks(tune.abc(), "text")[0])
    assert again.lyrics == tune.lyrics


def test_rests_and_grace_notes_take_no_syllable():
    assert read("C z {g}[EG] F|\nw: one two three").lyrics == (("one", "", "two", "three"),)


def test_lines_that_follow_each_other_are_verses():
    tune = read("CDEF|\nw: a b c d\nw: e f g h\nGABc|\nw: i\nw: * j")
    assert tune.lyrics == (
        ("a", "b", "c", "d", "i", "", "", ""),
        ("e", "f", "g", "h", "", "j", "", ""),
    )


def test_words_begin_after_the_notes_of_the_words_before():
    tune = read("CDEF|\nGABc|\nw: a b c d e\ncBAG|\nFEDC|\nw: | x")
    assert tune.lyrics == (("a", "b", "c", "d", "e", *[""] * 7, "x", "", "", ""),)
    # Nine bars are three lines; the words of the last need lines of words above them.
    tune = read("C4|" * 9 + "\nw: | | | | | | | | x")
    assert tune.abc().splitlines()[-6:] == [*["C8|C8|C8|C8|", "w: *"] * 2, "C8|", "w: x"]


def test_words_without_notes_are_reported():
    tune = read("CDEF|\nw: a b c d e f")
    assert tune.lyrics == (("a", "b", "c", "d"),)
    assert [(remark.kind, remark.line) for remark in tune.remarks] == [
        ("words without a note (w:), left out", 7)
    ]
