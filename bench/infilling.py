"""Filling gaps of a tune and varying it, beside composing one: the time of a call.

    python bench/infilling.py [--threads 1] [--checkpoint FILE] [--rounds 5]

Every call has a seed of its own; it takes about a minute.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from pathlib import Path

import torch
from paired import Report, measure_paired

from sluice.tunes import load_composer
from sluice.tunes.composition.inputs import read_tune
from sluice.tunes.tune import Tune

HEADER = "X:1\nT:The Irish Washerwoman\nR:jig\nM:6/8\nL:1/8\nK:G\n"
BARS = (
    "|:BGG DGG|BGB dcB|cAA EAA|cAc edc|BGG DGG|BGB dcB|cBc Adc|BGG G3:|"
    "|:gdg gdg|gdg gfe|fdf fdf|fdf fga|gfg ege|dBd gdB|cBc Adc|BGG G3:|"
).split("|")
COLUMNS = ["call", "ms", "of composing"]
NOTES = [
    "The bundled model on a jig of two sections of eight bars. A new seed for every call; the "
    "median of rounds, in turns in one run.",
]


def make_tune(*gaps: int) -> Tune:
    """The jig with gaps in place of these of `BARS`."""
    bars = ["*" if number in gaps else bar for number, bar in enumerate(BARS)]
    return read_tune(HEADER + "|".join(bars), gaps=bool(gaps))


def main() -> None:
    """Measure all calls, and save the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--checkpoint", type=Path)
    wanted = arguments.parse_args()
    torch.set_num_threads(wanted.threads)
    composer = load_composer(wanted.checkpoint)
    seeds = itertools.count()
    whole, one, four = make_tune(), make_tune(5), make_tune(3, 6, 12, 14)
    calls: dict[str, Callable[[], object]] = {
        "compose a jig": lambda: composer.compose(seed=next(seeds), dance="jig", key="G"),
        "vary, strength 0.3": lambda: composer.vary(whole, 0.3, seed=next(seeds)),
        "vary, strength 0.6": lambda: composer.vary(whole, 0.6, seed=next(seeds)),
        "fill 1 gap": lambda: composer.fill(one, seed=next(seeds)),
        "fill 4 gaps": lambda: composer.fill(four, seed=next(seeds)),
    }
    found = measure_paired(calls, wanted.rounds, block=0.5)
    report = Report("infilling", "Filling and varying tunes", COLUMNS, NOTES)
    base = found["compose a jig"]
    for name, seconds in found.items():
        report.add(name, f"{1000 * seconds:.0f}", f"{seconds / base:.1f}")
    report.keep()


if __name__ == "__main__":
    main()
