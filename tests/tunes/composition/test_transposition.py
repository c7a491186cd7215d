import random
from dataclasses import replace

import pytest

from sampling import thin_out
from sluice.tunes.composition.transposition import PLAYABLE, parse_key, transpose
from sluice.tunes.errors import TuneError
from sluice.tunes.tune import Tune


@pytest.mark.parametrize(
    ("text", "mode", "name"),
    [
        ("D", None, "D"), ("em", None, "Em"), ("Ador", None, "Ador"), ("Bb", None, "Bb"),
        ("b", "min", "Bm"), ("F#m", None, "F#m"), ("A", "dor", "Ador"), ("Ador", "dor", "Ador"),
    ],
)  # fmt: skip
def test_keys_as_musicians_name_them(text: str, mode: str | None, name: str) -> None:
    assert parse_key(text, mode).name == name


@pytest.mark.parametrize(
    ("text", "mode", "message"),
    [
        ("H", None, r"key must be one such as D, G, A, Em, .*got 'H'"),
        ("", None, r"key must be one such as .*got ''"),
        ("Dfoo", None, r"key must be one such as .*got 'Dfoo'"),
        ("Em", "dor", "not of the mode"),
        ("E", "foo", r"mode must be one of maj.*got 'foo'"),
    ],
)
def test_invalid_keys_are_refused(text: str, mode: str | None, message: str) -> None:
    with pytest.raises(TuneError, match=message):
        parse_key(text, mode)


def pitches(tune: Tune) -> list[int]:
    return [p + tune.interval[1] for event in tune.score.events for p in event.pitches]


@pytest.mark.parametrize("mode", list(PLAYABLE))
@pytest.mark.parametrize("notes", ["C 2 G 2", "C 2 c 2", "c 2 g 2", "c' 2 g' 2"])
def test_a_tune_fits_a_whistle_in_a_usual_key(mode: str, notes: str) -> None:
    tune = Tune(tuple(f"M:2/4 K:C{mode} {notes} |".split()))
    found = transpose(tune, None, seed=3)
    assert found.tonic in PLAYABLE[mode]
    assert all(62 <= pitch <= 83 for pitch in pitches(found))


def test_a_requested_key_is_kept() -> None:
    tune = Tune(tuple("M:2/4 K:Cmaj G 2 c 2 |".split()))
    found = transpose(tune, "E", seed=0)
    assert found.tonic == "E"
    assert pitches(found)[1] - pitches(found)[0] == 5


def outside(tune: Tune, lowest: int, highest: int) -> int:
    return sum(not lowest <= pitch <= highest for pitch in pitches(tune))


@pytest.mark.parametrize("name", thin_out(["D", "G", "Em", "F#m", "Bb", None], 3, 2))
def test_no_other_octave_fits_better(name: str | None) -> None:
    """On a whistle (62 to 83), then on a fiddle (55 to 88), then by the smallest move."""
    chance = random.Random(str(name))
    scale = ["C,", "D,", "E,", "G,", "A,", "C", "D", "E", "F", "G", "A", "B", "c", "d", "e", "f"]
    scale += ["g", "a", "b", "c'", "d'", "e'", "g'", "a'"]
    mode = "min" if name and name.endswith("m") else "maj"
    moves = set()
    for seed in range(200):
        lowest = chance.randrange(len(scale) - 10)
        notes = chance.choices(scale[lowest : lowest + chance.randrange(4, 14)], k=24)
        tune = Tune(("M:4/4", f"K:C{mode}", *notes, "|"))
        found = transpose(tune, name.rstrip("m") if name else None, seed)
        ways = [replace(found, octave=octave) for octave in range(-3, 4)]
        costs = {
            way.octave: (outside(way, 62, 83), outside(way, 55, 88), abs(way.octave))
            for way in ways
        }
        assert costs[found.octave] == min(costs.values())
        moves.add(found.octave)
    assert {-1, 0} <= moves


@pytest.mark.parametrize("seed", range(4))
def test_of_keys_that_fit_alike_the_seed_chooses(seed: int) -> None:
    tune = Tune(tuple("M:4/4 K:Cmaj c d e f g f e d |".split()))
    assert transpose(tune, None, seed).tonic == ("D", "G")[random.Random(seed).randrange(2)]
