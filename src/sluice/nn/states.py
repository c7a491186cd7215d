"""The states that a layer is given and gives back, in torch's layout and as a list of places.

A *place* is one layer in one direction; places come in torch's order: layer 0 forward, layer 0
reverse, layer 1 forward, ...
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sluice.nn.batch import PaddedInput, States


def split_states(hx: Any, widths: list[tuple[int, ...]], batch: PaddedInput) -> States:
    """Cut ``hx`` into the states of each place, ``(batch, width)`` each.

    ``widths`` are those of each place's states. Raises RuntimeError, as torch does, for a state
    of another size, and ValueError for another number of states.
    """
    count = len(widths[0])
    given = (hx,) if count == 1 else hx
    if not isinstance(given, tuple | list) or len(given) != count:
        raise ValueError(f"hx holds the {count} states of the cell as a tuple, got {type(hx)}")
    columns = [
        _split_state(state, [w[i] for w in widths], batch, "" if count == 1 else f"[{i}]")
        for i, state in enumerate(given)
    ]
    return list(zip(*columns, strict=True))


def check_states(states: States, x: Tensor) -> None:
    """Raise RuntimeError for a state of another dtype than ``x``, or on another device.

    torch refuses a hidden state for that, and of an LSTM's cell state not always: we always do.
    """
    for state in (state for place in states for state in place):
        if state.dtype != x.dtype or state.device != x.device:
            raise RuntimeError(
                f"hx must be {x.dtype} on {x.device} as the input is, got {state.dtype} on "
                f"{state.device}; convert it: hx.to(input)"
            )


def _split_state(state: Any, widths: list[int], batch: PaddedInput, label: str) -> list[Tensor]:
    size = batch.x.shape[1]
    if isinstance(state, Tensor):
        if state.dim() != (3 if batch.is_batched else 2):
            kind = "batched 3-D" if batch.is_batched else "unbatched 2-D"
            raise RuntimeError(
                f"For {kind} input, hx should also be {3 if batch.is_batched else 2}-D "
                f"but got {state.dim()}-D tensor"
            )
        state = state if batch.is_batched else state.unsqueeze(1)
        expected = (len(widths), size, widths[0])
        if len(set(widths)) > 1 or state.shape != expected:
            told = expected if len(set(widths)) == 1 else "a tuple of one tensor for each layer"
            raise RuntimeError(f"Expected hidden{label} size {told}, got {list(state.shape)}")
        parts = list(state.unbind(0))
    else:
        parts = [part if batch.is_batched else part.unsqueeze(0) for part in state]
        expected_shapes = [(size, width) for width in widths]
        if [tuple(part.shape) for part in parts] != expected_shapes:
            got = [tuple(part.shape) for part in parts]
            raise RuntimeError(f"Expected hidden{label} sizes {expected_shapes}, got {got}")
    if batch.packed_sequence is not None and batch.packed_sequence.sorted_indices is not None:
        parts = [part.index_select(0, batch.packed_sequence.sorted_indices) for part in parts]
    return parts


def join_states(states: States, batch: PaddedInput) -> Any:
    """The states of all places in torch's layout: what `split` takes apart."""
    columns = [_join_state(column, batch) for column in zip(*states, strict=True)]
    return columns[0] if len(columns) == 1 else tuple(columns)


def _join_state(column: Sequence[Tensor], batch: PaddedInput) -> Any:
    parts = list(column)
    if batch.packed_sequence is not None and batch.packed_sequence.unsorted_indices is not None:
        parts = [part.index_select(0, batch.packed_sequence.unsorted_indices) for part in parts]
    if not batch.is_batched:
        parts = [part.squeeze(0) for part in parts]
    if len(parts) == 1:
        return parts[0].unsqueeze(0)
    same = all(part.shape[-1] == parts[0].shape[-1] for part in parts)
    return torch.stack(parts) if same else tuple(parts)
