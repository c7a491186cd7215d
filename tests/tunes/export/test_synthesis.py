import io
import wave

import mido
import numpy as np
import pytest

from sluice.tunes.errors import TuneError
from sluice.tunes.export import synthesis
from sluice.tunes.export.instruments import INSTRUMENTS, SAMPLE_RATE
from sluice.tunes.tune import Tune


def tune(body: str, **looks: object) -> Tune:
    return Tune(tuple(f"M:4/4 K:Cmaj {body}".split()), **looks)  # type: ignore[arg-type]


def strongest(samples: np.ndarray) -> float:
    """The loudest frequency, in hertz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 18))
    return float(np.fft.rfftfreq(1 << 18, 1 / SAMPLE_RATE)[spectrum.argmax()])


def test_a_tune_has_the_right_level_and_duration() -> None:
    """Two bars, repeated: eight half notes at 112 a minute, and a little room."""
    played = synthesis.render(tune("|: c d e f g a b c' | c' 4 z 4 :|", chords=True))
    assert np.abs(played).max() == pytest.approx(10 ** (-1.5 / 20))
    assert np.sqrt((played**2).mean()) > 0.05
    seconds = 8 * 60 / 112
    assert seconds < len(played) / SAMPLE_RATE < seconds + 1.5
    assert np.abs(played[-100:]).max() < 1e-4
    assert abs(played.mean()) < 1e-3


def test_the_notes_of_a_tune_sound_one_after_the_other() -> None:
    played = synthesis.render(tune("c 4 g 4 | c 8 |", tempo=60, tonic="D"))[:, 0]
    assert strongest(played[10_000:40_000]) == pytest.approx(440 * 2 ** (5 / 12), rel=0.005)
    assert strongest(played[54_000:84_000]) == pytest.approx(880, rel=0.005)


REEL = "|: G 2 B G d G B G | c 2 e c g c e c | d f a f c' a f d | B 4 G 4 :|"


@pytest.mark.parametrize("instrument", list(INSTRUMENTS))
@pytest.mark.parametrize("chords", [False, True])
def test_a_wave_reaches_as_far_up_as_down(instrument: str, chords: bool) -> None:
    """Within 1.5 dB, around zero, and nowhere beyond the peak."""
    played = synthesis.render(tune(REEL, chords=chords, instrument=instrument, tonic="D"))
    highest, lowest = played.max(), -played.min()
    assert abs(20 * np.log10(highest / lowest)) < 1.5
    assert abs(played.mean()) < 1e-4
    assert max(highest, lowest) == pytest.approx(10 ** (-1.5 / 20))


@pytest.mark.parametrize("instrument", list(INSTRUMENTS))
def test_instruments_are_heard_and_named(instrument: str) -> None:
    short = tune("c e g c' |", tempo=240, instrument=instrument)
    programs = {"flute": 73, "fiddle": 110}
    (change,) = [
        m for m in mido.MidiFile(file=io.BytesIO(short.midi())) if m.type == "program_change"
    ]
    assert change.program == programs[instrument]
    others = [
        tune("c e g c' |", tempo=240, instrument=name) for name in INSTRUMENTS if name != instrument
    ]
    assert all(other.wav() != short.wav() for other in others)


def test_unknown_instruments_are_refused() -> None:
    for write in (Tune.midi, Tune.wav):
        with pytest.raises(TuneError, match="instrument must be flute or fiddle, got 'kazoo'"):
            write(tune("c |", instrument="kazoo"))


def test_a_hornpipe_sounds_swung() -> None:
    """The second of two eighths begins after two thirds of a quarter: 60 / 60 / 2 * 2 / 3 s."""
    played = synthesis.render(tune("c g c 2 z 4 |", tempo=60, rhythm="hornpipe"))[:, 0]
    turn = round(SAMPLE_RATE / 3)
    assert strongest(played[turn - 6000 : turn - 1000]) == pytest.approx(523.25, rel=0.01)
    assert strongest(played[turn + 1000 : turn + 6000]) == pytest.approx(783.99, rel=0.01)


def test_files_hold_the_samples() -> None:
    import soundfile

    short = tune("c e g c' |", tempo=240)
    played = synthesis.render(short)
    with wave.open(io.BytesIO(short.wav())) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 44100)
        stored = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2) / 32767
    assert np.abs(stored - played).max() < 1 / 32767
    back, rate = soundfile.read(io.BytesIO(short.ogg()))
    assert rate == 44100
    assert np.corrcoef(back[: len(played), 0], played[: len(back), 0])[0, 1] > 0.99
