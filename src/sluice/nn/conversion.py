"""Torch's recurrent layers into Sluice's and back, weights kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import nn

from sluice.nn.rnn import GRU, LSTM, RNN
from sluice.nn.rnn_cells import GRUCell, LSTMCell, RNNCell
from sluice.nn.stack import RecurrentStack

_TO_SLUICE: dict[type[nn.Module], type[nn.Module]] = {
    nn.LSTM: LSTM,
    nn.GRU: GRU,
    nn.RNN: RNN,
    nn.LSTMCell: LSTMCell,
    nn.GRUCell: GRUCell,
    nn.RNNCell: RNNCell,
}
_TO_TORCH = {ours: theirs for theirs, ours in _TO_SLUICE.items()}


def convert(model: nn.Module, to: Literal["sluice", "torch"] = "sluice") -> nn.Module:
    """Replace every recurrent layer of ``model`` by its counterpart, in place.

    The new layers hold the same parameter objects, so that optimisers and ties between weights
    stay valid; outputs are the same. Subclasses of torch's layers are left as they are.

    Args:
        model: The model, or a single layer.
        to: ``"sluice"``, or ``"torch"`` for the inverse.

    Returns:
        ``model``, or the new layer where ``model`` is itself a layer.

    Raises:
        ValueError: for another ``to``; with ``to="torch"``, for a layer that uses what torch
            lacks.

    Example:
        >>> import sluice, torch
        >>> model = sluice.nn.convert(torch.nn.Sequential(torch.nn.GRU(3, 8)))
        >>> type(model[0]).__module__
        'sluice.nn.rnn'
    """
    if to not in ("sluice", "torch"):
        raise ValueError(f"to must be 'sluice' or 'torch', got {to!r}")
    table = _TO_SLUICE if to == "sluice" else _TO_TORCH
    converted: dict[nn.Module, nn.Module] = {}  # a layer used twice stays one layer
    for module in list(model.modules()):
        if type(module) in table:
            converted[module] = _convert_layer(module, table[type(module)])
    for module in list(model.modules()):
        for name, child in module._modules.items():
            if child in converted:
                module._modules[name] = converted[child]
    return converted.get(model, model)


def _convert_layer(layer: nn.Module, kind: Callable[..., nn.Module]) -> nn.Module:
    options: dict[str, object] = {"bias": layer.bias}
    if isinstance(layer, nn.RNNBase):
        for name in ("num_layers", "batch_first", "dropout", "bidirectional"):
            options[name] = getattr(layer, name)
        if layer.proj_size:
            options["proj_size"] = layer.proj_size
        _refuse_beyond_torch(layer)
    if hasattr(layer, "nonlinearity"):
        options["nonlinearity"] = layer.nonlinearity
    fresh = kind(layer.input_size, layer.hidden_size, device="meta", **options)
    for name, parameter in layer._parameters.items():
        setattr(fresh, name, parameter)
    return fresh.train(layer.training)


def _refuse_beyond_torch(layer: nn.RNNBase) -> None:
    if not isinstance(layer, RecurrentStack):
        return
    extras = []
    if layer.learn_initial_state:
        extras.append("learned initial states")
    if layer.readout is not None:
        extras.append("a readout")
    if len(set(layer.hidden_sizes)) > 1:
        extras.append("layers of different sizes")
    if extras:
        raise ValueError(
            f"torch's layer has no {' or '.join(extras)}; this layer cannot be converted to it"
        )
