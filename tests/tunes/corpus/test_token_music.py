"""The notes of a tune's tokens, and which tokens they are from."""

from __future__ import annotations

import importlib.util
from itertools import pairwise

import pytest

from sluice.tunes.corpus.token_music import read_music

TOKENS = "R:reel M:4/4 K:Cmaj |:{2} c 2 [ c e ] g - |{1} g 2 (3 c d e z 2 ^f/ :|{0}".replace(
    "^f/", "^f /2 f /2"
).split()


def test_notes_have_the_time_and_the_pitch_that_their_tokens_say() -> None:
    music = read_music(TOKENS)
    assert music is not None
    eighth = music.notes[1].start / 2  # the first note has two
    names = ["".join(TOKENS[note.token : note.stop]) for note in music.notes]
    assert names == ["c2", "[ce]", "[ce]", "g-|{1}g2", "c", "d", "e", "^f/2", "f/2"]
    assert [note.pitch for note in music.notes] == [72, 72, 76, 79, 72, 74, 76, 78, 77]
    starts = [0, 2, 2, 3, 6, 6 + 2 / 3, 6 + 4 / 3, 10, 10.5]
    assert [note.start / eighth for note in music.notes] == pytest.approx(starts)
    lengths = [2, 1, 1, 3, 2 / 3, 2 / 3, 2 / 3, 0.5, 0.5]
    assert [note.length / eighth for note in music.notes] == pytest.approx(lengths)
    assert [bar / eighth for bar in music.bars] == pytest.approx([0, 4])


@pytest.mark.skipif(not importlib.util.find_spec("verovio"), reason="needs verovio")
def test_every_sign_of_the_score_has_its_tokens() -> None:
    music = read_music(TOKENS)
    assert music is not None and music.score is not None
    assert all(f'id="{name}"' in music.score for name in music.signs)
    spans = list(music.signs.values())
    assert ["".join(TOKENS[a:b]) for a, b in spans] == [
        "c2", "[ce]", "g-", "g2", "c", "d", "e", "z2", "^f/2", "f/2",
    ]  # fmt: skip
    assert all(left[1] <= right[0] for left, right in pairwise(spans))


def test_a_tune_that_breaks_off_is_read_up_to_its_last_bar_line() -> None:
    music = read_music([*TOKENS, "(3", "c"])
    assert music is not None
    assert len(music.notes) == 9 and "tuplet" in music.remark
    assert read_music(["c", "d"]) is None
