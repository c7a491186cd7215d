"""Which units of a layer are shown: those that follow the music, and those that vary most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_UNITS = 64
"""Units shown of a layer."""
BARS, PITCH, REPEATS, VARIES = "bars", "pitch", "repeats", "varies"
_SHARE = 16
"""Units chosen for each aspect of the music; the rest are those that vary most."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class ChosenUnits:
    """Units in the order in which they are shown.

    Attributes:
        numbers: their places in the layer.
        reasons: what each was chosen for.
        correlations: its correlation with that, from -1 to 1; its standard deviation over the
            tune for one that was chosen since it varies.
    """

    numbers: list[int]
    reasons: list[str]
    correlations: list[float]


def choose_units(values: Numbers, features: Mapping[str, Numbers]) -> ChosenUnits:
    """Choose units by the values of a state, (time, units).

    Args:
        values: the state.
        features: for each aspect of the music its features, (time, features); a unit follows the
            one that it correlates with most.

    A layer of `MAX_UNITS` or fewer shows all, each for what it follows best or, where it follows
    nothing, for how it varies.
    """
    spread = values.std(axis=0)
    strengths = {reason: correlate(values, given) for reason, given in features.items()}
    left = list(range(values.shape[1]))
    chosen: list[tuple[int, str, float]] = []
    for reason, strength in strengths.items():
        order = sorted(left, key=lambda unit: (-abs(strength[unit]), unit))
        found = [unit for unit in order if strength[unit] != 0][:_SHARE]
        chosen += [(unit, reason, float(strength[unit])) for unit in found]
        left = [unit for unit in left if unit not in set(found)]
    rest = sorted(left, key=lambda unit: (-spread[unit], unit))[: MAX_UNITS - len(chosen)]
    chosen += [(unit, VARIES, float(spread[unit])) for unit in rest]
    numbers, reasons, correlations = zip(*chosen, strict=True)
    return ChosenUnits(list(numbers), list(reasons), [round(one, 3) for one in correlations])


def correlate(values: Numbers, features: Numbers) -> Numbers:
    """Of each unit Pearson's correlation with the feature that it follows best, (units,).

    It is 0 for a unit or a feature that does not vary.
    """
    if not features.shape[1]:
        return np.zeros(values.shape[1])
    left, right = _standardise(values), _standardise(features)
    found = left.T @ right / len(values)
    best = np.abs(found).argmax(axis=1)
    picked: Numbers = found[np.arange(len(found)), best]
    return picked


def _standardise(values: Numbers) -> Numbers:
    centred = values - values.mean(axis=0)
    spread = centred.std(axis=0)
    varies = spread > 1e-9 * (1 + np.abs(values).max(axis=0, initial=0))
    scaled: Numbers = np.where(varies, centred / np.where(varies, spread, 1), 0.0)
    return scaled
