import io
import wave

import numpy as np
import pytest

from sluice.tunes.export import synthesis
from sluice.tunes.tune import Tune


def tune(body: str, **looks: object) -> Tune:
    return Tune(tuple(f"M:4/4 K:Cmaj {body}".split()), **looks)  # type: ignore[arg-type]


def strongest(samples: np.ndarray) -> float:
    """The loudest frequency, in hertz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 18))
    return float(np.fft.rfftfreq(1 << 18, 1 / synthesis.SAMPLE_RATE)[spectrum.argmax()])


@pytest.mark.parametrize("pitch", [57, 69, 81])
def test_instruments_are_in_tune(pitch: int) -> None:
    """Within three cents of equal temperament on A4 = 440 Hz."""
    for samples in (
        synthesis.synthesise_flute(pitch, 1.0),
        synthesis.synthesise_guitar(pitch, 1.0),
    ):
        cents = 1200 * np.log2(strongest(samples) / (440 * 2 ** ((pitch - 69) / 12)))
        assert min(abs(cents), abs(cents - 1200)) < 3


def test_notes_begin_and_end_in_silence() -> None:
    for samples in (synthesis.synthesise_flute(74, 0.2), synthesis.synthesise_guitar(50, 0.5)):
        assert max(abs(samples[0]), abs(samples[-1])) < 1e-4
        assert np.abs(np.diff(samples)).max() < 0.25 * np.abs(samples).max()


def test_a_tune_has_the_right_level_and_duration() -> None:
    """Two bars, repeated: eight half notes at 112 a minute, and a little room."""
    played = synthesis.render(tune("|: c d e f g a b c' | c' 4 z 4 :|", chords=True))
    assert 0.7 < np.abs(played).max() < 0.9
    assert np.sqrt((played**2).mean()) > 0.05
    seconds = 8 * 60 / 112
    assert seconds < len(played) / synthesis.SAMPLE_RATE < seconds + 1.5
    assert np.abs(played[-100:]).max() < 1e-4
    assert abs(played.mean()) < 1e-3


def test_the_notes_of_a_tune_sound_one_after_the_other() -> None:
    played = synthesis.render(tune("c 4 g 4 | c 8 |", tempo=60, tonic="D"))[:, 0]
    assert strongest(played[10_000:40_000]) == pytest.approx(440 * 2 ** (5 / 12), rel=0.005)
    assert strongest(played[54_000:84_000]) == pytest.approx(880, rel=0.005)


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
