"""Annotations and words of a tune whose bars are replaced; the values are worked by hand."""

from dataclasses import replace

import pytest

from sluice.tunes.notation import abc_file
from sluice.tunes.notation.annotation_edits import replace_tokens
from sluice.tunes.tune import Tune, from_abc


def read(body: str, gaps: bool = False) -> Tune:
    text = f"X:1\nT:t\nC:Me\nM:2/4\nL:1/8\nK:C\n{body}\n"
    return from_abc(abc_file.split_blocks(text, "text")[0], gaps)


def edit(before: str, after: str, gaps: bool = False) -> str:
    """The music of `before`, edited into the notes of `after`, without spaces and line breaks."""
    tune = replace_tokens(read(before, gaps), read(after).tokens)
    assert tune.fields == (("C", "Me"),)
    music, *words = tune.abc().split("K:Cmaj\n")[1].split("\nw:")
    return "w:".join(["".join(music.split()), *words]).rstrip("\n")


@pytest.mark.parametrize(
    ("before", "after", "edited"),
    [
        # A bar between: its ornaments go, its chord symbols stay where a note begins.
        (
            '"C"~C4|"F"TF2 "G"!trill!G2|.C4|',
            "C4|AB cd|C4|",
            '"C"~C4|"F"AB"G"cd|.C4|',
        ),
        ('C4|F2 "G"G2|C4|', "C4|A3 d|C4|", "C4|A3d|C4|"),
        # A slur goes as a whole, one that leaps over the new bar stays.
        ("(C4|FG) (AB|(c4)|d4)|", "C4|c2d2|c4|d4|", "C4|c2d2|(c4)|d4|"),
        ("(C4|FGAB|c4)|", "C4|c2d2|c4|", "(C4|c2d2|c4)|"),
        # What belongs to a bar line and to a place.
        ('C4|!segno!F2TG2!fine!|C4"^D.C."|', "C4|ABcd|E4|", 'C4|!segno!ABcd!fine!|E4"^D.C."|'),
        # Notes at the start and the end of a bar that stay.
        ("~F.FG.G|C4|", "FEEG|C4|", "~FEE.G|C4|"),
        # A longer tune.
        ('"C"(CD)E.F|', "CDEF|GABc|", '"C"(CD)E.F|GABc|'),
        ("~CDEF|~G2", "CDEF|G2A2|B4|", "~CDEF|~G2A2|B4|"),
        # Another number of bars: the longest runs of equal ones.
        (".C4|~DEFG|TA4|HB4|", "c2c2|d2d2|DEFG|A4|B4|", "c2c2|d2d2|~DEFG|TA4|HB4|"),
    ],
)
def test_annotations_follow_their_notes(before, after, edited):
    assert edit(before, after) == edited


def test_words_stay_under_the_notes_that_stay():
    edited = edit("CDEF|GABc|c4|\nw: a b-c d | e f g h | i", "CDEF|c2B2|c4|")
    assert edited == "CDEF|c2B2|c4|w: a b-c d * * i"


def test_a_word_that_lost_a_syllable_goes():
    edited = edit("CDEF|GABc|c4|\nw: a- bi-de in- | to it_ me | any", "CDEF|c2B2|c4|")
    assert edited == "CDEF|c2B2|c4|w: a-bi-de * * * any"
    edited = edit("C2EF|GABc|c4|\nw: la_ so-| _- ing is| now", "C2EF|cGcB|c4|")
    assert edited == "C2EF|cGcB|c4|w: la_ * * * * * now"


def test_a_gap_hands_its_chord_symbol_on():
    assert edit('"C"C4|"G"*|.C4|', "C4|GABc|C4|", gaps=True) == '"C"C4|"G"GABc|.C4|'
    assert edit('~C2 "F"* .F|C4|', "C2EF|C4|", gaps=True) == '~C2"F"E.F|C4|'


def test_presentation_keeps_everything():
    tune = read('"C"~C4|(FG) z2|\nw: a b c\nW:d')
    shown = tune.with_presentation("Other", 90, True)
    assert shown.abc() == replace(tune, title="Other", tempo=90).abc()
