"""Which units of the network that composes chorales follow the beat, the bar and the key.

    python examples/chorale_units.py docs/pictures

Runs the shipped model over chorales that it was not trained on (from the package music21) and
asks, for each unit of the upper layer over time, how much of its variance goes with four things:
whether its note sounds, the place of the step in the quarter note, the quarter of the bar, and the
note's degree in the key. Writes `chorale-units.png`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sluice.chorales.batches import select_notes, shift_steps
from sluice.chorales.composer import ChoraleComposer
from sluice.chorales.corpus import load_chorales, split_chorales
from sluice.chorales.key import find_key
from sluice.chorales.pretrained import load_composer
from sluice.chorales.roll import Roll
from sluice.insight.plots.canvas import Canvas

DEGREES = ("1", "♭2", "2", "♭3", "3", "4", "♯4", "5", "♭6", "6", "♭7", "7")
Floats = NDArray[np.float64]
Factors = dict[str, NDArray[np.int64]]


def run(composer: ChoraleComposer, rolls: Sequence[Roll], seed: int) -> tuple[Floats, Factors]:
    """Activities (places, units) of every note at every step, and what stands there.

    `key` is the semitones of a note above the tonic, with 12 more in minor; `another key` is the
    same for the tonic of another piece, to compare with.
    """
    chance = np.random.default_rng(seed)
    keys = [find_key(roll) for roll in rolls]
    others = [keys[place] for place in chance.permutation(len(keys))]
    pitches = np.arange(composer.low, composer.high + 1)
    found = []
    for roll, own, other in zip(rolls, keys, others, strict=True):
        states = select_notes(roll, composer.low, composer.high, strikes=True)
        inputs = np.concatenate((shift_steps(states), roll.clock()), axis=1)
        with torch.inference_mode():
            hidden, _ = composer.model.run_over_time(torch.from_numpy(inputs)[:, None])
        shape = states.shape
        degrees = [(pitches - key.tonic) % 12 + 12 * own.is_minor for key in (own, other)]
        factors = {
            "note": states.astype(np.int64),
            "beat": np.broadcast_to((roll.places % roll.grid)[:, None], shape),
            "bar": np.broadcast_to((roll.places // roll.grid)[:, None], shape),
            "key": np.broadcast_to(degrees[0], shape),
            "another key": np.broadcast_to(degrees[1], shape),
        }
        flat = {name: values.reshape(-1) for name, values in factors.items()}
        found.append((hidden[:, 0].flatten(0, 1).double().numpy(), flat))
    activities = np.concatenate([one for one, _ in found])
    names = found[0][1]
    return activities, {name: np.concatenate([flat[name] for _, flat in found]) for name in names}


def explain_variance(activities: Floats, groups: NDArray[np.int64]) -> Floats:
    """The share of each unit's variance that lies between groups (η²), (units,)."""
    values, places, counts = np.unique(groups, return_inverse=True, return_counts=True)
    sums = np.zeros((len(values), activities.shape[1]))
    np.add.at(sums, places, activities)
    means, mean = sums / counts[:, None], activities.mean(axis=0)
    between = counts @ (means - mean) ** 2
    total = ((activities - mean) ** 2).sum(axis=0)
    shares: Floats = between / np.where(total > 0, total, 1)
    return shares


def draw(activities: Floats, factors: Factors, best: dict[str, int], path: Path) -> None:
    """The mean activity of the best unit of each thing, by what stands there."""
    canvas = Canvas("light", 9.0, 2.9)
    axes = canvas.figure.subplots(1, 3)
    panels = {
        "beat": ("place in the quarter note", ["1", "e", "+", "a"]),
        "bar": ("quarter of the bar", ["1", "2", "3", "4"]),
        "key": ("degree of the note in major", list(DEGREES)),
    }
    for one, (name, (label, ticks)) in zip(axes, panels.items(), strict=True):
        unit = best[name]
        means = [activities[factors[name] == place, unit].mean() for place in range(len(ticks))]
        one.bar(range(len(ticks)), means, color=canvas.theme.layer)
        one.axhline(0, color=canvas.theme.ink, linewidth=0.8)
        canvas.style_axes(one, label, "mean activity", f"unit {unit}")
        one.set_xticks(range(len(ticks)), ticks)
    canvas.figure.savefig(path, dpi=110)


def main(folder: Path, rolls: Sequence[Roll] | None = None) -> dict[str, Floats]:
    """Print a table, and write the picture into `folder`."""
    composer = load_composer()
    rolls = split_chorales(load_chorales()).validation if rolls is None else rolls
    rolls = [one for one in rolls if set(one.meters.tolist()) == {16}]
    activities, factors = run(composer, rolls, seed=0)
    shares = {name: explain_variance(activities, groups) for name, groups in factors.items()}
    print(f"{len(rolls)} chorales in 4/4, {activities.shape[1]} units; best three units of each:")
    for name, share in shares.items():
        order = np.argsort(-share)[:3]
        print(f"{name:12}", "  ".join(f"unit {unit}: {100 * share[unit]:.0f} %" for unit in order))
    best = {name: int(share.argmax()) for name, share in shares.items()}
    folder.mkdir(parents=True, exist_ok=True)
    draw(activities, factors, best, folder / "chorale-units.png")
    return shares


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "chorale-units"))
