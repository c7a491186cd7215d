import io
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import mido
import pytest

from sluice.tunes.errors import TuneError
from sluice.tunes.export.midi import build_accompaniment, build_melody
from sluice.tunes.notation.abc_file import split_blocks
from sluice.tunes.theory.dances import default_swing
from sluice.tunes.tune import Tune, from_abc


def tune(body: str, meter: str = "4/4", rhythm: str = "hornpipe", **looks: object) -> Tune:
    return Tune((f"M:{meter}", "K:Cmaj", *body.split()), rhythm=rhythm, **looks)  # type: ignore[arg-type]


def lengths(played: Tune) -> list[Fraction]:
    return [note.length for note in build_melody(played)]


LONG, SHORT = Fraction(4, 3), Fraction(2, 3)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("c d e f g 2 a b |", [LONG, SHORT, LONG, SHORT, 2, LONG, SHORT]),
        ("c 3/2 d /2 e /2 f 3/2 g 4 |", [1.5, 0.5, 0.5, 1.5, 4]),
        ("(3 c d e f g 2 a 3 |", [SHORT] * 3 + [1, 2, 3]),
        ("c /2 d /2 e f 2 g 4 |", [0.5, 0.5, 1, 2, 4]),
        ("c d 2 e f 4 |", [1, 2, 1, 4]),
        ("c d - d 2 e f - f 2 |", [LONG, SHORT + 2, LONG, SHORT + 2]),
        ("z d e z [ c e ] [ d f ] g 2 |", [SHORT, LONG, LONG, LONG, SHORT, SHORT, 2]),
    ],
)  # fmt: skip
def test_even_pairs_within_a_beat_swing(body: str, expected: list[float]) -> None:
    """Dotted notes, triplets, shorter and longer notes, and what straddles a beat, do not."""
    assert lengths(tune(body)) == expected
    total = sum(bar.duration for bar in tune(body).score.bars)
    assert total == 8


def test_bars_and_the_whole_tune_keep_their_time() -> None:
    body = "|: G | c d e f g a b c' | c' b a 2 g f e :| |: d c | B c d e f g a b | c 2 e 2 c 2 :|"
    even, swung = build_melody(tune(body, swing=1.0)), build_melody(tune(body))
    assert len(even) == len(swung)
    for one, other in zip(even, swung, strict=True):
        assert other.start == one.start or other.start - one.start == Fraction(1, 3)
        assert other.pitch == one.pitch
    ends = [note.start + note.length for note in (even[-1], swung[-1])]
    assert ends[0] == ends[1] == 2 * (16 + 16)


def test_a_pickup_ends_with_a_pair() -> None:
    """Of three eighths the first stands alone; a short last bar begins with a pair."""
    assert lengths(tune("E F G | c d e f g 4 | c d e |")) == [
        1, LONG, SHORT, LONG, SHORT, LONG, SHORT, 4, LONG, SHORT, 1,
    ]  # fmt: skip


def test_meters_swing_in_their_own_notes() -> None:
    """Eighths in 2/2, sixteenths in 2/4, nothing in 6/8; also where the meter changes."""
    assert lengths(tune("c d e f g 4 |", "2/2")) == [LONG, SHORT, LONG, SHORT, 4]
    short = [LONG / 2, SHORT / 2]
    assert lengths(tune("c /2 d /2 e f /2 g /2 a |", "2/4")) == [*short, 1, *short, 1]
    assert lengths(tune("c d e f g a |", "6/8", swing=2.0)) == [1] * 6
    changing = "c d e f g 4 | M:2/4 c d e /2 f /2 g | M:6/8 c d e f g a |"
    assert lengths(tune(changing)) == [LONG, SHORT, LONG, SHORT, 4, 1, 1, *short, 1, *[1] * 6]


def test_hornpipes_swing_by_themselves_and_others_when_told() -> None:
    assert (default_swing("Hornpipe"), default_swing("set dance, hornpipe")) == (2, 2)
    assert {default_swing(name) for name in ("reel", "strathspey", "jig", "", "tango")} == {1}
    body = "c d e f g a b c' |"
    assert set(lengths(tune(body, rhythm="reel"))) == {1}
    assert lengths(tune(body, rhythm="reel", swing=3.0))[:2] == [Fraction(3, 2), Fraction(1, 2)]
    assert set(lengths(tune(body, swing=1.0))) == {1}
    assert tune(body).abc() == tune(body, swing=3.0).abc()


def test_the_accompaniment_stays_on_the_beat() -> None:
    body = "c e g e c e g e | c d e f c 4 |"
    assert build_accompaniment(tune(body, chords=True)) == build_accompaniment(
        tune(body, chords=True, swing=1.0)
    )


@pytest.mark.parametrize("swing", [0.5, 4.5, float("nan"), float("inf"), -1.0])
def test_impossible_swings_are_refused(swing: float) -> None:
    with pytest.raises(TuneError, match=r"swing is .* from 1 \(even\) to 4, got"):
        tune("c d e f |").with_presentation(None, None, False, swing)
    with pytest.raises(TuneError, match="swing is"):
        tune("c d e f |", swing=swing).midi()


HORNPIPES = """X:1
T:Steps
R:hornpipe
M:4/4
L:1/8
Q:1/2=92
K:G
|:GF|DGBd gfed|c2BA GABc|(3dcB (3cBA BGDG|F2 A4 dc|
BdGB A/B/c/A/ FD|E3 F G2 AB|cedc BAGF|G2 B2 G2:|
|:Bc|d2 Bd gd Bd|ecAc e2 dc|Bdgf edcB|A3 G F2 E2|G2- GF GABc|d6:|

X:2
T:Leaps
R:hornpipe
M:4/4
L:1/8
Q:1/2=92
K:Ador
|:e2 AB cBcd|eaag e2 dc|BGG2 BGdG|BcdB A4:|
|:a2 ag abge|dBGB d2 ef|g2 ge f4|edcB A4:|

X:3
T:Short steps
R:hornpipe
M:2/4
L:1/16
Q:1/4=92
K:D
FA|:dAFA DFAd|f2e2 defd|(3gag (3fgf e2c2|d3e f4|
gfed cABc|d2f2 e2AB|c4 e4|ABcd d2:|
"""


@pytest.mark.parametrize("number", [1, 2, 3])
def test_notes_begin_when_abc2midi_plays_them(number: int, tmp_path: Path) -> None:
    """It dots hornpipes in 4/4 and 2/4 by itself, at 2 to 1."""
    if shutil.which("abc2midi") is None:
        pytest.skip("abc2midi is not installed")
    (tmp_path / "tunes.abc").write_text(HORNPIPES)
    command = ["abc2midi", "tunes.abc", str(number), "-o", "out.mid"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    theirs = read_onsets(mido.MidiFile(tmp_path / "out.mid"))
    mine = read_onsets(
        mido.MidiFile(file=io.BytesIO(from_abc(split_blocks(HORNPIPES, "")[number - 1]).midi()))
    )
    assert len(mine) == len(theirs) > 60
    for (start, pitch), (their_start, their_pitch) in zip(mine, theirs, strict=True):
        assert (start, pitch) == (pytest.approx(their_start, abs=0.01), their_pitch)


def read_onsets(file: mido.MidiFile) -> list[tuple[float, int]]:
    """Of every note: when it begins, in eighths, and its number."""
    found = []
    for track in file.tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                found.append((now / file.ticks_per_beat * 2, message.note))
    return sorted(found)
