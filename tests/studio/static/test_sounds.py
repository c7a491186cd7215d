"""Every note of the player: in tune, not clipped, and quiet enough for a chord."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import sluice

soundfile = pytest.importorskip("soundfile")
FOLDER = Path(sluice.__file__).parent / "studio/static/sound"
FILES = sorted(FOLDER.rglob("*.mp3"))
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
GAIN = 0.35
"""What the player multiplies with: GAIN of own/player/clock.js."""


@cache
def read(path: Path) -> tuple[NDArray[np.float64], int]:
    samples, rate = soundfile.read(path)
    return samples, rate


def number(path: Path) -> int:
    """The MIDI number of a file such as `Bb4.mp3`."""
    name, octave = path.stem[:-1], int(path.stem[-1])
    return 12 * (octave + 1) + STEPS[name[0]] - name.count("b")


def hertz(path: Path) -> float:
    return float(440 * 2 ** ((number(path) - 69) / 12))


def measure_lowest_partial(samples: NDArray[np.float64], rate: int, near: float) -> float:
    """The peak of the spectrum within a semitone, between bins by a parabola of logarithms."""
    size = 1 << 18
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size))
    first, last = (round(near * 2 ** (step / 12) * size / rate) for step in (-1, 1))
    peak = first + int(spectrum[first : last + 1].argmax())
    assert spectrum[peak] > 0.05 * spectrum.max()
    assert spectrum[: round(0.7 * peak)].max() < 0.2 * spectrum[peak]
    below, here, above = np.log(spectrum[peak - 1 : peak + 2])
    return float((peak + (below - above) / (2 * (below - 2 * here + above))) * rate / size)


@pytest.mark.parametrize("instrument", ["flute", "fiddle", "acoustic_guitar_steel"])
def test_every_note_is_in_tune_and_not_clipped(instrument: str) -> None:
    for path in (FOLDER / f"{instrument}-mp3").iterdir():
        samples, rate = read(path)
        cents = 1200 * np.log2(measure_lowest_partial(samples, rate, hertz(path)) / hertz(path))
        assert abs(cents) < 2, (path.name, cents)
        assert 0.1 < np.abs(samples).max() < 0.99, path.name
        assert np.abs(samples[: rate // 10]).max() > 0.05, "it sounds at once"
        assert np.abs(samples[-rate // 500 :]).max() < 0.02, "it dies away"


def test_the_range_holds_tunes_and_chords_an_octave_up_and_down() -> None:
    ranges = {
        folder.name: {number(path) for path in folder.iterdir()} for folder in FOLDER.iterdir()
    }
    # From a fiddle's G3 to E6, and the guitar from its E2 to its chords' B4.
    for melody in ("flute-mp3", "fiddle-mp3"):
        assert ranges[melody] >= set(range(55 - 12, 88 + 12 + 1))
    assert ranges["acoustic_guitar_steel-mp3"] >= set(range(40 - 12, 67 + 12 + 1))
    assert sum(path.stat().st_size for path in FILES) < 1.7e6


@pytest.mark.parametrize("instrument", ["flute", "fiddle", "acoustic_guitar_steel"])
def test_six_notes_at_full_loudness_do_not_clip(instrument: str) -> None:
    files = {number(path): path for path in (FOLDER / f"{instrument}-mp3").iterdir()}
    loudest = 0.0
    for lowest, steps in itertools.product(
        range(min(files), max(files) - 27, 3), ((0, 7, 12, 16, 19, 24), (0, 4, 7, 12, 16, 19))
    ):
        chord = [read(files[lowest + step])[0] for step in steps]
        length = min(map(len, chord))
        loudest = max(loudest, float(np.abs(sum(note[:length] for note in chord)).max()))
    assert GAIN * loudest < 1
    assert loudest > 1, "a chord that never comes near tells nothing of the gain"
