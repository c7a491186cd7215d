"""Ablation: what a trained model does when one of its gates stands open or shut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from sluice.cells.transforms import hold
from sluice.nn.stack import RecurrentStack

Layer = TypeVar("Layer", bound=RecurrentStack)


@contextmanager
def held(layer: Layer, **values: float) -> Iterator[Layer]:
    """Run ``layer`` with named values held at a number, inside a ``with`` block.

    All its layers and directions run the cell ``sluice.cells.hold(cell, **values)`` with their own
    weights, on the same kernels; torch's own layer, which holds nothing, gives way to the
    reference. After the block the layer is what it was. Streams made before go on as they were.

    Source: lesion studies of the gates, Greff et al. 2017, "LSTM: A search space odyssey", there
    trained without them; here a trained model is cut.

    Args:
        layer: A recurrent layer of `sluice.nn`, also one within a model, whose forward then runs
            as usual.
        values: Numbers by name, as in ``forget=1.0``.

    Raises:
        ValueError: the cell names no such value, or the number is not finite.

    Example:
        >>> import torch, sluice
        >>> layer, x = sluice.nn.LSTM(3, 8), torch.randn(5, 2, 3)
        >>> with sluice.insight.held(layer, output=0.0):
        ...     shut, _ = layer(x)
        >>> shut.abs().max().item(), bool(layer(x)[0].abs().max() > 0)
        (0.0, True)
    """
    with layer.running(hold(layer.cell, **values)):
        yield layer
