"""`Recurrent`: any cell, a user's own included, as a layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.types import Device

from sluice.cells.cell import Cell
from sluice.cells.registry import get_cell
from sluice.nn.options import LayerOptions
from sluice.nn.stack import RecurrentStack


class Recurrent(RecurrentStack):
    """Layers of any cell over time, with `torch.nn.LSTM`'s arguments and layout.

    Args:
        cell: A `sluice.Cell`, a class of one that needs no arguments, or the name of one of
            `sluice.cells`, as in ``"peephole-lstm"``.
        input_size: The width of the input.
        hidden_size: The width of the states; one number, or one for each layer.
        num_layers: How many layers; left out where ``hidden_size`` gives one number each.
        bias: Whether there are biases.
        batch_first: Whether the batch comes before the time.
        dropout: Dropout on the output of every layer but the last, while training.
        bidirectional: Whether a second set of layers reads the input from its end.
        proj_size: The size of the width ``"projection"``; 0 where the cell has none such.
        learn_initial_state: Whether the states before the first step are parameters.
        forget_bias: The initial bias of the forget gate (Jozefowicz et al. 2015).
        chrono: The longest memory, in steps, of chrono initialisation (Tallec & Ollivier 2018).
        output_size: The width of a readout y = activation(W h + b); None for no map.
        output_activation: ``sigmoid``, ``tanh``, ``relu``, ``softmax`` or ``identity``.
        recompute: How many steps of a training pass are kept at a time (`Settings.recompute`).
        device: Where the parameters are made.
        dtype: Their dtype.
        sizes: The size of each width of the cell's own, ``dict(slots=16)`` for a
            ``State(width="slots")``; where left out, that of the cell's attribute ``sizes``.
        reverse: Whether the layers read the input from its end, and only so: the output of a step
            is that of it and all later ones. Parameters have the names of any other layer.

    A call takes and returns what `RecurrentStack.forward` says: (output, states), where the states
    are a tensor if the cell has one, else a tuple in the order of ``step``'s arguments.

    Raises ValueError or TypeError for arguments out of range, and `sluice.EquationError` for a
    cell whose ``step`` cannot become equations.

    Example:
        >>> import torch, sluice
        >>> layer = sluice.nn.Recurrent(sluice.cells.PeepholeLSTM, 3, 8, num_layers=2)
        >>> y, (h, c) = layer(torch.zeros(5, 4, 3))     # time, batch, input
        >>> y.shape, c.shape
        (torch.Size([5, 4, 8]), torch.Size([2, 4, 8]))
    """

    def __init__(
        self,
        cell: Cell | type[Cell] | str,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        learn_initial_state: bool = False,
        forget_bias: float | None = None,
        chrono: float | None = None,
        output_size: int | None = None,
        output_activation: str | None = None,
        recompute: int | None = None,
        device: Device = None,
        dtype: torch.dtype | None = None,
        sizes: Mapping[str, int] | None = None,
        reverse: bool = False,
    ) -> None:
        super().__init__()
        if input_size < 1:  # torch 2.6 does not ask
            raise ValueError("input_size must be greater than zero")
        first = (input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        beyond = (learn_initial_state, forget_bias, chrono, output_size, output_activation)
        options = LayerOptions(*first, proj_size, device, dtype, *beyond, recompute, sizes, reverse)
        # torch checks the arguments; its layer is thrown away, and made without memory.
        nn.RNNBase("LSTM", *options.torch_arguments, device="meta")
        self.input_size, self.hidden_size = input_size, hidden_size
        self.num_layers, self.proj_size = len(options.hidden_sizes), proj_size
        self.bias, self.batch_first = bias, batch_first
        self.dropout, self.bidirectional = float(dropout), bidirectional
        if isinstance(cell, str):
            cell = get_cell(cell)
        self._build(cell() if isinstance(cell, type) else cell, options)

    def extra_repr(self) -> str:
        """The cell, the sizes, and what differs from the defaults."""
        shown = [self.cell.name, str(self.input_size), str(self.hidden_size)]
        defaults: dict[str, object] = {"num_layers": 1, "bias": True, "batch_first": False}
        defaults |= {"dropout": 0.0, "bidirectional": False, "proj_size": 0}
        defaults |= {"learn_initial_state": False, "recompute": None, "reverse": False}
        for name, value in defaults.items():
            if getattr(self, name) != value:
                shown.append(f"{name}={getattr(self, name)}")
        if named := dict(self.sizes[0].named):
            shown.append(f"sizes={named}")
        return ", ".join(shown)
