"""ABC to tokens and back, against tokens written by hand."""

from __future__ import annotations

import pytest

from sluice.tunes import abc
from sluice.tunes.errors import BadMusic
from sluice.tunes.tokens import Tune, from_abc

HEAD = "X:1\nT:Made\nM:{meter}\nL:{unit}\nK:{key}\n{music}\n"


def read(music: str, key: str = "C", meter: str = "4/4", unit: str = "1/8") -> Tune:
    text = HEAD.format(meter=meter, unit=unit, key=key, music=music)
    return from_abc(abc.blocks(text, "made.abc")[0])


@pytest.mark.parametrize(
    ("music", "options", "expected"),
    [
        ("CDEF GABc|", {}, "M:4/4 K:Cmaj C D E F G A B c |"),
        ("|:C2 D/2E/ F4:|", {}, "M:4/4 K:Cmaj |: C 2 D /2 E /2 F 4 :|"),
        # D major, with F and C sharp, is the scale of C a tone up
        ("DEFG ABcd|", {"key": "D"}, "M:4/4 K:Cmaj C D E F G A B c |"),
        # an accidental holds to the end of its bar, and the signature comes back after it
        ("^FF|F2|", {}, "M:4/4 K:Cmaj ^F ^F | F 2 |"),
        # E dorian has two sharps; its third is G, a minor third above: E flat over C
        ("E2 G2 ^c2|", {"key": "Edor"}, "M:4/4 K:Cdor C 2 _E 2 A 2 |"),
        ("A>B c<d|", {}, "M:4/4 K:Cmaj A 3/2 B /2 c /2 d 3/2 |"),
        ("(3CDE z2|", {}, "M:4/4 K:Cmaj (3 C D E z 2 |"),
        ("[CEG]2 C2|", {}, "M:4/4 K:Cmaj [ C E G ] 2 C 2 |"),
        ("CD|1 E2:|2 F2|]", {}, "M:4/4 K:Cmaj C D |1 E 2 :| |2 F 2 |"),
        ("CD::EF:|", {"unit": "1/4"}, "M:4/4 K:Cmaj C 2 D 2 :: E 2 F 2 :|"),
        ('"Am"~A2 {g}B2 !trill!c2 .d2|', {}, "M:4/4 K:Cmaj A 2 B 2 c 2 d 2 |"),
        ("CDE FGA|", {"meter": "6/8"}, "M:6/8 K:Cmaj C D E F G A |"),
    ],
)
def test_what_sounds(music: str, options: dict[str, str], expected: str) -> None:
    found = " ".join(read(music, **options).tokens)
    assert found == expected


@pytest.mark.parametrize(
    "music",
    ["|:^FF _B2 (3CDE|c,2 c'2 z2:|", "CD|1 E2:|2 F2|", "A>B [CEG]3/2 C/|", "C-C D2|"],
)
def test_back_and_forth_changes_nothing_the_second_time(music: str) -> None:
    once = read(music, key="G")
    again = from_abc(abc.blocks(once.abc(), "again")[0])
    assert again.tokens == once.tokens and again.abc() == once.abc()


@pytest.mark.parametrize(
    ("music", "told"),
    [
        ("CD\nEF ?|", "means nothing"),
        ("[CE", "chord that is not closed"),
        ("z4|", "no notes"),
        ("C^|", "accidental"),
    ],
)
def test_broken_music_names_its_line(music: str, told: str) -> None:
    with pytest.raises(BadMusic, match=told) as caught:
        read(music)
    assert caught.value.line >= 6 or told == "no notes"


def test_exact_durations() -> None:
    score = read("(3CDE F/2G/2 A|", meter="2/4").score
    assert [str(e.duration) for e in score.events] == ["2/3", "2/3", "2/3", "1/2", "1/2", "1"]
    assert score.bars[0].duration == 4 == score.bars[0].length
