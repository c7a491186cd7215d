"""Torch's recurrent layers into Sluice's and back, weights kept."""

from __future__ import annotations

from typing import Any

from torch import nn

from sluice.nn.rnn import GRU, LSTM, RNN
from sluice.nn.rnn_cells import GRUCell, LSTMCell, RNNCell

_TO_SLUICE: dict[type[nn.Module], type[nn.Module]] = {
    nn.LSTM: LSTM,
    nn.GRU: GRU,
    nn.RNN: RNN,
    nn.LSTMCell: LSTMCell,
    nn.GRUCell: GRUCell,
    nn.RNNCell: RNNCell,
}
_TO_TORCH = {ours: theirs for theirs, ours in _TO_SLUICE.items()}


def convert(model: nn.Module, to: str = "sluice") -> nn.Module:
    """Replace every recurrent layer of ``model`` by its counterpart, in place.

    The very same parameters go on in the new layers, so that optimisers and ties between weights
    stay valid; outputs are the same. Subclasses of torch's layers are left as they are.

    Args:
        model: The model, or a single layer.
        to: ``"sluice"``, or ``"torch"`` for the way back.

    Returns:
        ``model``, or the new layer where ``model`` is itself a layer.

    Raises:
        ValueError: for another ``to``; on the way back, for a layer that uses what torch lacks.

    Example:
        >>> import sluice, torch
        >>> model = sluice.nn.convert(torch.nn.Sequential(torch.nn.GRU(3, 8)))
        >>> type(model[0]).__module__
        'sluice.nn.rnn'
    """
    if to not in ("sluice", "torch"):
        raise ValueError(f"to is 'sluice' or 'torch', not {to!r}")
    table = _TO_SLUICE if to == "sluice" else _TO_TORCH
    made: dict[nn.Module, nn.Module] = {}  # a layer used twice stays one layer
    for module in list(model.modules()):
        if type(module) in table:
            made[module] = _convert_layer(module, table[type(module)])
    for module in list(model.modules()):
        for name, child in module._modules.items():
            if child in made:
                module._modules[name] = made[child]
    return made.get(model, model)


def _convert_layer(layer: Any, kind: Any) -> nn.Module:
    options = {"bias": layer.bias}
    if isinstance(layer, nn.RNNBase):
        for name in ("num_layers", "batch_first", "dropout", "bidirectional"):
            options[name] = getattr(layer, name)
        if layer.proj_size:
            options["proj_size"] = layer.proj_size
        _refuse_beyond_torch(layer)
    if hasattr(layer, "nonlinearity"):
        options["nonlinearity"] = layer.nonlinearity
    fresh: nn.Module = kind(layer.input_size, layer.hidden_size, device="meta", **options)
    for name, parameter in layer._parameters.items():
        setattr(fresh, name, parameter)
    return fresh.train(layer.training)


def _refuse_beyond_torch(layer: Any) -> None:
    extras = []
    if getattr(layer, "learn_initial_state", False):
        extras.append("learned initial states")
    if getattr(layer, "readout", None) is not None:
        extras.append("a readout")
    if not isinstance(layer.hidden_size, int):
        extras.append("layers of different sizes")
    if extras:
        raise ValueError(f"torch's layer has no {' or '.join(extras)}; this layer cannot go back")
