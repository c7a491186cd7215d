import itertools
from fractions import Fraction

import pytest

from sluice.tunes.export import harmony
from sluice.tunes.export.harmony import Chord, harmonise, name_chords
from sluice.tunes.theory.keys import Pitch
from sluice.tunes.tune import Tune


def tune(body: str, head: str = "M:4/4 K:Cmaj", tonic: str = "C") -> Tune:
    return Tune(tuple(f"{head} {body}".split()), tonic=tonic)


@pytest.mark.parametrize(
    ("body", "mode", "names"),
    [
        ("c e g c' 5 | f a c' f 5 | g b d' g 5 | c e g c 5 |", "maj", ["C", "F", "G", "C"]),
        ("c _e g c 5 | _B d f _B 5 | c _e g c 5 |", "dor", ["Cm", "Bb", "Cm"]),
        ("c e g c 5 | a c' e a 5 | c e g c 5 |", "maj", ["C", "Am", "C"]),
    ],
)
def test_broken_chords_are_recognised(body: str, mode: str, names: list[str]) -> None:
    source = tune(body, f"M:4/4 K:C{mode}")
    assert list(name_chords(source.score, source).values()) == names


def test_names_are_those_of_the_key() -> None:
    source = tune("c e g c' 5 | a c' e a 5 | g b d' g 5 | c e g c 5 |", tonic="D")
    assert list(name_chords(source.score, source).values()) == ["D", "Bm", "A", "D"]
    assert Chord(Pitch.parse("E")[0], minor=True).pitch_classes == (4, 7, 11)


def test_an_upbeat_has_no_chord_and_a_bar_may_have_two() -> None:
    source = tune("G 2 | c e g c' f a c' f | g 8 | c 8 |")
    found = harmonise(source.score)
    assert 0 not in found
    places = [(place, [chord.root.letter for _, chord in here]) for place, here in found.items()]
    assert places == [(1, ["C", "F"]), (2, ["G"]), (3, ["C"])]
    assert [offset for offset, _ in found[1]] == [0, Fraction(4)]


def test_no_other_progression_scores_higher() -> None:
    """Every progression of four bars' chords, tried out one by one."""
    source = tune("c e d g 5 | f a d e 5 | g f d b 5 | c d e c 5 |")
    slots = list(harmony._find_slots(source.score))
    known = [harmony._parse_chord(text) for text in harmony._CHORDS["maj"].split()]

    def score(path: tuple[int, ...]) -> float:
        total = sum(
            harmony._score_chords(slot, known)[n] for slot, n in zip(slots, path, strict=True)
        )
        total += harmony._TONIC_BONUS * ((path[0] == 0) + 2 * (path[-1] == 0))
        for (a, before), (b, after) in itertools.pairwise(zip(path, slots, strict=True)):
            total += harmony._score_transition(a, b, before.bar == after.bar)
        return total

    best = max(itertools.product(range(len(known)), repeat=len(slots)), key=score)
    assert harmony._find_best_path(slots, known) == [known[n] for n in best]
