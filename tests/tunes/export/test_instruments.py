import numpy as np
import pytest

from sampling import thin_out
from sluice.tunes.export.instruments import (
    INSTRUMENTS,
    SAMPLE_RATE,
    Samples,
    synthesise_fiddle,
    synthesise_guitar,
)


def to_hertz(pitch: int) -> float:
    """Equal temperament on A4 = 440 Hz."""
    return float(440 * 2 ** ((pitch - 69) / 12))


def measure_spectrum(samples: Samples, size: int = 1 << 18) -> tuple[Samples, Samples]:
    """Frequencies in hertz, and how strong each is."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size))
    return np.fft.rfftfreq(size, 1 / SAMPLE_RATE), spectrum


def find_peak(samples: Samples, hertz: float) -> tuple[float, float]:
    """The strongest frequency within a semitone of `hertz`, and its strength."""
    frequencies, spectrum = measure_spectrum(samples)
    near = np.flatnonzero(abs(np.log2(np.maximum(frequencies, 1) / hertz)) < 1 / 12)
    best = near[spectrum[near].argmax()]
    return float(frequencies[best]), float(spectrum[best])


@pytest.mark.parametrize("name", list(INSTRUMENTS))
@pytest.mark.parametrize("pitch", thin_out(range(55, 89), 8, 3))
def test_held_notes_are_in_tune(name: str, pitch: int) -> None:
    """G3 to E6 within two cents."""
    for seconds in (0.4, 1.5):
        found, _ = find_peak(INSTRUMENTS[name].synthesise(pitch, seconds), to_hertz(pitch))
        assert abs(1200 * np.log2(found / to_hertz(pitch))) < 2


@pytest.mark.parametrize("pitch", [45, 52, 57])
def test_the_guitar_is_in_tune(pitch: int) -> None:
    found, _ = find_peak(synthesise_guitar(pitch, 1.0), to_hertz(pitch))
    assert abs(1200 * np.log2(found / to_hertz(pitch))) < 2


@pytest.mark.parametrize("name", list(INSTRUMENTS))
@pytest.mark.parametrize("pitch", [55, 74, 88])
def test_notes_begin_and_end_without_clicks(name: str, pitch: int) -> None:
    """In silence; and no edge is steeper than a sawtooth of six harmonics."""
    for seconds in (0.05, 0.3, 1.0):
        samples = INSTRUMENTS[name].synthesise(pitch, seconds)
        loudest = np.abs(samples).max()
        assert max(abs(samples[0]), abs(samples[-1])) < 1e-4
        assert np.abs(samples[:20]).max() < 0.01 * loudest
        assert np.abs(samples[-20:]).max() < 0.01 * loudest
        assert np.abs(np.diff(samples)).max() < 0.5 * loudest
        assert seconds < len(samples) / SAMPLE_RATE + 0.03 < seconds + 0.1


@pytest.mark.parametrize("name", list(INSTRUMENTS))
def test_a_note_grows_steadily_and_dies_away(name: str) -> None:
    """The level of each hundredth of a second: up within a tenth, even, down at the end."""
    samples = INSTRUMENTS[name].synthesise(69, 0.5)
    step = SAMPLE_RATE // 100
    levels = [float(samples[at : at + step].std()) for at in range(0, len(samples) - step, step)]
    steady = float(np.median(levels))
    assert levels[0] < 0.5 * steady
    assert all(0.7 * steady < level < 1.3 * steady for level in levels[10:45])
    assert levels[-1] < 0.3 * steady


@pytest.mark.parametrize("name", list(INSTRUMENTS))
@pytest.mark.parametrize("pitch", [55, 62, 74, 88])
def test_a_wave_reaches_as_far_up_as_down(name: str, pitch: int) -> None:
    samples = INSTRUMENTS[name].synthesise(pitch, 0.5)
    assert samples.max() == pytest.approx(-samples.min(), rel=0.05)
    assert abs(samples.mean()) < 1e-4


def test_a_fiddle_is_brighter_than_a_flute() -> None:
    """More of its strength lies in the third to tenth harmonics, and all of them sound."""
    shares = {}
    for name, instrument in INSTRUMENTS.items():
        samples = instrument.synthesise(62, 1.0)
        strength = [find_peak(samples, number * to_hertz(62))[1] for number in range(1, 11)]
        shares[name] = sum(strength[2:]) / sum(strength)
        if name == "fiddle":
            assert min(strength) > 0.02 * max(strength)
    assert shares["fiddle"] > 1.5 * shares["flute"]


def test_instruments_are_equally_loud() -> None:
    levels = [instrument.synthesise(69, 1.0).std() for instrument in INSTRUMENTS.values()]
    assert levels[0] == pytest.approx(levels[1], rel=0.1)


def test_a_fiddle_has_the_resonances_of_its_body() -> None:
    """Beyond the 1/n of a sawtooth, of a C sharp: the air near 280 Hz and the wood near 550 stand
    out from 830, and the bridge's hill near 2.5 kHz from 1.6."""
    samples = synthesise_fiddle(61, 1.0)
    gains = [find_peak(samples, number * to_hertz(61))[1] * number for number in range(1, 10)]
    assert min(gains[0], gains[1]) > 1.3 * gains[2]
    assert gains[8] > 1.05 * gains[5]
