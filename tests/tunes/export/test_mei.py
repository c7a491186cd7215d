"""The score's MEI, read back element by element."""

from fractions import Fraction
from xml.etree import ElementTree

import pytest

from sluice.tunes.errors import TuneError
from sluice.tunes.export.mei import to_mei
from sluice.tunes.tune import Tune

NS = "{http://www.music-encoding.org/ns/mei}"
SHARPS = {"s": 1, "f": -1, "n": 0, None: 0}
SCALE = dict(c=0, d=2, e=4, f=5, g=7, a=9, b=11)


def mei(body: str, head: str = "M:4/4 K:Cmaj", **looks: object) -> ElementTree.Element:
    tune = Tune(tuple(f"{head} {body}".split()), **looks)  # type: ignore[arg-type]
    return ElementTree.fromstring(to_mei(tune))


def sounding(music: ElementTree.Element) -> list[tuple[int, Fraction]]:
    """MIDI number and written length in eighths of every note that is not tied to."""
    found = []
    for note in music.iter(f"{NS}note"):
        alter = SHARPS[note.get("accid") or note.get("accid.ges")]
        pitch = 12 * (int(note.get("oct", "")) + 1) + SCALE[note.get("pname", "")] + alter
        length = Fraction(8, int(note.get("dur", ""))) * (
            2 - Fraction(1, 2 ** int(note.get("dots", "0")))
        )
        if note.get("tie") in ("m", "t"):
            assert found[-1][0] == pitch
            found[-1] = (pitch, found[-1][1] + length)
        else:
            found.append((pitch, length))
    return found


def test_pitches_and_lengths_in_the_key_of_the_tune() -> None:
    music = mei("c 2 ^f 3/2 g /2 _b 5 - | _b 8 |", tonic="D")
    assert sounding(music) == [(74, 2), (80, Fraction(3, 2)), (81, Fraction(1, 2)), (84, 13)]
    assert next(music.iter(f"{NS}keySig")).get("sig") == "2s"


def test_accidentals_are_written_where_the_bar_needs_them() -> None:
    music = mei("^f ^f f | f 4 |")
    assert [note.get("accid") for note in music.iter(f"{NS}note")] == ["s", None, "n", None]


@pytest.mark.parametrize(
    ("head", "body", "beams"),
    [
        ("M:6/8 K:Cmaj", "c d e f g a |", [3, 3]),
        ("M:4/4 K:Cmaj", "c d e f g a b c' |", [4, 4]),
        ("M:2/4 K:Cmaj", "c /2 d /2 e c 2 |", [3]),
        ("M:3/8 K:Cmaj", "c d e |", [3]),
        ("M:3/4 K:Cmaj", "c 2 d e z f |", [2]),
    ],
)
def test_beams(head: str, body: str, beams: list[int]) -> None:
    found = [len(beam.findall(f"{NS}note")) for beam in mei(body, head).iter(f"{NS}beam")]
    assert found == beams


def test_a_triplet_is_written_with_its_number() -> None:
    music = mei("(3 c d e f 2 |")
    (triplet,) = music.iter(f"{NS}tuplet")
    assert (triplet.get("num"), triplet.get("numbase")) == ("3", "2")
    assert [note.get("dur") for note in triplet] == ["8", "8", "8"]


def test_repeats_and_endings() -> None:
    music = mei("|: c 8 |1 d 8 :| |2 e 8 |: f 8 | g 8 |")
    bars = list(music.iter(f"{NS}measure"))
    assert [bar.get("left") for bar in bars] == ["rptstart", None, None, "rptstart", None]
    assert [bar.get("right") for bar in bars] == [None, "rptend", "dbl", None, "end"]
    endings = {e.get("n"): [m.get("n") for m in e] for e in music.iter(f"{NS}ending")}
    assert endings == {"1": ["2"], "2": ["3"]}


def test_a_double_bar_is_drawn_and_ends_the_bracket() -> None:
    music = mei("|: c 8 |1 d 8 :| |2 e 8 || f 8 | g 8 || a 8 ||")
    bars = [bar.get("right") for bar in music.iter(f"{NS}measure")]
    assert bars == [None, "rptend", "dbl", None, "dbl", "end"]
    endings = {e.get("n"): [m.get("n") for m in e] for e in music.iter(f"{NS}ending")}
    assert endings == {"1": ["2"], "2": ["3"]}


def test_an_upbeat_has_no_number_and_four_bars_make_a_line() -> None:
    music = mei("G | c 8 | c 8 | c 8 | c 7 | G | c 8 |")
    bars = [bar.get("n") for bar in music.iter(f"{NS}measure")]
    assert bars == ["0", "1", "2", "3", "4", "4", "5"]
    (section,) = music.iter(f"{NS}section")
    assert [place for place, part in enumerate(section) if part.tag == f"{NS}sb"] == [5]


@pytest.mark.parametrize(
    ("head", "sign"),
    [("M:6/8 K:Cmaj", "\ue1d5\ue1e7"), ("M:4/4 K:Cmaj", "\ue1d3"), ("M:3/4 K:Cmaj", "\ue1d5")],
)
def test_the_tempo_counts_beats(head: str, sign: str) -> None:
    music = mei("c 2 |", head, tempo=99)
    texts = ["".join(part.itertext()) for part in music.iter(f"{NS}rend")]
    assert f"{sign}\u00a0= 99" in texts


def test_a_length_without_a_note_value() -> None:
    with pytest.raises(TuneError, match="1/3 eighths cannot be written"):
        to_mei(Tune(tuple("M:4/4 K:Cmaj c /3 |".split())))
