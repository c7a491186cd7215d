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
        copies: How many layers of this kind run side by side, each with parameters, input and
            output of its own: the first dimension of the parameters, the last but one of the
            output and the states, and of an input with four dimensions. None for no such dimension.
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
        copies: int | None = None,
        reverse: bool = False,
    ) -> None:
        super().__init__()
        if input_size < 1:  # torch 2.6 does not ask
            raise ValueError("input_size must be greater than zero")
        first = (input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        beyond = (learn_initial_state, forget_bias, chrono, output_size, output_activation)
        latest = (sizes, copies, reverse)
        options = LayerOptions(*first, proj_size, device, dtype, *beyond, recompute, *latest)
        # torch checks the arguments; its layer is thrown away, and made without memory.
        nn.RNNBase("LSTM", *options.torch_arguments, device="meta")
        self.input_size, self.hidden_size = input_size, hidden_size
        self.num_layers, self.proj_size = len(options.hidden_sizes), proj_size
        self.bias, self.batch_first = bias, batch_first
        self.dropout, self.bidirectional = float(dropout), bidirectional
        if isinstance(cell, str):
            cell = get_cell(cell)
        self._build(cell() if isinstance(cell, type) else cell, options)

    def get_copy(self, number: int) -> Recurrent:
        """One of the copies as a layer of its own, whose parameters are copied.

        Raises ValueError for a layer without copies, IndexError where it has no such copy.

        Example:
            >>> import torch, sluice
            >>> layer = sluice.nn.Recurrent(sluice.cells.GRU, 3, 8, copies=10)
            >>> x = torch.randn(20, 4, 3)
            >>> torch.allclose(layer.get_copy(7)(x)[0], layer(x)[0][:, :, 7], atol=1e-6)
            True
        """
        if self.copies is None:
            raise ValueError("the layer was made without copies=")
        if not -self.copies <= number < self.copies:
            raise IndexError(f"the layer has {self.copies} copies, got number {number}")
        cell, sizes = self._single
        first = (self.input_size, self.hidden_size, self.num_layers, self.bias, self.batch_first)
        made = Recurrent(
            cell,
            *first,
            self.dropout,
            self.bidirectional,
            self.proj_size,
            learn_initial_state=self.learn_initial_state,
            recompute=self.recompute,
            device="meta",  # so that no random number is drawn
            sizes=dict(sizes[0].named),
            reverse=self.reverse,
        )
        own = {name: tensor[number].clone() for name, tensor in self.state_dict().items()}
        made.load_state_dict(own, assign=True)
        made.precision, made.backend = self.precision, self.backend
        return made.train(self.training)

    def extra_repr(self) -> str:
        """The cell, the sizes, and what differs from the defaults."""
        shown = [self.cell.name, str(self.input_size), str(self.hidden_size)]
        defaults: dict[str, object] = {"num_layers": 1, "bias": True, "batch_first": False}
        defaults |= {"dropout": 0.0, "bidirectional": False, "proj_size": 0}
        defaults |= {
            "learn_initial_state": False,
            "recompute": None,
            "copies": None,
            "reverse": False,
        }
        for name, value in defaults.items():
            if getattr(self, name) != value:
                shown.append(f"{name}={getattr(self, name)}")
        if named := dict(self.sizes[0].named):
            shown.append(f"sizes={named}")
        return ", ".join(shown)
