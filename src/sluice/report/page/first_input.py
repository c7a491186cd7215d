"""What the first recurrent layer reads, as part of the graph: one tensor, in whatever pieces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from sluice.nn.rnn_cells import SingleStepCell
from sluice.nn.stack import RecurrentStack

RECURRENT = (RecurrentStack, SingleStepCell)
"""What a report looks into."""


@contextmanager
def capture_first_input(model: nn.Module, steps: int, batch_first: bool) -> Iterator[list[Tensor]]:
    """Captures the input of the first recurrent layer that runs, and makes it part of the graph.

    The list has one tensor at the end: the input of a call over all ``steps``, as it is laid out;
    or, where the layer is called piece by piece, zeros that are added to its inputs,
    ``(steps, batch, width)``, or ``(batch, steps, width)`` with ``batch_first``. It is empty where
    the layer reads no tensor, or another number of steps.
    """
    captured = _FirstInput(steps, batch_first)
    layers = [module for module in model.modules() if isinstance(module, RECURRENT)]
    handles = [layer.register_forward_pre_hook(captured.replace) for layer in layers]
    try:
        yield captured.tensors
    finally:
        for handle in handles:
            handle.remove()
        if captured.done != steps:
            captured.tensors.clear()


class _FirstInput:
    def __init__(self, steps: int, batch_first: bool) -> None:
        self.tensors = list[Tensor]()
        self.done = 0
        self._steps, self._batch_first = steps, batch_first
        self._layer: nn.Module | None = None

    def replace(self, layer: nn.Module, arguments: tuple[object, ...]) -> tuple[object, ...] | None:
        """A call begins; its arguments, with an input in the graph in place of the first."""
        x = arguments[0] if arguments else None
        if self._layer not in (None, layer):
            return None
        self._layer = layer
        if not isinstance(x, Tensor) or not torch.is_grad_enabled():
            return None
        count, dimension = _count_steps(layer, x)
        if count == self._steps and not self.tensors and not isinstance(layer, SingleStepCell):
            whole = x if x.requires_grad else x.detach().requires_grad_()
            self.tensors.append(whole)
        else:
            whole = x + self._take_zeros(x, count, dimension)
        self.done += count
        return (whole, *arguments[1:])

    def _take_zeros(self, x: Tensor, count: int, dimension: int | None) -> Tensor:
        """The part of the zeros that belongs to these steps, laid out as ``x``."""
        rows = x if dimension is None else x.movedim(dimension, 0)[0]
        rows = rows if rows.dim() == 2 else rows.unsqueeze(0)  # batch, width
        if not self.tensors:
            shape = (self._steps, *rows.shape)
            if self._batch_first:
                shape = (rows.shape[0], self._steps, rows.shape[1])
            self.tensors.append(torch.zeros(shape, dtype=x.dtype, device=x.device))
            self.tensors[0].requires_grad_()
        zeros = self.tensors[0].transpose(0, 1) if self._batch_first else self.tensors[0]
        part = zeros[self.done : self.done + count]
        if part.shape != (count, *rows.shape):  # more steps, or another batch: in the graph alone
            return torch.zeros_like(x, requires_grad=True)
        part = part[0] if dimension is None else part.movedim(0, min(dimension, 1))
        return part.reshape(x.shape)


def _count_steps(layer: nn.Module, x: Tensor) -> tuple[int, int | None]:
    """How many steps ``x`` has, and in which dimension; None for one without a dimension."""
    if isinstance(layer, SingleStepCell):
        return 1, None
    dimension = 1 if x.dim() == 3 and getattr(layer, "batch_first", False) else 0
    return x.shape[dimension], dimension
