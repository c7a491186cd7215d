"""A piano roll, and the probability of each key at every step."""

from __future__ import annotations

import numpy as np

from sluice.report.page.forward import ForwardRecord
from sluice.report.page.pack import pack_tensor
from sluice.report.page.view_inputs import RollView

_BESIDE = 2
"""Keys drawn below the lowest and above the highest one that sounds or is likely."""
_LIKELY = 0.05


def pack_roll(view: RollView, forward: ForwardRecord, sequence: int) -> dict[str, object]:
    """Keys that sound at each step by their MIDI numbers, and their probabilities.

    The model reads at each step what sounded before, so both are of the same step.
    """
    start, stop = forward.window
    chances = forward.outputs[start:stop].detach().double().sigmoid()
    sounding = view.rolls[sequence][start:stop]
    seen = np.flatnonzero(sounding.any(0) | (chances > _LIKELY).any(0).cpu().numpy())
    low, high = (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, len(view.pitches))
    low, high = max(0, low - _BESIDE), min(len(view.pitches), high + _BESIDE)
    return {
        "kind": "roll",
        "pitches": list(view.pitches[low:high]),
        "seconds": view.step_seconds,
        "hasTempo": view.has_tempo,
        "sounding": [
            [view.pitches[key] for key in np.flatnonzero(step).tolist()] for step in sounding
        ],
        "chances": pack_tensor(chances[:, low:high]),
    }
