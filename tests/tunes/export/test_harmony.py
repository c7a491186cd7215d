import itertools
from dataclasses import replace
from fractions import Fraction

import pytest

from sluice.tunes.export import harmony, midi
from sluice.tunes.export.harmony import harmonise, name_chords
from sluice.tunes.notation import abc_file
from sluice.tunes.notation.chord_symbols import ChordSymbol, parse_first
from sluice.tunes.tune import Tune, from_abc


def tune(body: str, head: str = "M:4/4 K:Cmaj", tonic: str = "C") -> Tune:
    return Tune(tuple(f"{head} {body}".split()), tonic=tonic, chords=True)


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
    known = harmony.list_common_chords("maj")

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


def written(body: str, key: str = "C") -> Tune:
    text = f"X:1\nT:t\nM:4/4\nL:1/8\nK:{key}\n{body}\n"
    return replace(from_abc(abc_file.split_blocks(text, "text")[0]), chords=True)


def names(source: Tune) -> list[list[tuple[int, str | None]]]:
    found = harmony.find_chords(source.score, source)
    return [[(int(at), chord and chord.name) for at, chord in found[place]] for place in found]


def test_chord_symbols_of_the_tune_come_first() -> None:
    source = written('C2|"C"c8|"^loud"g4 "G7"f4|d8|"N.C."c4 "C/E"e4|')
    assert names(source) == [
        [(0, None)],
        [(0, "C")],
        [(0, "C"), (4, "G7")],
        [(0, "G7")],
        [(0, None), (4, "C/E")],
    ]
    assert name_chords(source.score, source) == {}
    # Bass where a chord begins, the chord on the half notes after it: C, G7, C over E.
    played: dict[int, list[int]] = {}
    for note in midi.build_accompaniment(written('"C"c6 "G7"f2|"C/E"z8|')):
        played.setdefault(int(note.start), []).append(note.pitch)
    assert played == {0: [48], 4: [60, 52, 55], 6: [43], 8: [40], 12: [60, 52, 55]}
    in_d = midi.build_accompaniment(replace(written('"Am"c8|'), tonic="D"))
    assert sorted({note.pitch % 12 for note in in_d}) == [2, 6, 11]  # B minor


def test_a_second_ending_goes_on_from_the_music_before_the_first() -> None:
    source = written('|:"C"c8|1"G"d8:|2e8|"F"f8|')
    assert names(source) == [[(0, "C")], [(0, "G")], [(0, "C")], [(0, "F")]]


@pytest.mark.parametrize(
    ("name", "pitches"),
    [
        ("D7", [0, 2, 6, 9]),
        ("Gmaj7", [2, 6, 7, 11]),
        ("F#m", [1, 6, 9]),
        ("Bbdim", [1, 4, 10]),
        ("Eb+", [3, 7, 11]),
        ("Asus4", [2, 4, 9]),
        ("E5", [4, 11]),
        ("Bm7b5", [2, 5, 9, 11]),
        ("Cdim7", [0, 3, 6, 9]),
        ("Am6", [0, 4, 6, 9]),
        ("C9", [0, 2, 4, 7, 10]),
        ("Gadd9", [2, 7, 9, 11]),
    ],
)
def test_chord_symbols_name_their_notes(name: str, pitches: list[int]) -> None:
    chord = ChordSymbol.parse(name)
    assert chord is not None
    assert sorted(chord.pitch_classes) == pitches


@pytest.mark.parametrize("words", ["Fine", "D.C.", "Coda", "Gently", "1.", "Bis", "A tempo", ""])
def test_other_words_are_no_chords(words: str) -> None:
    assert parse_first(words) is None
