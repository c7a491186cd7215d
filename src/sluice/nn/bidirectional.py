"""Two directions with cells of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from sluice.nn.marks import Lengths, Mask
from sluice.nn.stack import RecurrentStack


class Bidirectional(nn.Module):
    """A layer that reads from the start beside one that reads from the end (Graves 2005).

    The two may be of different cells, sizes and depths; those of one cell are
    ``bidirectional=True``, where each layer of a stack reads both directions of the one below.

    Args:
        forward_layer: A layer of one direction.
        reverse_layer: A layer made with ``reverse=True``, of the same input.

    A call returns the outputs side by side, forward first, and the pair of the states that the two
    layers return; it takes such a pair as ``hx``.

    Raises ValueError for layers that do not go together.

    Example:
        >>> import sluice
        >>> both = sluice.nn.Bidirectional(
        ...     sluice.nn.LSTM(3, 8), sluice.nn.GRU(3, 5, reverse=True)
        ... )
        >>> y, ((h, c), h_reverse) = both(torch.zeros(4, 2, 3), lengths=[4, 1])
        >>> y.shape, c.shape, h_reverse.shape
        (torch.Size([4, 2, 13]), torch.Size([1, 2, 8]), torch.Size([1, 2, 5]))
    """

    def __init__(self, forward_layer: RecurrentStack, reverse_layer: RecurrentStack) -> None:
        super().__init__()
        if forward_layer.directions == 2 or forward_layer.reverse:
            raise ValueError("forward_layer must read from the start alone")
        if reverse_layer.directions == 2 or not reverse_layer.reverse:
            raise ValueError(
                "reverse_layer must read from the end alone: make it with reverse=True"
            )
        if forward_layer.batch_first != reverse_layer.batch_first:
            raise ValueError("both layers must have the same batch_first")
        if forward_layer.input_size != reverse_layer.input_size:
            raise ValueError(
                f"both layers must read the same input, got input_size {forward_layer.input_size} "
                f"and {reverse_layer.input_size}"
            )
        self.forward_layer, self.reverse_layer = forward_layer, reverse_layer

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: tuple[Any, Any] | None = None,
        lengths: Lengths | None = None,
        resets: Tensor | PackedSequence | None = None,
        mask: Mask | None = None,
        **inputs: Tensor,
    ) -> tuple[Tensor | PackedSequence, tuple[Any, Any]]:
        """Run both over time; arguments, and errors, as for `RecurrentStack.forward`."""
        given = (None, None) if hx is None else hx
        options: dict[str, Any] = {"lengths": lengths, "resets": resets, "mask": mask, **inputs}
        call: Callable[..., tuple[Any, Any]] = self.forward_layer
        y, last = call(input, given[0], **options)
        call = self.reverse_layer
        z: Any
        z, end = call(input, given[1], **options)
        if isinstance(y, PackedSequence):
            return y._replace(data=torch.cat([y.data, z.data], -1)), (last, end)
        return torch.cat([y, z], -1), (last, end)
