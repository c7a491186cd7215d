"""Recurrent layers that run one step at a time, with their weights packed once for all steps."""

from __future__ import annotations

from torch import Tensor, stack

from sluice.nn.stack import RecurrentStack
from sluice.sequence.batch import ModelState


class StreamedLayers:
    """A stack's step, as calling the stack with one step of input, in evaluation.

    Args:
        layers: whose weights are taken as they are now.
        batch_size: the sequences of a call.

    >>> import torch, sluice
    >>> layers = sluice.nn.GRU(3, 8, num_layers=2)
    >>> x, h = torch.randn(1, 4, 3), torch.randn(2, 4, 8)
    >>> y, after = StreamedLayers(layers, batch_size=4)(x, h)
    >>> torch.allclose(y, layers(x, h)[0], atol=1e-6), after.shape
    (True, torch.Size([2, 4, 8]))
    """

    def __init__(self, layers: RecurrentStack, batch_size: int) -> None:
        self._stream = layers.stream(batch_size)
        self._names = [state.name for state in layers.cell.graph.states]
        self._places = range(layers.num_layers)

    def __call__(self, x: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """The output (1, batch, features) for x (1, batch, input), and the states after it."""
        states = [state] if isinstance(state, Tensor) else list(state or ())
        before = {
            f"{name}_l{place}": one[place]
            for name, one in zip(self._names, states, strict=True)
            for place in self._places
            if isinstance(one, Tensor)
        }
        self._stream.load_state_dict(before)
        y, after = self._stream(x[0].contiguous())[None], self._stream.state_dict()
        found = tuple(
            stack([after[f"{name}_l{place}"] for place in self._places]) for name in self._names
        )
        return y, found[0] if isinstance(state, Tensor) else found
