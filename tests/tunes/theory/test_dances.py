import re

import pytest

from sluice.tunes.composition.titles import ADJECTIVES, NOUNS, PLACES, generate_title
from sluice.tunes.corpus import collections
from sluice.tunes.corpus.families import normalise_title
from sluice.tunes.errors import TuneError
from sluice.tunes.theory.dances import DANCES, beat_length, default_tempo, find_dance


@pytest.mark.parametrize(
    ("rhythm", "meter", "tempo"),
    [
        ("jig", "6/8", DANCES["jig"].tempo),
        ("slip jig", "9/8", DANCES["slip jig"].tempo),
        ("double jig", "6/8", DANCES["jig"].tempo),
        ("", "3/4", DANCES["waltz"].tempo),
        ("highland fling", "2/2", DANCES["reel"].tempo),
        ("", "5/4", 112),
        ("march", "4/4", 59),
        ("march", "2/4", 117),
        ("slow air", "4/4", 30),
    ],
)
def test_the_tempo_of_a_dance_or_else_of_its_meter(rhythm: str, meter: str, tempo: int) -> None:
    assert default_tempo(rhythm, meter) == tempo


def test_a_bar_of_a_dance_in_any_of_its_meters_has_whole_beats() -> None:
    for name, known in DANCES.items():
        for meter in known.meters:
            above, below = map(int, meter.split("/"))
            assert above * 8 / below % beat_length(meter) == 0, name


@pytest.mark.parametrize(
    ("dance", "meter", "notes", "slowest", "fastest"),
    [
        ("jig", "6/8", 6, 5, 6), ("slip jig", "9/8", 9, 5, 6), ("slide", "12/8", 10, 5, 6),
        ("reel", "4/4", 8, 7, 8), ("hornpipe", "2/2", 8, 6, 7), ("polka", "2/4", 4, 4, 5),
        ("march", "2/4", 5, 4, 5), ("march", "4/4", 9, 4, 5), ("waltz", "3/4", 4, 2.5, 3.5),
        ("strathspey", "4/4", 8, 3.5, 4.5), ("air", "4/4", 6, 1, 2),
    ],
)  # fmt: skip
def test_a_usual_bar_is_played_at_a_usual_speed(
    dance: str, meter: str, notes: int, slowest: float, fastest: float
) -> None:
    """Notes a second, where a bar has so many notes, as it has in printed tunes of the dance."""
    above, below = map(int, meter.split("/"))
    beats = above * 8 / below / float(beat_length(meter))
    assert slowest <= notes / beats * default_tempo(dance, meter) / 60 <= fastest


def test_names_are_found_however_written() -> None:
    assert find_dance("Slip-Jig") is find_dance("slip jig") is DANCES["slip jig"]
    with pytest.raises(TuneError, match=r"dance must be one of jig, slip jig, .*got 'tango'"):
        find_dance("tango")


def test_no_tune_of_the_collections_has_a_made_up_title() -> None:
    invented = {
        normalise_title(f"The {a} {b}{c}") for a in ADJECTIVES for b in NOUNS for c in PLACES
    }
    assert normalise_title(generate_title(7)) in invented
    files = [file.read_text("latin-1") for file in collections._list_collection_files()]
    printed = {
        normalise_title(name) for text in files for name in re.findall("^T:(.*)", text, re.M)
    }
    assert len(printed) > 3000
    assert not invented & printed
