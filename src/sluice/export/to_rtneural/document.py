"""What RTNeural's ``json_parser`` reads of a model.

The document has ``in_shape`` and ``layers``. A layer has a ``type`` (``lstm``, ``gru``, ``dense``,
``activation``), a ``shape`` whose last number is its width, ``weights`` as Keras has them, and the
``activation`` that follows a ``dense``. An LSTM's bias is one row, a GRU's two
(``RTNeural/model_loader.h``).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sluice.export.errors import ExportError
from sluice.export.keras_layers import KerasReader, describe_layer
from sluice.export.layer_graph import LayerGraph, split_layer
from sluice.export.parts import LinearMap, ModelParts

RTNEURAL = KerasReader("RTNeural", "LSTM, and GRU with the reset after the product")
_TYPES = {"LSTM": "lstm", "GRU": "gru"}
_WITHOUT_MAP = {"tanh", "relu", "sigmoid", "softmax"}


def make_document(parts: ModelParts) -> dict[str, Any]:
    """The document of a layer with its readout, or of a tagger of values.

    Raises `ExportError`, which names what RTNeural lacks.
    """
    layers = parts.layers
    lacks = {
        "an embedding of ids": parts.table is not None,
        "a readout of the last step alone": parts.reads_ends,
        "missing values (NaN)": parts.fills_missing,
        "layers that read from the end": layers.bidirectional or layers.reverse,
        "inputs beside x": bool(layers.cell.graph.inputs),
    }
    for name, holds in lacks.items():
        if holds:
            raise ExportError(f"RTNeural has no form for {name}")
    found = [_write_layer(graph) for graph in split_layer(layers)]
    if parts.readout is not None:
        found.append(_write_dense(parts.readout, parts.activation))
    elif parts.activation in _WITHOUT_MAP:
        found.append(_write("activation", parts.activation, layers.output_features, []))
    return {"in_shape": [None, None, layers.input_size], "layers": found}


def _write_layer(graph: LayerGraph) -> dict[str, Any]:
    own = describe_layer(graph, RTNEURAL)
    if own.kind not in _TYPES or (own.kind == "GRU" and not own.resets_after):
        name = "a GRU with the reset before the product" if own.kind == "GRU" else "a simple RNN"
        raise ExportError(f"RTNeural has no layer for {name}; it has {RTNEURAL.layers}")
    if (own.activation, own.gate_activation) != ("tanh", "sigmoid"):
        raise ExportError(
            "RTNeural's layers have tanh and sigmoid alone, where this one has "
            f"{own.activation} and {own.gate_activation}"
        )
    weights = own.weights
    if len(weights) == 2:  # its reader takes no layer without a bias
        rows = 2 if own.kind == "GRU" else 1
        weights = [*weights, torch.zeros(rows, weights[0].shape[1]).squeeze(0)]
    return _write(_TYPES[own.kind], "", own.units, weights)


def _write_dense(own: LinearMap, activation: str) -> dict[str, Any]:
    size = len(own.weight)
    bias = torch.zeros(size) if own.bias is None else own.bias
    name = "" if activation == "identity" else activation
    return _write("dense", name, size, [own.weight.T, bias])


def _write(kind: str, activation: str, size: int, weights: list[Tensor]) -> dict[str, Any]:
    return {
        "type": kind,
        "activation": activation,
        "shape": [None, None, size],
        "weights": [one.tolist() for one in weights],
    }
