"""Slices of batches in time and across sequences; detached states."""

from __future__ import annotations

from torch import Tensor

from sluice.run.torch_state import map_tensors
from sluice.sequence.batch import Batch, ModelState


def slice_steps(batch: Batch, first: int, last: int) -> Batch:
    """The steps from `first` up to `last`."""
    lengths = batch.lengths
    return Batch(
        batch.inputs[first:last],
        batch.targets[first:last],
        None if lengths is None else (lengths - first).clamp(0, last - first),
        None if batch.resets is None else batch.resets[first:last],
    )


def slice_sequences(batch: Batch, first: int, last: int) -> Batch:
    """The sequences from `first` up to `last`."""
    targets = batch.targets
    return Batch(
        batch.inputs[:, first:last],
        targets[first:last] if targets.dim() == 1 else targets[:, first:last],
        None if batch.lengths is None else batch.lengths[first:last],
        None if batch.resets is None else batch.resets[:, first:last],
    )


def detach_state(state: ModelState) -> ModelState:
    """A state without its graph."""
    return map_tensors(Tensor.detach, state)
