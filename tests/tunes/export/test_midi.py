import io

import mido
import pytest

from sluice.tunes.export.midi import build_accompaniment, build_melody, to_midi
from sluice.tunes.tune import Tune


def notes(tokens: str, rhythm: str = "") -> list[tuple[float, float, int]]:
    """Start and end in seconds and number of every note, as another library plays them."""
    file = mido.MidiFile(file=io.BytesIO(to_midi(Tune(tuple(tokens.split()), rhythm=rhythm))))
    now, sounding, found = 0.0, {}, []
    for message in file:
        now += message.time
        if message.type == "note_on" and message.velocity:
            assert message.note not in sounding
            sounding[message.note] = now
        elif message.type in ("note_on", "note_off"):
            found.append((sounding.pop(message.note), now, message.note))
    assert not sounding
    return sorted(found)


def assert_plays(tokens: str, rhythm: str, expected: list[tuple[float, float, int]]) -> None:
    found = notes(tokens, rhythm)
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        assert mine == pytest.approx(theirs, abs=2e-3)


def test_a_reel_counts_half_notes() -> None:
    """112 half notes a minute, as for the dance: a quarter lasts 60 / 224 s."""
    eighth = 60 / 112 / 4
    expected = [(0, eighth, 72), (eighth, 3 * eighth, 74), (4 * eighth, 5 * eighth, 76)]
    assert_plays("M:4/4 K:Cmaj c d 2 z e |", "reel", expected)


def test_a_jig_counts_dotted_quarters() -> None:
    """112 dotted quarters a minute: an eighth is 60 / 112 / 3 s."""
    eighth = 60 / 112 / 3
    expected = [(0, 2 * eighth, 72), (2 * eighth, 3 * eighth, 76)]
    assert_plays("M:6/8 K:Cmaj c 2 e |", "jig", expected)


def test_triplets_ties_and_chords() -> None:
    """Three in the time of two eighths; a tie sounds once; a chord together."""
    third = 2 * 60 / 112 / 4 / 3
    expected = [
        *((0, third, 72), (third, 2 * third, 74), (2 * third, 3 * third, 76)),
        *((3 * third, 7.5 * third, 77), (7.5 * third, 9 * third, 60), (7.5 * third, 9 * third, 64)),
    ]
    assert_plays("M:4/4 K:Cmaj (3 c d e f 2 - | f [ C E ] |", "reel", expected)


def test_a_tempo_and_a_meter_are_written() -> None:
    tune = Tune(("M:3/4", "K:Cmaj", "c", "2", "|"), title="Łódź", rhythm="waltz")
    messages = list(mido.MidiFile(file=io.BytesIO(to_midi(tune))).tracks[0])
    (meter,) = (m for m in messages if m.type == "time_signature")
    (tempo,) = (m for m in messages if m.type == "set_tempo")
    assert (meter.numerator, meter.denominator) == (3, 4)
    assert mido.tempo2bpm(tempo.tempo) == pytest.approx(132, rel=1e-4)


@pytest.mark.parametrize(
    ("body", "order"),
    [
        ("c | d |", "cd"),
        ("c | d :| e |", "cdcde"),
        ("G |: c :| |: d :|", "Gccdd"),
        ("c :: d :|", "ccdd"),
        ("|: c |1 d :| |2 e |: f :|", "cdceff"),
        ("|: c |1 d | e :| |2 f | g :| a |", "cdecfga"),
        ("|: c |1,3 d :| |2,4 e :| f |", "cdcecdcef"),
        ("|: c |1,2 d :| |3 e :|", "cdcdce"),
        ("|: c |1 d :| |2 e || f | g :|", "cdcefgfg"),
        ("c :| d || e :| f |", "ccdeef"),
        ("|: c || d :| e |", "cdcde"),
        ("c |1 d :| |2 e :| f :|", "cdceff"),
    ],
)
def test_repeats_and_endings_are_played(body: str, order: str) -> None:
    numbers = {"G": 67, "c": 72, "d": 74, "e": 76, "f": 77, "g": 79, "a": 81}
    bars = Tune(("M:2/4", "K:Cmaj", *body.split())).played_bars
    assert [bar.events[0].pitches[0] for bar in bars] == [numbers[name] for name in order]


def test_a_tune_sounds_in_its_key_and_octave() -> None:
    tune = Tune(tuple("M:2/4 K:Cmaj c 2 e 2 |".split()), tonic="D", octave=-1)
    assert [note.pitch for note in build_melody(tune)] == [62, 66]


def test_chords_sound_softly_on_each_beat() -> None:
    """One bar of G, repeated: the root on the first beat, the triad on the second."""
    tune = Tune(tuple("M:6/8 K:Cmaj |: c e g c 3 :|".split()), tonic="G", chords=True)
    found = build_accompaniment(tune)
    assert [(int(note.start), note.pitch % 12) for note in found] == [
        *((0, 7), (3, 7), (3, 11), (3, 2)),
        *((6, 7), (9, 7), (9, 11), (9, 2)),
    ]
    file = mido.MidiFile(file=io.BytesIO(to_midi(tune)))
    sounding = [m for m in file if m.type == "note_on"]
    loudness = {
        channel: {m.velocity for m in sounding if m.channel == channel} for channel in (0, 1)
    }
    assert max(loudness[1]) < min(loudness[0])
