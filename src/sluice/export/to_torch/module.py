"""A layer or a model as a Python module of torch's own layers, and its weights."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sluice._version import __version__
from sluice.export.errors import ExportError
from sluice.export.layer_graph import split_layer
from sluice.export.parts import LinearMap, ModelParts
from sluice.nn.conversion import convert

_ACTIVATIONS = {
    "sigmoid": "torch.sigmoid(y)",
    "tanh": "torch.tanh(y)",
    "relu": "torch.relu(y)",
    "softmax": "torch.softmax(y, -1)",
}
_DEFAULTS: dict[str, Any] = {
    "num_layers": 1,
    "nonlinearity": "tanh",
    "bias": True,
    "batch_first": False,
    "dropout": 0.0,
    "bidirectional": False,
    "proj_size": 0,
}


@dataclass(frozen=True)
class TorchModule:
    """The text of the module, and its state dictionary."""

    text: str
    weights: dict[str, Tensor]

    def open(self) -> nn.Module:
        """The network, made by the text."""
        found: dict[str, Any] = {"__name__": "network"}
        exec(compile(self.text, "network", "exec"), found)  # the text is ours
        network: nn.Module = found["Network"]()
        network.load_state_dict(self.weights)
        return network.eval()


class ModuleWriter:
    """Writes the module: what its constructor makes, and what its call does.

    Raises `ExportError`, which names what torch's layers lack.
    """

    def __init__(self, parts: ModelParts) -> None:
        if any(bool(one.any()) for own in split_layer(parts.layers) for one in own.initial_states):
            raise ExportError("torch's layers start sequences from zeros, and these states are not")
        own = deepcopy(parts.layers).cpu()
        own.readout = None
        try:
            self._layers: Any = convert(own, to="torch")
        except ValueError as error:
            raise ExportError(str(error)) from None
        self._parts, self._directions = parts, parts.layers.directions
        self._made, self._steps = list[str](), list[str]()
        self._weights = dict[str, Tensor]()

    def write(self, name: str) -> TorchModule:
        """The whole module, whose file is called ``name``."""
        parts = self._parts
        if parts.fills_missing:
            self._steps.append("x = x.nan_to_num()  # what is missing is read as 0")
        if parts.table is not None:
            self._make("embedding", f"nn.Embedding{tuple(parts.table.shape)}", parts.table)
            self._steps.append("x = self.embedding(x)")
        if parts.input_map is not None:
            self._make_linear("input_map", parts.input_map)
            self._steps.append("x = self.input_map(x)")
        self._make("layers", self._describe_layers())
        self._weights |= {f"layers.{n}": t for n, t in self._layers.state_dict().items()}
        self._steps.append("y, states = self.layers(x, states)")
        if parts.reads_ends:
            self._steps += self._take_ends()
        if parts.readout is not None:
            self._make_linear("readout", parts.readout)
            self._steps.append("y = self.readout(y)")
        if parts.activation in _ACTIVATIONS:
            self._steps.append(f"y = {_ACTIVATIONS[parts.activation]}")
        dtype = next(iter(self._weights.values())).dtype
        text = _TEXT.format(
            version=__version__, name=name, reads=self._describe_input(),
            made="\n".join(f"        {one}" for one in self._made),
            steps="\n".join(f"        {one}" for one in self._steps),
            dtype="" if dtype == torch.float32 else f"\n        self.to({dtype})",
        )  # fmt: skip
        return TorchModule(text, self._weights)

    def _make(self, name: str, made: str, weight: Tensor | None = None) -> None:
        self._made.append(f"self.{name} = {made}")
        if weight is not None:
            self._weights[f"{name}.weight"] = weight

    def _make_linear(self, name: str, own: LinearMap) -> None:
        rows, columns = own.weight.shape
        bias = "" if own.bias is not None else ", bias=False"
        self._make(name, f"nn.Linear({columns}, {rows}{bias})", own.weight)
        if own.bias is not None:
            self._weights[f"{name}.bias"] = own.bias

    def _describe_layers(self) -> str:
        layers = self._layers
        options = "".join(
            f", {name}={getattr(layers, name)!r}"
            for name, default in _DEFAULTS.items()
            if getattr(layers, name, default) != default
        )
        kind = type(layers).__name__
        return f"nn.{kind}({layers.input_size}, {layers.hidden_size}{options})"

    def _take_ends(self) -> list[str]:
        first = "states[0]" if isinstance(self._layers, nn.LSTM) else "states"
        return [f"y = torch.cat(tuple({first}[-{self._directions}:]), -1)"]

    def _describe_input(self) -> str:
        parts = self._parts
        lead = "batch, time" if parts.layers.batch_first else "time, batch"
        if parts.table is not None:
            return f"ids from 0 to {parts.input_size - 1}, ({lead})"
        return f"values, ({lead}, {parts.input_size})"


_TEXT = '''\
"""A network written by sluice {version}. It needs torch alone; its weights are in {name}.pt.

    from {name} import load

    network = load()
    y, states = network(x)          # x: {reads}
    y, states = network(x, states)  # and on from there
"""

from pathlib import Path

import torch
from torch import nn


class Network(nn.Module):
    def __init__(self):
        super().__init__()
{made}{dtype}

    def forward(self, x, states=None):
{steps}
        return y, states


def load():
    network = Network()
    path = Path(__file__).with_suffix(".pt")
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval()
'''
