"""Families on tunes made so that their kinship is known."""

from __future__ import annotations

import pytest

from sluice.tunes.errors import TuneError
from sluice.tunes.families import families, plain_title, split
from sluice.tunes.tokens import Tune


def tune(body: str, title: str = "") -> Tune:
    return Tune(("M:2/4", "K:Cmaj", *body.split()), title=title)


A = "C D E F | G A B c |"
B = "c B A G | F E D C |"
C = "E 2 G 2 | A 2 B 2 |"


def test_shared_passages_and_titles_join_and_joins_add_up() -> None:
    tunes = [
        tune(A),
        tune(f"{A} {B}"),
        tune(B, "The Kid on the Mountain"),
        tune(C),
        tune("D 4 | E 4 |", "kid on the mountain, No. 2"),
        tune("G 4 | E 4 |"),
    ]
    assert families(tunes) == [[0, 1, 2, 4], [3], [5]]


def test_what_is_banal_does_not_join() -> None:
    held, again = "C 4 | C 4 |", "C D C D | C D C D |"
    short = "C | D E F G |"  # an upbeat is no bar
    for body in (held, again, short):
        assert families([tune(body), tune(body)]) == [[0], [1]]


def test_titles_without_what_varies() -> None:
    assert plain_title("The Boys of Bluehill, No. 2 (slowly)") == "boys of bluehill"
    assert plain_title("An  Ugly-Customer!") == plain_title("ugly customer")


def test_split_keeps_families_whole_and_repeats_for_a_seed() -> None:
    pitches = ["C", "D", "E", "F", "G", "A", "B", "c", "d", "e", "f", "g", "a", "b"]
    tunes = []
    for number in range(60):
        p = [pitches[(number * k + number // 14) % 14] for k in range(1, 9)]
        body = f"{' '.join(p[:4])} | {' '.join(p[4:])} |"
        tunes += [tune(body), tune(f"{body} C 4 |")] if number % 2 else [tune(body)]
    parts = split(tunes, validation=0.2, seed=1)
    assert len(parts.training) + len(parts.validation) == len(tunes)
    assert 0 < len(parts.validation) <= 0.2 * len(tunes) + 1
    together = families([*parts.training, *parts.validation])
    edge = len(parts.training)
    assert all(all(p < edge for p in f) or all(p >= edge for p in f) for f in together)
    assert split(tunes, validation=0.2, seed=1) == parts
    assert 0 < parts.random_leak < 1 and f"{parts.families} families" in parts.report()


def test_one_family_cannot_be_split() -> None:
    with pytest.raises(TuneError, match="one family"):
        split([tune(A), tune(A)])
