"""A tune written bar by bar, against the whole tune written at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sluice.tunes import read_tune
from sluice.tunes.errors import InvalidTokensError
from sluice.tunes.export.growing_abc import GrowingAbc
from sluice.tunes.notation.transcription import Transcription

HEAD = "X:1\nT:A\nR:reel\nM:4/4\nL:1/8\nQ:1/2=100\n"
TUNES = {
    "repeats": "K:D\n|:A2|dfaf gfed|c2 ec A4|dfaf gfed|c4 d2:|\n"
    "|:(3efg|a2f2 d4|^g2 =g2 f4|e8|d4 d2:|",
    "endings": "K:Em\n|:EGBe dBGB|^c_d=e^f gfed|1e4 e4:|2e2 B2 E4||z4 e4|[EB]8-|[EB]4 z4|]",
    "meters": "K:Bbmix\nB8|z8|[M:6/8]Bcd efg|B6|[M:2/4]B2 ^A2|B4|z4|d4|]",
    "accidentals": "K:C\n^F=F ^F2 F4|^f8|F8|_B,_B, =B,2 B4|",
}


@pytest.mark.parametrize("body", TUNES.values(), ids=TUNES)
@pytest.mark.parametrize("octave", [0, -1])
def test_it_is_the_whole_tune_at_every_bar_line(body: str, octave: int) -> None:
    tune = replace(read_tune(HEAD + body + "\n"), octave=octave)
    grown = GrowingAbc(Transcription(**vars(replace(tune, tokens=tune.tokens[:2]))))
    written = 0
    for stop in range(3, len(tune.tokens) + 1):
        if not grown.add(tune.tokens[stop - 1]):
            try:
                expected = replace(tune, tokens=tune.tokens[:stop]).abc()
            except InvalidTokensError:
                continue
            assert grown.text_with_last_bar == expected
            continue
        written += 1
        assert grown.text == replace(tune, tokens=tune.tokens[:stop]).abc()
    assert written >= len(tune.score.bars) - 1


def test_nothing_is_shown_behind_what_is_no_music() -> None:
    grown = GrowingAbc(Transcription(("M:4/4", "K:Cmaj"), "A"))
    for token in ("|:", "c", "|", "]", "2", "|", "e", "|"):
        grown.add(token)
    assert grown.text.endswith("\n|:c|\n")
    assert GrowingAbc(Transcription(("M:4/4", "K:Cmaj"))).text == ""
