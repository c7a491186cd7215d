"""The states that a layer takes and returns: in torch's layout, and as a list of places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from sluice.nn.batch import PaddedInput, States

HiddenStates: TypeAlias = Tensor | Sequence[Tensor | Sequence[Tensor]]
"""States in torch's layout, ``(layers × directions, batch, width)``; a tuple of these where the
cell has several. For layers of different sizes a tuple of ``(batch, width)`` replaces each."""


@dataclass(frozen=True)
class StateLayout:
    """How the states of all places lie in ``hx``.

    Attributes:
        widths: For each state of the cell its width in each place.
        batch_size: How many sequences.
        is_batched: Whether there is a batch dimension in ``hx``.
        sorted_indices: Where in ``hx`` each sequence of the batch lies; None for the same order.
        unsorted_indices: The inverse.
    """

    widths: tuple[tuple[int, ...], ...]
    batch_size: int
    is_batched: bool
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None

    @classmethod
    def of(cls, batch: PaddedInput, place_widths: Sequence[Sequence[int]]) -> StateLayout:
        """The layout for an input; ``place_widths`` are the widths of the states of each place."""
        packed = batch.packed_sequence
        return cls(
            tuple(zip(*place_widths, strict=True)),
            batch.x.shape[1],
            batch.is_batched,
            None if packed is None else packed.sorted_indices,
            None if packed is None else packed.unsorted_indices,
        )

    def split(self, hx: HiddenStates) -> States:
        """Cut ``hx`` into the states of each place, ``(batch, width)`` each.

        Raises:
            RuntimeError: a state has another size, as torch raises it.
            ValueError: the number of states is not the cell's.
        """
        count = len(self.widths)
        columns = (hx,) if count == 1 else hx
        if not isinstance(columns, tuple | list) or len(columns) != count:
            raise ValueError(
                f"hx must be a tuple of the {count} states of the cell, got {type(hx)}"
            )
        labels = [""] if count == 1 else [f"[{i}]" for i in range(count)]
        triples = zip(columns, self.widths, labels, strict=True)
        return list(zip(*(self._split_column(*triple) for triple in triples), strict=True))

    def join(self, states: States) -> HiddenStates:
        """The states of all places in torch's layout: the inverse of `split`."""
        columns = [self._join_column(column) for column in zip(*states, strict=True)]
        return columns[0] if len(columns) == 1 else tuple(columns)

    def list_rows(self, states: States) -> list[Tensor]:
        """Every state of every place, ``(batch, width)`` each, in the caller's order."""
        return _reorder([state for place in states for state in place], self.unsorted_indices)

    def _split_column(
        self, column: HiddenStates, widths: tuple[int, ...], label: str
    ) -> list[Tensor]:
        if isinstance(column, Tensor):
            self._check_dim(column)
            stacked = column if self.is_batched else column.unsqueeze(1)
            _check_stacked_shape(stacked, self.batch_size, widths, label)
            rows = list(stacked.unbind(0))
        else:
            tensors = [row for row in column if isinstance(row, Tensor)]
            rows = tensors if self.is_batched else [row.unsqueeze(0) for row in tensors]
            _check_row_shapes(rows, self.batch_size, widths, label)
        return _reorder(rows, self.sorted_indices)

    def _check_dim(self, state: Tensor) -> None:
        expected = 3 if self.is_batched else 2
        if state.dim() != expected:
            kind = "batched 3-D" if self.is_batched else "unbatched 2-D"
            raise RuntimeError(
                f"For {kind} input, hx should also be {expected}-D but got {state.dim()}-D tensor"
            )

    def _join_column(self, column: Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
        rows = _reorder(list(column), self.unsorted_indices)
        rows = rows if self.is_batched else [row.squeeze(0) for row in rows]
        if len(rows) == 1:
            return rows[0].unsqueeze(0)
        is_uniform = all(row.shape[-1] == rows[0].shape[-1] for row in rows)
        return torch.stack(rows) if is_uniform else tuple(rows)


def _reorder(rows: list[Tensor], indices: Tensor | None) -> list[Tensor]:
    return rows if indices is None else [row.index_select(0, indices) for row in rows]


def _check_stacked_shape(
    state: Tensor, batch_size: int, widths: tuple[int, ...], label: str
) -> None:
    if len(set(widths)) > 1:
        raise RuntimeError(
            f"Expected hidden{label} to be a tuple of one tensor for each layer, as their sizes "
            f"differ, got one tensor of size {list(state.shape)}"
        )
    expected = (len(widths), batch_size, widths[0])
    if state.shape != expected:
        raise RuntimeError(f"Expected hidden{label} size {expected}, got {list(state.shape)}")


def _check_row_shapes(
    rows: Sequence[Tensor], batch_size: int, widths: tuple[int, ...], label: str
) -> None:
    expected = [(batch_size, width) for width in widths]
    got = [tuple(row.shape) for row in rows]
    if got != expected:
        raise RuntimeError(f"Expected hidden{label} sizes {expected}, got {got}")


def check_states(states: States, x: Tensor) -> None:
    """Raise RuntimeError for a state of another dtype than ``x``, or on another device.

    torch refuses a hidden state for that, but not always an LSTM's cell state; we always do.
    """
    for state in (state for place in states for state in place):
        if state.dtype != x.dtype or state.device != x.device:
            raise RuntimeError(
                f"hx must be {x.dtype} on {x.device} as the input is, got {state.dtype} on "
                f"{state.device}; convert it: hx.to(input)"
            )
