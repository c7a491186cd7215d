"""Composed and harmonised chorales beside Bach's: parallels, ranges, cadences, copied runs.

    python bench/part_writing.py [PIECES]

The first PIECES (default 16) validation chorales of the package music21 give the melodies; the
shipped model harmonises each, once with candidates side by side, as `sluice compose --harmonise`
does, and once with a single one, which cannot look ahead. It also composes as many pieces.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from paired import Report

from sluice.chorales.composer import ComposedChorale
from sluice.chorales.corpus import load_chorales, split_chorales
from sluice.chorales.measures import ChordIndex, PartWriting, average, measure
from sluice.chorales.parts import separate_voices
from sluice.chorales.plan import Plan
from sluice.chorales.pretrained import load_composer
from sluice.chorales.roll import Roll

_COLUMNS = {
    "parallel fifths in 100 chords": ("fifths", "{:.1f}"),
    "parallel octaves": ("octaves", "{:.1f}"),
    "notes out of range": ("out_of_range", "{:.1%}"),
    "chords with crossed voices": ("crossings", "{:.1%}"),
    "steps in four voices": ("four_voices", "{:.0%}"),
    "fermatas on a triad in root position": ("cadences", "{:.0%}"),
    "last bass on the tonic": ("final_tonic", "{:.0%}"),
    "longest copy in chords": ("longest_copy", "{:.0f}"),
}


def main(pieces: int = 16) -> None:
    """Measure, print and keep the table."""
    split, composer = split_chorales(load_chorales()), load_composer()
    index = ChordIndex(split.training)
    melodies = list(split.validation[:pieces])
    report = Report(
        "part_writing",
        "Part writing of composed and harmonised chorales",
        ["pieces", "seconds each", "nats a step", *_COLUMNS],
        [
            f"Means over {len(melodies)} pieces; of the longest copy, the longest. Seeds from 0. "
            "The melodies are those of the first validation chorales, whose own settings are the "
            "first row."
        ],
    )

    def add(
        name: str, make: Callable[[int], ComposedChorale | Roll], *, melody_on_top: bool = False
    ) -> None:
        began = time.perf_counter()
        made = [make(number) for number in range(len(melodies))]
        seconds = (time.perf_counter() - began) / len(made)
        rolls = [one if isinstance(one, Roll) else one.roll for one in made]
        nats = [one.nats_per_step for one in made if isinstance(one, ComposedChorale)]
        found: list[PartWriting] = [
            measure(separate_voices(roll, melody_on_top=melody_on_top), index) for roll in rolls
        ]
        means = average(found)
        cells = [form.format(means[key]) for key, form in _COLUMNS.values()]
        shown = [f"{seconds:.1f}", f"{sum(nats) / len(nats):.2f}"] if nats else ["", ""]
        report.add(name, *shown, *cells)

    add("Bach", lambda number: melodies[number])
    add(
        "harmonised",
        lambda number: composer.harmonise(melodies[number], seed=number),
        melody_on_top=True,
    )
    add(
        "harmonised by one candidate",
        lambda number: composer.harmonise(melodies[number], seed=number, particles=1),
        melody_on_top=True,
    )
    add("composed", lambda number: composer.compose(Plan(), seed=number))
    report.keep()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
