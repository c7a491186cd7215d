"""Torch's recurrent layers into Sluice's and back, all that they carry kept."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Literal

from torch import Tensor, nn
from torch.nn.utils import parametrize

from sluice.nn.rnn import GRU, LSTM, RNN
from sluice.nn.rnn_cells import GRUCell, LSTMCell, RNNCell
from sluice.nn.stack import RecurrentStack

_Kinds = Mapping[type[nn.Module], type[nn.Module]]
_TO_SLUICE: _Kinds = {
    nn.LSTM: LSTM,
    nn.GRU: GRU,
    nn.RNN: RNN,
    nn.LSTMCell: LSTMCell,
    nn.GRUCell: GRUCell,
    nn.RNNCell: RNNCell,
}
_TO_TORCH: _Kinds = {ours: theirs for theirs, ours in _TO_SLUICE.items()}
_SETTINGS = {"_plan", "_backend", "_precision", "_recompute"}
"""What a layer of Sluice's may hold beside what its constructor sets."""


def convert(model: nn.Module, to: Literal["sluice", "torch"] = "sluice") -> nn.Module:
    """Replace every recurrent layer of ``model`` by its counterpart, in place.

    A layer stays the same object and becomes one of the other class: its parameters, those of an
    optimizer and those that layers share, its buffers, attributes, modes, hooks, parametrizations
    (`torch.nn.utils.parametrizations`) and pruning masks are what they were. Outputs and state
    dictionaries are the same.

    A subclass with code of its own is left as it is, and a warning names it.

    Args:
        model: The model, or a single layer.
        to: ``"sluice"``, or ``"torch"`` for the inverse.

    Returns:
        ``model``.

    Raises:
        ValueError: for another ``to``; for a layer that cannot become one of the other class, as
            it has an attribute or a parameter's shape that the other has not, or uses what torch
            lacks. Then nothing is changed.

    Example:
        >>> import sluice, torch
        >>> model = sluice.nn.convert(torch.nn.Sequential(torch.nn.GRU(3, 8)))
        >>> type(model[0]).__module__
        'sluice.nn.rnn'
    """
    if to not in ("sluice", "torch"):
        raise ValueError(f"to must be 'sluice' or 'torch', got {to!r}")
    kinds, others = (_TO_SLUICE, _TO_TORCH) if to == "sluice" else (_TO_TORCH, _TO_SLUICE)
    conversions, left = [], []
    for name, module in model.named_modules():
        where = f"{name}, " if name else ""
        kind = parametrize.type_before_parametrizations(module)
        if kind in kinds:
            label = f"{where}a {kind.__module__}.{kind.__qualname__},"
            conversions.append(_Conversion(module, kind, kinds[kind], label))
        elif isinstance(module, tuple(kinds)) and not isinstance(module, tuple(others)):
            left.append(f"{where}a {kind.__qualname__}")
        elif to == "torch" and isinstance(module, RecurrentStack):
            if isinstance(module, tuple(kinds)):  # derives from a layer of ours
                left.append(f"{where}a {kind.__qualname__}")
            else:
                raise ValueError(f"torch has no layer for {where}a {module!r}")
    for conversion in conversions:
        conversion.apply()
    if left:
        warnings.warn(
            f"sluice.nn.convert leaves as they are, for code of their own: {'; '.join(left)}",
            stacklevel=2,
        )
    return model


class _Conversion:
    """One layer on its way into another class; nothing is changed before `apply`."""

    def __init__(
        self, layer: nn.Module, kind: type[nn.Module], other: type[nn.Module], label: str
    ) -> None:
        self.layer, self.kind, self.other, self.label = layer, kind, other, label
        if isinstance(layer, RecurrentStack):
            self._refuse_beyond_torch(layer)
        options = _read_options(layer)
        present, fresh = (
            vars(made(layer.input_size, layer.hidden_size, device="meta", **options))
            for made in (kind, other)
        )
        self.removed = present.keys() - fresh.keys() | _SETTINGS
        self.added = {name: fresh[name] for name in fresh.keys() - present.keys()}
        self.removed_buffers = present["_buffers"].keys() - fresh["_buffers"].keys()
        self.added_buffers = {
            name: buffer
            for name, buffer in fresh["_buffers"].items()
            if name not in present["_buffers"]
        }
        added = self.added.keys() | self.added_buffers.keys()
        taken = sorted(added & (vars(layer).keys() | layer._buffers.keys()))
        if taken:
            raise ValueError(
                f"{label} has an attribute {taken[0]!r}, which {other.__module__}.{other.__name__} "
                "needs for itself; rename it"
            )
        self._check_shapes(fresh["_parameters"])

    def apply(self) -> None:
        """Change the layer's class, and the attributes that only one of the two has."""
        own = vars(self.layer)
        for name in self.removed:
            own.pop(name, None)
        own.update(self.added)
        for name in self.removed_buffers:
            own["_buffers"].pop(name, None)
            own["_non_persistent_buffers_set"].discard(name)
        for name, buffer in self.added_buffers.items():
            self.layer.register_buffer(name, buffer, persistent=False)
        present = type(self.layer)
        if present is self.kind:
            self.layer.__class__ = self.other
            return
        # torch gives a parametrized module a class of its own, with a property for each parameter.
        members = {k: v for k, v in vars(present).items() if k not in ("__dict__", "__weakref__")}
        name = f"Parametrized{self.other.__name__}"
        self.layer.__class__ = type(name, (self.other,), members)

    def _check_shapes(self, expected: Mapping[str, Tensor]) -> None:
        for name, parameter in expected.items():
            found = self.layer._parameters.get(name, vars(self.layer).get(name))
            if found is not None and found.shape != parameter.shape:
                raise ValueError(
                    f"{self.label} has a {name} of shape {tuple(found.shape)}; by its sizes it "
                    f"should be {tuple(parameter.shape)}"
                )

    def _refuse_beyond_torch(self, layer: RecurrentStack) -> None:
        extras = []
        if layer.learn_initial_state:
            extras.append("learned initial states")
        if layer.readout is not None:
            extras.append("a readout")
        if len(set(layer.hidden_sizes)) > 1:
            extras.append("layers of different sizes")
        if layer.native is None:
            extras.append("other activations or bounds")
        if layer.native is None and self.kind in _TO_TORCH:
            extras.append("other activations or bounds")
        if layer.reverse:
            extras.append("reading from the end alone")
        if layer.precision != "float32":
            extras.append(f"{layer.precision} precision")
        if extras:
            raise ValueError(
                f"{self.label} cannot become torch's layer, which has no {' or '.join(extras)}"
            )


def _read_options(layer: nn.Module) -> dict[str, object]:
    """What both constructors take beside the sizes."""
    names = ["bias"]
    if isinstance(layer, nn.RNNBase):
        names += ["num_layers", "batch_first", "dropout", "bidirectional"]
        if layer.proj_size:
            names.append("proj_size")
    if hasattr(layer, "nonlinearity"):
        names.append("nonlinearity")
    return {name: getattr(layer, name) for name in names}
