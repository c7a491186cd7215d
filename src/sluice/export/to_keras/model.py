"""A layer or a model as a model of Keras, with the weights of ours."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sluice.export.errors import ExportError
from sluice.export.keras_layers import KerasLayer, KerasReader, describe_layer
from sluice.export.layer_graph import split_layer
from sluice.export.parts import LinearMap, ModelParts
from sluice.extras import MissingExtraError
from sluice.files import StrPath

KERAS = KerasReader("Keras", "LSTM, GRU and SimpleRNN")
_ACTIVATIONS = {"identity": "linear"}


def load_keras() -> Any:
    """Keras, on torch where nothing else is chosen.

    Raises `MissingExtraError` where it is not installed.
    """
    is_chosen = "KERAS_BACKEND" in os.environ
    os.environ.setdefault("KERAS_BACKEND", "torch")
    try:
        import keras
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "keras", "keras") from None
    finally:
        if not is_chosen:
            del os.environ["KERAS_BACKEND"]
    return keras


class KerasModelBuilder:
    """Builds the model: input, embedding, layers, readout, each a layer of Keras.

    Raises `ExportError` for what Keras cannot say.
    """

    def __init__(self, parts: ModelParts, *, stream: bool) -> None:
        layers = parts.layers
        if layers.reverse:
            raise ExportError(
                "Keras has no layer that reads from the end alone and keeps the order of steps"
            )
        if stream and layers.bidirectional:
            raise ExportError(
                "stream: a layer that reads from the end needs the whole sequence; leave stream out"
            )
        if layers.cell.graph.inputs:
            names = ", ".join(one.name for one in layers.cell.graph.inputs)
            raise ExportError(f"Keras' layers read one input; this cell reads {names} beside it")
        self._keras = load_keras()
        self._parts, self._stream = parts, stream
        graphs = split_layer(layers)
        self.dtype = graphs[0].dtype
        self._dtype_name = str(self.dtype).removeprefix("torch.")
        self._layers = [describe_layer(graph, KERAS) for graph in graphs]
        self._weights = list[tuple[Any, list[Tensor]]]()

    def build(self) -> Any:
        """The whole model; its input is ``(batch, time, features)``, ids ``(batch, time)``."""
        keras, parts, directions = self._keras, self._parts, self._parts.layers.directions
        features = () if parts.table is not None else (parts.input_size,)
        x = start = keras.Input(
            batch_shape=(1 if self._stream else None, None, *features),
            dtype="int32" if parts.table is not None else self._dtype_name,
            name="tokens" if parts.table is not None else "input",
        )
        if parts.fills_missing:
            x = keras.ops.nan_to_num(x)
        if parts.table is not None:
            embedding = keras.layers.Embedding(*parts.table.shape, **self._name("embedding"))
            x = self._add(embedding, [parts.table], x)
        if parts.input_map is not None:
            x = self._add_dense("input_map", parts.input_map, "linear", x)
        for place in range(0, len(self._layers), directions):
            x = self._add_recurrent(place // directions, self._layers[place:][:directions], x)
        activation = _ACTIVATIONS.get(parts.activation, parts.activation)
        if parts.readout is not None:
            x = self._add_dense("readout", parts.readout, activation, x)
        elif activation != "linear":
            x = keras.layers.Activation(activation, **self._name("readout"))(x)
        model = keras.Model(start, x, name="sluice")
        for layer, weights in self._weights:
            layer.set_weights([one.detach().cpu().numpy() for one in weights])
        return model

    def _name(self, name: str) -> dict[str, str]:
        return {"name": name, "dtype": self._dtype_name}

    def _add(self, layer: Any, weights: list[Tensor], x: Any) -> Any:
        self._weights.append((layer, weights))
        return layer(x)

    def _add_dense(self, name: str, own: LinearMap, activation: str, x: Any) -> Any:
        layer = self._keras.layers.Dense(
            len(own.weight),
            activation=activation,
            use_bias=own.bias is not None,
            **self._name(name),
        )
        weights = [own.weight.T] if own.bias is None else [own.weight.T, own.bias]
        return self._add(layer, weights, x)

    def _add_recurrent(self, number: int, sides: Sequence[KerasLayer], x: Any) -> Any:
        """One layer, of one direction or two."""
        parts, name = self._parts, f"layer_{number}"
        is_last = number == parts.layers.num_layers - 1
        one = sides[0]
        options = {
            "activation": one.activation,
            "use_bias": len(one.weights) == 3,
            "return_sequences": not (is_last and parts.reads_ends),
            "stateful": self._stream,
        }
        if one.kind != "SimpleRNN":
            options["recurrent_activation"] = one.gate_activation
        if one.kind == "GRU":
            options["reset_after"] = one.resets_after
        layers = self._keras.layers
        layer = getattr(layers, one.kind)(one.units, **options, **self._name(name))
        if len(sides) == 2:
            layer = layers.Bidirectional(layer, merge_mode="concat", **self._name(f"{name}_both"))
        return self._add(layer, [weight for side in sides for weight in side.weights], x)


def save_model(model: Any, path: StrPath) -> None:
    """Write a model of Keras, without what it says of NumPy's newer ways."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model.save(path)


def call_model(keras: Any, model: Any, x: Tensor) -> Tensor:
    """What a model of Keras gives for ``x``, in whatever library it runs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = keras.ops.convert_to_numpy(model(keras.ops.convert_to_tensor(x.numpy())))
    return torch.from_numpy(found)
