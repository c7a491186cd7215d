"""Drop-in layers: `LSTM`, `GRU` and `RNN` as `torch.nn` has them, and more in the same call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.types import Device

from sluice.cells.activations import ActivatedCell, ActivationFunction
from sluice.cells.elman import Elman
from sluice.cells.gru import GRU as GRUEquations
from sluice.cells.lstm import LSTM as LSTMEquations
from sluice.cells.lstm import ProjectedLSTM
from sluice.nn.marks import Lengths, Mask
from sluice.nn.options import LayerOptions
from sluice.nn.stack import RecurrentStack

HX = TypeVar("HX")
"""The states of one cell in torch's layout: a tensor, or a tuple of two."""


class _DropIn(RecurrentStack, nn.RNNBase, Generic[HX]):
    """What the drop-in layers share: torch's constructor, then what goes beyond it."""

    def _construct(
        self, mode: str, plain: ActivatedCell, choices: dict[str, Any], options: LayerOptions
    ) -> None:
        """``plain`` is torch's cell; ``choices`` are other options of it, None for torch's."""
        given = {name: choice for name, choice in choices.items() if choice is not None}
        cell = type(plain)(**given) if given else plain
        if cell.text != plain.text:
            self.native = None
        nn.RNNBase.__init__(
            self, mode, *options.torch_arguments, device=options.device, dtype=options.dtype
        )
        if len(set(options.hidden_sizes)) > 1:
            self.hidden_size = options.hidden_sizes  # type: ignore[assignment]
        self._build(cell, options)

    def flatten_parameters(self) -> None:
        """Does nothing; torch's method of this name arranges weights for cuDNN."""

    if TYPE_CHECKING:  # the same as in `RecurrentStack`, with the states that this cell has

        @overload  # type: ignore[override]  # its cells read nothing beside x
        def forward(
            self,
            input: Tensor,
            hx: HX | None = None,
            lengths: Lengths | None = None,
            resets: Tensor | None = None,
            mask: Mask | None = None,
        ) -> tuple[Tensor, HX]: ...

        @overload
        def forward(
            self,
            input: PackedSequence,
            hx: HX | None = None,
            lengths: None = None,
            resets: PackedSequence | None = None,
            mask: None = None,
        ) -> tuple[PackedSequence, HX]: ...

        def forward(self, *arguments: object, **options: object) -> object: ...

        __call__ = forward  # type: ignore[assignment]


class LSTM(_DropIn[tuple[Tensor, Tensor]]):
    """`torch.nn.LSTM`, argument for argument and weight for weight, with more in the same call.

    Beyond torch: ``hidden_size`` may name a size for each layer; ``learn_initial_state``,
    ``forget_bias``, ``chrono``, ``output_size``, ``output_activation``, ``recompute`` and
    ``reverse`` are as for `sluice.nn.Recurrent`; ``activation``, ``gate_activation``, ``clip`` and
    ``cell_clip`` are the options of `sluice.cells.LSTM`, None for what torch has; a call takes
    ``lengths=``, ``resets=`` and ``mask=`` (`RecurrentStack.forward`).

    Example:
        >>> import torch, sluice
        >>> layer = sluice.nn.LSTM(3, 8, bidirectional=True)
        >>> y, (h, c) = layer(torch.zeros(5, 2, 3), lengths=torch.tensor([5, 2]))
        >>> y.shape, h.shape
        (torch.Size([5, 2, 16]), torch.Size([2, 2, 8]))
    """

    native = nn.LSTM
    get_expected_cell_size = nn.LSTM.get_expected_cell_size
    check_forward_args = nn.LSTM.check_forward_args  # type: ignore[assignment]
    permute_hidden = nn.LSTM.permute_hidden  # type: ignore[assignment]

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
        device: Device = None,
        dtype: torch.dtype | None = None,
        *,
        learn_initial_state: bool = False,
        forget_bias: float | None = None,
        chrono: float | None = None,
        output_size: int | None = None,
        output_activation: str | None = None,
        recompute: int | None = None,
        activation: ActivationFunction | None = None,
        gate_activation: ActivationFunction | None = None,
        clip: float | None = None,
        cell_clip: float | None = None,
        reverse: bool = False,
    ) -> None:
        first = (input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        beyond = (learn_initial_state, forget_bias, chrono, output_size, output_activation)
        options = LayerOptions(
            *first, proj_size, device, dtype, *beyond, recompute, reverse=reverse
        )
        choices = {"activation": activation, "gate_activation": gate_activation, "clip": clip}
        plain = ProjectedLSTM() if proj_size > 0 else LSTMEquations()
        self._construct("LSTM", plain, {**choices, "cell_clip": cell_clip}, options)


class GRU(_DropIn[Tensor]):
    """`torch.nn.GRU`, argument for argument and weight for weight; for more see `LSTM`.

    Example:
        >>> import torch, sluice
        >>> y, h = sluice.nn.GRU(3, 8, batch_first=True)(torch.zeros(2, 5, 3))
        >>> y.shape, h.shape
        (torch.Size([2, 5, 8]), torch.Size([1, 2, 8]))
    """

    native = nn.GRU

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Device = None,
        dtype: torch.dtype | None = None,
        *,
        learn_initial_state: bool = False,
        forget_bias: float | None = None,
        chrono: float | None = None,
        output_size: int | None = None,
        output_activation: str | None = None,
        recompute: int | None = None,
        proj_size: None = None,
        activation: ActivationFunction | None = None,
        gate_activation: ActivationFunction | None = None,
        clip: float | None = None,
        reverse: bool = False,
    ) -> None:
        _refuse_projection(proj_size)
        first = (input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        beyond = (learn_initial_state, forget_bias, chrono, output_size, output_activation)
        options = LayerOptions(*first, 0, device, dtype, *beyond, recompute, reverse=reverse)
        choices = {"activation": activation, "gate_activation": gate_activation, "clip": clip}
        self._construct("GRU", GRUEquations(), choices, options)


class RNN(_DropIn[Tensor]):
    """`torch.nn.RNN`, argument for argument and weight for weight; for more see `LSTM`.

    As in torch, ``nonlinearity`` is ``"tanh"`` or ``"relu"`` and comes fourth.

    Example:
        >>> import torch, sluice
        >>> y, h = sluice.nn.RNN(3, 8, nonlinearity="relu")(torch.zeros(5, 3))
        >>> y.shape, h.shape
        (torch.Size([5, 8]), torch.Size([1, 8]))
    """

    native = nn.RNN

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Device = None,
        dtype: torch.dtype | None = None,
        *,
        learn_initial_state: bool = False,
        forget_bias: float | None = None,
        chrono: float | None = None,
        output_size: int | None = None,
        output_activation: str | None = None,
        recompute: int | None = None,
        proj_size: None = None,
        activation: ActivationFunction | None = None,
        clip: float | None = None,
        reverse: bool = False,
    ) -> None:
        _refuse_projection(proj_size)
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        self.nonlinearity = nonlinearity
        first = (input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        beyond = (learn_initial_state, forget_bias, chrono, output_size, output_activation)
        options = LayerOptions(*first, 0, device, dtype, *beyond, recompute, reverse=reverse)
        choices = {"activation": activation, "clip": clip}
        if clip is not None and activation is None:
            choices["activation"] = nonlinearity
        self._construct(f"RNN_{nonlinearity.upper()}", Elman(nonlinearity), choices, options)


def _refuse_projection(proj_size: object) -> None:
    """As torch does, whose three layers all have the argument."""
    if proj_size is not None:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
