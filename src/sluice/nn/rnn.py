"""Drop-in layers: `LSTM`, `GRU` and `RNN` as `torch.nn` has them, and more in the same call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from sluice.cells.cell import Cell
from sluice.cells.elman import Elman
from sluice.cells.gru import GRU as GRUEquations
from sluice.cells.lstm import LSTM as LSTMEquations
from sluice.cells.lstm import ProjectedLSTM
from sluice.nn.recurrent import layer_sizes
from sluice.nn.stack import RecurrentStack


class _DropIn(RecurrentStack, nn.RNNBase):
    """What the drop-in layers share: torch's constructor, then what goes beyond it."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
        *,
        learn_initial_state: bool = False,
        forget_bias: float | None = None,
        chrono: float | None = None,
        output_size: int | None = None,
        output_activation: str | None = None,
        recompute: int | None = None,
    ) -> None:
        sizes = layer_sizes(hidden_size, num_layers)
        torch_arguments = (len(sizes), bias, batch_first, dropout, bidirectional, proj_size)
        nn.RNNBase.__init__(
            self, self._mode, input_size, sizes[0], *torch_arguments, device=device, dtype=dtype
        )
        if len(set(sizes)) > 1:
            self.hidden_size = sizes  # type: ignore[assignment]
        self._setup(
            self._make_cell(),
            sizes,
            proj_size,
            learn_initial_state=learn_initial_state,
            forget_bias=forget_bias,
            chrono=chrono,
            output_size=output_size,
            output_activation=output_activation,
            recompute=recompute,
            device=device,
            dtype=dtype,
        )

    def _make_cell(self) -> Cell:
        raise NotImplementedError

    @property
    def _mode(self) -> str:
        raise NotImplementedError

    def flatten_parameters(self) -> None:
        """Does nothing; torch's method of this name arranges weights for cuDNN."""


class LSTM(_DropIn):
    """`torch.nn.LSTM`, argument for argument and weight for weight, with more in the same call.

    Beyond torch: ``hidden_size`` may name a size for each layer; ``learn_initial_state``,
    ``forget_bias``, ``chrono``, ``output_size``, ``output_activation`` and ``recompute`` are as for
    `sluice.nn.Recurrent`; a call takes ``lengths=`` and ``resets=`` (`RecurrentStack.forward`).

    Example:
        >>> import torch, sluice
        >>> layer = sluice.nn.LSTM(3, 8, bidirectional=True)
        >>> y, (h, c) = layer(torch.zeros(5, 2, 3), lengths=torch.tensor([5, 2]))
        >>> y.shape, h.shape
        (torch.Size([5, 2, 16]), torch.Size([2, 2, 8]))
    """

    _mode = "LSTM"
    native = nn.LSTM
    get_expected_cell_size = nn.LSTM.get_expected_cell_size
    check_forward_args = nn.LSTM.check_forward_args  # type: ignore[assignment]
    permute_hidden = nn.LSTM.permute_hidden  # type: ignore[assignment]

    def _make_cell(self) -> Cell:
        return ProjectedLSTM() if self.proj_size > 0 else LSTMEquations()


class GRU(_DropIn):
    """`torch.nn.GRU`, argument for argument and weight for weight; for more see `LSTM`.

    Example:
        >>> import torch, sluice
        >>> y, h = sluice.nn.GRU(3, 8, batch_first=True)(torch.zeros(2, 5, 3))
        >>> y.shape, h.shape
        (torch.Size([2, 5, 8]), torch.Size([1, 2, 8]))
    """

    _mode = "GRU"
    native = nn.GRU

    def __init__(self, *arguments: Any, **options: Any) -> None:
        _refuse_projection(options)
        super().__init__(*arguments, **options)

    def _make_cell(self) -> Cell:
        return GRUEquations()


class RNN(_DropIn):
    """`torch.nn.RNN`, argument for argument and weight for weight; for more see `LSTM`.

    As in torch, ``nonlinearity`` is ``"tanh"`` or ``"relu"`` and comes fourth.

    Example:
        >>> import torch, sluice
        >>> y, h = sluice.nn.RNN(3, 8, nonlinearity="relu")(torch.zeros(5, 3))
        >>> y.shape, h.shape
        (torch.Size([5, 8]), torch.Size([1, 8]))
    """

    native = nn.RNN

    def __init__(self, *arguments: Any, **options: Any) -> None:
        _refuse_projection(options)
        if len(arguments) > 3:
            self.nonlinearity = arguments[3]
            arguments = arguments[:3] + arguments[4:]
        else:
            self.nonlinearity = options.pop("nonlinearity", "tanh")
        if self.nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{self.nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        super().__init__(*arguments, **options)

    @property
    def _mode(self) -> str:
        return f"RNN_{self.nonlinearity.upper()}"

    def _make_cell(self) -> Cell:
        return Elman(self.nonlinearity)


def _refuse_projection(options: dict[str, Any]) -> None:
    if "proj_size" in options:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
