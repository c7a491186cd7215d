"""How sequences come in, and the one form in which layers run them: time-major and padded."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from sluice.nn.marks import (
    Lengths,
    Mask,
    check_lengths,
    check_resets,
    gather_steps,
    order_steps,
    read_lengths,
    read_mask,
    reorder_resets,
)
from sluice.nn.random_draws import apply_dropout

States = list[tuple[Tensor, ...]]
"""For each layer and direction, in torch's order, the states, ``(batch, width)`` each."""


@dataclass(frozen=True)
class PaddedInput:
    """Sequences as ``x``, ``(time, batch, input)``, and the form they were given in.

    Attributes:
        x: The input, padded.
        lengths: How many steps of each sequence count, ``(batch,)``; None for all.
        resets: Where a new sequence starts, ``(time, batch)``; None for nowhere.
        packed_sequence: The `PackedSequence` that was given; None for a tensor.
        batch_first: Whether the batch was given before the time.
        is_batched: Whether a batch dimension was given.
        inputs: What the cell reads beside x, ``(time, batch, width)`` each.
        step_order: Where the steps lay in the caller's order, ``(time, batch)``; None for the same.
    """

    x: Tensor
    lengths: Tensor | None
    resets: Tensor | None
    packed_sequence: PackedSequence | None
    batch_first: bool
    is_batched: bool
    inputs: tuple[Tensor, ...] = ()
    step_order: Tensor | None = None

    @property
    def unsorted_indices(self) -> Tensor | None:
        """Where the caller's sequences lie in ``x``; None where they lie in the caller's order."""
        return None if self.packed_sequence is None else self.packed_sequence.unsorted_indices

    @property
    def sorted_indices(self) -> Tensor | None:
        """Which of the caller's sequences lies at each place of ``x``; None for the same."""
        return None if self.packed_sequence is None else self.packed_sequence.sorted_indices

    def restore(self, y: Tensor) -> Tensor | PackedSequence:
        """An output, ``(time, batch, features)``, in the form of the input."""
        if self.packed_sequence is not None:
            return self.packed_sequence._replace(data=self._pack(y))
        if self.step_order is not None:
            places = self.step_order.unsqueeze(-1).expand_as(y)
            y = torch.zeros_like(y).scatter(0, places, y)
        if not self.is_batched:
            return y.squeeze(1)
        return y.transpose(0, 1) if self.batch_first else y

    def dropout(self, y: Tensor, rate: float) -> Tensor:
        """Dropout with the mask that torch draws for an input that came in this form."""
        if self.packed_sequence is None:
            return apply_dropout(y, rate)
        data = apply_dropout(self._pack(y), rate)
        padded, _ = pad_packed_sequence(PackedSequence(data, self.packed_sequence.batch_sizes))
        return padded

    def order_steps(self, values: Tensor) -> Tensor:
        """Values of each step, ``(time, batch, width)``, in the order of ``x``."""
        if self.step_order is None:
            return values
        return gather_steps(values, self.step_order)

    def _pack(self, y: Tensor) -> Tensor:
        assert self.lengths is not None
        return pack_padded_sequence(y, self.lengths.cpu()).data


def pad_input(
    kind: str,
    input: Tensor | PackedSequence,
    lengths: Lengths | None,
    resets: Tensor | PackedSequence | None,
    batch_first: bool,
    mask: Mask | None = None,
) -> PaddedInput:
    """Bring an input and its marks to one form.

    With a ``mask``, the steps that count come first: each sequence is one with a length.

    Raises ValueError for a wrong number of dimensions, or marks that do not fit the input;
    RuntimeError, as torch does, for an input without time steps.
    """
    if isinstance(input, PackedSequence):
        if mask is not None:
            raise ValueError(f"{kind}: mask= is for padded inputs; pack the steps that count alone")
        return _pad_packed_input(kind, input, lengths, resets)
    if input.dim() not in (2, 3):
        raise ValueError(f"{kind}: Expected input to be 2D or 3D, got {input.dim()}D instead")
    if isinstance(resets, PackedSequence):
        raise ValueError("resets is a PackedSequence but the input is not; pack both or neither")
    batched = input.dim() == 3
    x = input if batched else input.unsqueeze(1)
    marks = resets if batched or resets is None else resets.unsqueeze(1)
    if batched and batch_first:
        x = x.transpose(0, 1)
        marks = marks.transpose(0, 1) if marks is not None and marks.dim() == 2 else marks
    if x.shape[0] == 0:
        raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
    steps, sequences = x.shape[:2]
    if marks is not None:
        check_resets(marks, steps, sequences)
    ends = None if lengths is None else read_lengths(lengths, sequences, batched)
    if ends is not None:
        check_lengths(ends, steps)
    padded = PaddedInput(x, ends, marks, None, batch_first, batched)
    if mask is None:
        return padded
    return _select_steps(padded, read_mask(mask, steps, sequences, batched, batch_first))


def _select_steps(batch: PaddedInput, mask: Tensor) -> PaddedInput:
    """``batch`` with the steps of the mask first, and the others as padding."""
    mask = mask.to(batch.x.device)
    if batch.lengths is not None:
        steps = torch.arange(len(mask), device=mask.device)[:, None]
        mask = mask & (steps < batch.lengths.to(mask.device))
    order = order_steps(mask)
    resets = None
    if batch.resets is not None:
        resets = reorder_resets(batch.resets.to(mask.device), order)
    form = (None, batch.batch_first, batch.is_batched)
    return PaddedInput(gather_steps(batch.x, order), mask.sum(0), resets, *form, (), order)


def _pad_packed_input(
    kind: str,
    input: PackedSequence,
    lengths: Lengths | None,
    resets: Tensor | PackedSequence | None,
) -> PaddedInput:
    if lengths is not None:
        raise ValueError(f"{kind}: a PackedSequence has its own lengths; leave lengths= out")
    if input.data.dim() != 2:
        raise RuntimeError(f"input must have 2 dimensions, got {input.data.dim()}")
    x, sizes = pad_packed_sequence(PackedSequence(input.data, input.batch_sizes))
    marks = None
    if resets is not None:
        if not isinstance(resets, PackedSequence):
            raise ValueError("resets must be a PackedSequence, packed as the input is")
        marks, _ = pad_packed_sequence(PackedSequence(resets.data, resets.batch_sizes))
        check_resets(marks, *x.shape[:2])
    return PaddedInput(x, sizes, marks, input, False, True)


def is_autocast_enabled(x: Tensor) -> bool:
    """Whether autocast is on for the device of ``x``."""
    kind = x.device.type
    if kind == "meta":
        return False
    # torch 2.6 cannot compile the first question.
    known = torch.compiler.is_compiling() or torch.amp.is_autocast_available(kind)
    return known and torch.is_autocast_enabled(kind)


def cast_for_autocast(batch: PaddedInput, states: States) -> tuple[PaddedInput, States]:
    """The input and the states in the dtype that autocast asks for."""
    if batch.x.dtype == torch.float64:
        return batch, states  # as torch: autocast leaves float64 alone
    dtype = torch.get_autocast_dtype(batch.x.device.type)
    cast = [tuple(state.to(dtype) for state in place) for place in states]
    form = (batch.packed_sequence, batch.batch_first, batch.is_batched)  # torch 2.6 has no replace
    inputs = tuple(given.to(dtype) for given in batch.inputs)
    return PaddedInput(
        batch.x.to(dtype), batch.lengths, batch.resets, *form, inputs, batch.step_order
    ), cast
