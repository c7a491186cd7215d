"""Voice separation and measures, on chords worked out by hand and beside music21's own checker."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from sluice.chorales.errors import ChoraleError
from sluice.chorales.key import ChoraleKey, find_key
from sluice.chorales.measures import ChordIndex, count_parallels, list_chords, measure
from sluice.chorales.parts import Parts, separate_voices
from sluice.chorales.roll import Roll, RollBar, RollNote, make_roll


def test_a_melody_below_the_soprano_s_range_stays_in_its_part() -> None:
    roll = _make_roll([[36, 43, 48, 50], [38, 43, 47, 55], [36, 40, 48], [57, 60, 64, 72]])
    bound = separate_voices(roll, melody_on_top=True)
    assert bound.pitches[:, 0].tolist() == [50] * 4 + [55] * 4 + [48] * 4 + [72] * 4
    assert separate_voices(roll).pitches[:, 0].tolist() != bound.pitches[:, 0].tolist()
    for step, row in enumerate(roll.states):  # all notes are sung, whoever sings them
        assert set(bound.pitches[step].tolist()) - {-1} == set(np.flatnonzero(row).tolist())


def _make_roll(chords: list[list[int]]) -> Roll:
    """A chord a quarter note, all struck."""
    notes = [
        RollNote(Fraction(at), Fraction(at + 1), pitch)
        for at, chord in enumerate(chords)
        for pitch in chord
    ]
    length = Fraction(len(chords))
    last = [(length - 1, length)]
    return make_roll(notes, [RollBar(Fraction(0), length, Fraction(0), Fraction(4))], fermatas=last)


def _make_parts(chords: list[list[int]]) -> Parts:
    """Chords from the soprano down, as they are given to the voices."""
    pitches = np.repeat(np.array(chords), 4, axis=0)
    strikes = np.zeros(pitches.shape, bool)
    strikes[::4] = True
    return Parts(pitches, strikes, _make_roll([sorted(set(chord)) for chord in chords]))


CADENCE = [[72, 67, 64, 48], [72, 69, 65, 53], [71, 67, 62, 55], [72, 67, 64, 48]]
"""C, F, G, C without parallels."""


def test_voices_follow_the_nearest_notes_and_may_share_one() -> None:
    chords = [*CADENCE, [72, 64, 64, 48]]
    parts = separate_voices(_make_roll([sorted(set(chord)) for chord in chords]))
    assert parts.pitches[::4].tolist() == chords
    lengths = [[float(n.end - n.start) for n in parts.list_notes(v)] for v in range(4)]
    assert lengths == [[1.0] * 5] * 4


def test_five_notes_at_once_are_refused() -> None:
    with pytest.raises(ChoraleError, match="5 notes at once at quarter note 1;"):
        separate_voices(_make_roll([[48, 60], [48, 52, 55, 60, 64]]))


def test_parallels_are_those_of_similar_motion() -> None:
    fifths = np.array([[67, -1, 60, -1], [69, -1, 62, -1], [69, -1, 62, -1], [67, -1, 48, -1]])
    assert count_parallels(fifths, 7) == 2  # down a third of it in the last: 67 over 48 is one too
    octaves = np.array([[72, 64, 67, 60], [74, 65, 67, 62]])
    assert (count_parallels(octaves, 0), count_parallels(octaves, 7)) == (1, 0)
    contrary = np.array([[72, -1, -1, 60], [67, -1, -1, 67]])
    assert count_parallels(contrary, 0) == 0


def test_parallels_are_those_that_music21_finds() -> None:
    music21 = pytest.importorskip("music21")
    from music21.voiceLeading import VoiceLeadingQuartet

    chance = np.random.default_rng(3)
    # Fifths and octaves are frequent: every chord holds some.
    roots = chance.integers(45, 52, 60)
    voices = (roots + 24 + 12 * chance.integers(0, 2, 60), roots + 19, roots + 7, roots)
    chords = np.stack(voices, axis=1)
    found = {7: 0, 0: 0}
    for before, after in itertools.pairwise(chords):
        for upper, lower in itertools.combinations(range(4), 2):
            pairs = [int(chord[k]) for k in (upper, lower) for chord in (before, after)]
            quartet = VoiceLeadingQuartet(*map(music21.note.Note, pairs))
            if not quartet.contraryMotion():  # which music21 counts too
                found[7] += bool(quartet.parallelFifth())
                found[0] += bool(quartet.parallelUnisonOrOctave())
    assert {d: count_parallels(chords, d) for d in (7, 0)} == found
    assert min(found.values()) > 10


def test_the_measures_of_a_cadence() -> None:
    found = measure(_make_parts(CADENCE))
    assert (found.fifths, found.octaves, found.crossings, found.out_of_range) == (0, 0, 0, 0)
    assert (found.four_voices, found.cadences, found.final_tonic) == (1, 1, 1)
    inverted = [*CADENCE[:3], [72, 67, 64, 52]]
    assert measure(_make_parts(inverted)).cadences == 0
    crossed = [[72, 67, 69, 48], *CADENCE[1:]]
    assert measure(_make_parts(crossed)).crossings == 0.25
    high = [[84, 67, 64, 48], *CADENCE[1:]]
    assert measure(_make_parts(high)).out_of_range == 1 / 16
    assert len(list_chords(_make_parts(CADENCE))) == 4


def test_copied_runs_are_found_in_any_key() -> None:
    rolls = [_make_roll([sorted(chord) for chord in CADENCE])]
    index = ChordIndex(rolls)
    higher = [[pitch + 3 for pitch in chord] for chord in CADENCE[1:]]
    # The first chord of a piece has no motion before it.
    assert index.find_longest_copy(_make_parts([[60, 59, 58, 57], *higher])) == 2
    assert index.find_longest_copy(_make_parts(CADENCE)) == 4


def test_keys_and_spelling() -> None:
    assert find_key(_make_roll([sorted(chord) for chord in CADENCE])) == ChoraleKey(0, False)
    names = {ChoraleKey(tonic, False).fifths: ChoraleKey(tonic, False).name for tonic in range(12)}
    assert names[-3] == "E flat major" and names[4] == "E major" and names[0] == "C major"
    assert ChoraleKey(9, True).fifths == 0 and ChoraleKey(9, True).name == "A minor"
    assert [ChoraleKey(9, True).spell(p) for p in (68, 70, 66)] == [("G", 1), ("B", -1), ("F", 1)]
