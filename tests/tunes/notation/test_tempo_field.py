"""Q: of a tune: read, remarked where it is none, written back."""

from __future__ import annotations

import pytest

from sluice import tunes
from sluice.tunes.tune import Tune

HEAD = "X:1\nT:A\nM:{meter}\nL:1/8\n{above}K:G\n{below}"


def read(above: str = "", below: str = "", meter: str = "6/8") -> Tune:
    return tunes.read_tune(HEAD.format(meter=meter, above=above, below=below) + "G6|\n")


@pytest.mark.parametrize(
    ("above", "below", "meter", "tempo", "written"),
    [
        ("Q:3/8=70\n", "", "6/8", 70, "Q:3/8=70"),
        ("Q:1/4=120\n", "", "6/8", 80, "Q:3/8=80"),
        ('Q:"Allegro" 1/4=120\n', "", "4/4", 60, "Q:1/2=60"),
        ("", "Q:1/8=180\n", "6/8", 60, "Q:3/8=60"),
        ("Q:3/8=70\n", "[Q:3/8=90]", "6/8", 90, "Q:3/8=90"),
        ("Q:1/4=90\n", "M:3/4\n", "6/8", 90, "Q:1/4=90"),
        ("Q:1/4=90\n", "", "none", 90, "Q:1/4=90"),
        ("Q:3/8=70\nQ:fast\n", "", "6/8", 70, "Q:3/8=70"),
    ],
)
def test_the_tempo_is_kept_and_written(
    above: str, below: str, meter: str, tempo: int, written: str
) -> None:
    tune = read(above, below, meter)
    assert tune.tempo == tempo == tune.beats_per_minute
    assert written in tune.abc().splitlines()
    assert tunes.read_tune(tune.abc()).tempo == tempo


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ('"Lively"', "in words alone"),
        ("fast", "cannot be read"),
        ("1/4=0", "out of 20 to 400"),
        ("1/0=1", "cannot be read"),
        ("", "in words alone"),
    ],
)
def test_what_is_no_tempo_is_remarked(value: str, kind: str) -> None:
    tune = read(f"Q:{value}\n")
    assert tune.tempo is None
    (remark,) = tune.remarks
    assert kind in remark.kind and "(Q:)" in remark.kind and remark.line == 5


def test_a_later_change_is_remarked() -> None:
    text = HEAD.format(meter="6/8", above="Q:3/8=70\n", below="") + "G6|\nQ:3/8=100\nG6|\n"
    tune = tunes.read_tune(text)
    assert tune.tempo == 70
    assert [(one.line, "Q:" in one.kind) for one in tune.remarks] == [(8, True)]
