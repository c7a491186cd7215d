"""The data of plots as NumPy arrays: from tapes, tensors and arrays; tokens as labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from sluice.insight.recording.recorded import RecordedLayer, RecordedModule
from sluice.insight.recording.recorder import Tape

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Numbers = Tensor | ArrayLike
PlotInput = Tape | RecordedModule | Mapping[str, Numbers] | Numbers
"""A tape or a module's part of it where that has one layer and one direction, such a layer, a
mapping of names to arrays, or one array."""


def to_array(values: Numbers) -> Array:
    """Tensors and whatever NumPy reads, as an array of float64 or complex128."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        values = (values if values.is_complex() else values.double()).numpy()
    found = np.asarray(values)
    return found.astype(np.complex128 if np.iscomplexobj(found) else np.float64)


def to_vectors(values: Mapping[str, Numbers] | Numbers, what: str) -> dict[str, Array]:
    """One vector or several with names, as vectors with names; the name of one alone is empty.

    Raises ValueError for what is no vector, or empty.
    """
    several = values if isinstance(values, Mapping) else {"": values}
    found = {name: to_array(one) for name, one in several.items()}
    for one in found.values():
        if one.ndim != 1 or not one.size:
            raise ValueError(
                f"{what} must be a vector, one number for each unit, got shape {one.shape}"
            )
    return found


def load_values(source: PlotInput, names: Sequence[str] | None, sequence: int) -> dict[str, Array]:
    """Values of one sequence, ``(time, units)`` each, finite, by their names.

    Raises:
        ValueError: a value is neither (time, batch, units) nor (time, units), is empty, or holds a
            NaN or an infinity; the source has several layers or directions.
        IndexError: the batch has no such sequence.
        KeyError: the source has no value of one of ``names``.
    """
    values = _select_values(source)
    chosen = tuple(values) if names is None or list(values) == [""] else names
    return {name: _select_sequence(to_array(values[name]), name, sequence) for name in chosen}


def _select_values(source: PlotInput) -> Mapping[str, Numbers]:
    if isinstance(source, Tape | RecordedModule):
        places: dict[str, RecordedLayer] = source.layers
        if len(places) > 1:
            raise ValueError(
                f"values must be those of one layer, got {len(places)} layers, "
                f"{', '.join(places)}; give one of them, as in tape.layer(0)"
            )
        (source,) = places.values()
    return source if isinstance(source, Mapping) else {"": source}  # one array needs no name


def _select_sequence(values: Array, name: str, sequence: int) -> Array:
    label = f"'{name}'" if name else "the array"
    if values.ndim not in (2, 3) or not values.size:
        raise ValueError(
            f"{label} must be (time, batch, units) or (time, units), none of them 0, got "
            f"{values.shape}"
        )
    if values.ndim == 3:
        if not -values.shape[1] <= sequence < values.shape[1]:
            raise IndexError(
                f"sequence must be from 0 to {values.shape[1] - 1} for {label}, got {sequence}"
            )
        values = values[:, sequence]
    bad = np.argwhere(~np.isfinite(values))
    if bad.size:
        step, unit = bad[0]
        raise ValueError(f"{label} is {values[step, unit]} first at step {step}, unit {unit}")
    return values


def format_tokens(tokens: Sequence[str] | None, steps: int) -> list[str] | None:
    """Tokens with visible blanks. Raises ValueError unless there is one for each step."""
    if tokens is None:
        return None
    if len(tokens) != steps:
        raise ValueError(f"tokens must have one entry for each of {steps} steps, got {len(tokens)}")
    blanks = str.maketrans({" ": "␣", "\n": "↵", "\t": "⇥"})
    return [str(token).translate(blanks) for token in tokens]


def mean_order(values: Array) -> Indices:
    """Units by their mean over time, the largest first; equal ones in their order."""
    return np.argsort(-values.mean(axis=0), kind="stable")


def peak_order(values: Array) -> Indices:
    """Units by the step at which they are farthest from zero, the earliest first."""
    return np.argsort(np.abs(values).argmax(axis=0), kind="stable")


def find_most_variable(values: Array, count: int) -> list[int]:
    """The units with the largest standard deviation over time, the largest first."""
    scale = np.abs(values).max(initial=0.0) or 1.0  # a square must not be infinite or 0
    return [int(unit) for unit in np.argsort(-(values / scale).std(axis=0), kind="stable")[:count]]
