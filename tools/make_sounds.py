"""Writes the sounds of the studio's player: one MP3 a note and instrument, in abcjs's layout.

    python tools/make_sounds.py [FOLDER]

The instruments are those of `sluice.tunes.export`, so that a page sounds like an OGG file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from sluice.tunes.export.instruments import (
    SAMPLE_RATE,
    Samples,
    synthesise_fiddle,
    synthesise_flute,
    synthesise_guitar,
)

FOLDER = Path(__file__).parents[1] / "src/sluice/studio/static/sound"
_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")


class Sounds(NamedTuple):
    """An instrument's notes: lowest and highest MIDI number, seconds, and loudness."""

    synthesise: Callable[[int, float], Samples]
    lowest: int
    highest: int
    seconds: float
    level: float


# A tune lies between G3 and E6, its chords between C2 and B4 or so, and both move by an octave.
INSTRUMENTS = {
    "flute": Sounds(synthesise_flute, 43, 100, 1.4, 0.3),
    "fiddle": Sounds(synthesise_fiddle, 43, 100, 1.4, 0.36),
    "acoustic_guitar_steel": Sounds(synthesise_guitar, 28, 79, 1.3, 0.42),
}


def name_note(pitch: int) -> str:
    """A MIDI number as abcjs names its file: 60 is `C4`."""
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for name, sounds in INSTRUMENTS.items():
        place = folder / f"{name}-mp3"
        place.mkdir(parents=True, exist_ok=True)
        for pitch in range(sounds.lowest, sounds.highest + 1):
            samples = sounds.level * sounds.synthesise(pitch, sounds.seconds)
            soundfile.write(
                place / f"{name_note(pitch)}.mp3",
                samples.astype(np.float32),
                SAMPLE_RATE,
                format="MP3",
                subtype="MPEG_LAYER_III",
                compression_level=0.7,
                bitrate_mode="VARIABLE",
            )
    size = sum(path.stat().st_size for path in folder.rglob("*.mp3"))
    print(f"{sum(1 for _ in folder.rglob('*.mp3'))} files, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
