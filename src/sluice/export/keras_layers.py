"""A layer in one direction as one of Keras' layers, its weights as ``get_weights()`` has them.

RTNeural reads the same arrays. Kernels are ``(input, gates × units)``; gates come in the order
input, forget, candidate, output in an LSTM and update, reset, candidate in a GRU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from sluice.equations.graph import Graph, RowMap, RowNorm, sort_topologically
from sluice.equations.specs import HIDDEN
from sluice.export.errors import ExportError
from sluice.export.layer_graph import LayerGraph
from sluice.export.native import NativeActivation, NativeCell, find_native

KerasKind = Literal["LSTM", "GRU", "SimpleRNN"]
_KINDS: dict[str, KerasKind] = {"LSTM": "LSTM", "GRU": "GRU", "RNN": "SimpleRNN"}
# Where each of Keras' gates stands in ONNX's order.
_ORDER: dict[str, tuple[int, ...]] = {"LSTM": (0, 2, 3, 1), "GRU": (0, 1, 2), "RNN": (0,)}
# Keras' names of activation functions, with the numbers that they have there.
_ACTIVATIONS: dict[tuple[str, tuple[float, ...]], str] = {
    ("Sigmoid", ()): "sigmoid",
    ("Tanh", ()): "tanh",
    ("Relu", ()): "relu",
    ("Softsign", ()): "softsign",
    ("Softplus", ()): "softplus",
    ("Elu", (1.0,)): "elu",
    ("LeakyRelu", (0.2,)): "leaky_relu",
    ("HardSigmoid", (1 / 6, 0.5)): "hard_sigmoid",
    ("Affine", (1.0, 0.0)): "linear",
}


@dataclass(frozen=True)
class KerasReader:
    """Who reads the layers: the name, and which layers it has, for messages."""

    name: str
    layers: str


@dataclass(frozen=True)
class KerasLayer:
    """One layer in one direction.

    Attributes:
        kind: Which of Keras' layers.
        units: Its size.
        weights: Kernel, recurrent kernel and, if there is one, bias: ``(gates × units,)``, or
            ``(2, 3 × units)`` for a GRU whose reset comes after the product.
        activation: What candidates go through.
        gate_activation: What gates go through.
        resets_after: Whether a GRU's reset gate acts on the product.
    """

    kind: KerasKind
    units: int
    weights: list[Tensor]
    activation: str
    gate_activation: str
    resets_after: bool


def describe_layer(layer: LayerGraph, reader: KerasReader) -> KerasLayer:
    """``layer`` as Keras has it.

    Raises `ExportError`, which names what the reader lacks, for a cell that is none of Keras' and
    for initial states other than zeros.
    """
    native, target = find_native(layer.graph), reader.name
    if native is None or any(gate.peephole is not None for gate in native.gates):
        lack = _describe_lack(layer.graph, native)
        raise ExportError(f"{target} has no layer for {lack}; it has {reader.layers}")
    if native.clip is not None:
        raise ExportError(f"{target} has no bounds (clip) of what enters an activation function")
    if any(bool(state.any()) for state in layer.initial_states):
        raise ExportError(f"{target} starts sequences from zeros, and this layer's states are not")
    gates = [native.gates[place] for place in _ORDER[native.op]]
    kernel, inner = zip(*(layer.read_map(gate.of_input) for gate in gates), strict=True)
    recurrent, outer = zip(*(layer.read_map(gate.of_state) for gate in gates), strict=True)
    weights = [torch.cat(kernel).T.contiguous(), torch.cat(recurrent).T.contiguous()]
    if any(bias is not None for bias in (*inner, *outer)):
        rows = torch.stack([_join(inner, kernel), _join(outer, kernel)])
        weights.append(rows if native.resets_after else rows.sum(0))
    names = [_name(one, target) for one in native.activations]
    gated, candidate = names[0], names[-1]
    if native.op == "LSTM" and candidate != names[1]:
        raise ExportError(
            f"{target} has one activation function for an LSTM's candidate and its cell state, "
            f"where this one has {names[1]} and {candidate}"
        )
    units = layer.sizes.of(HIDDEN)
    return KerasLayer(_KINDS[native.op], units, weights, candidate, gated, native.resets_after)


def _join(biases: tuple[Tensor | None, ...], like: tuple[Tensor, ...]) -> Tensor:
    return torch.cat(
        [w.new_zeros(len(w)) if b is None else b for b, w in zip(biases, like, strict=True)]
    )


def _name(activation: NativeActivation, target: str) -> str:
    found = _ACTIVATIONS.get((activation.name, activation.numbers))
    if found is None:
        numbers = ", ".join(f"{number:g}" for number in activation.numbers)
        raise ExportError(f"{target} has no activation function {activation.name}({numbers})")
    return found


def _describe_lack(graph: Graph, native: NativeCell | None) -> str:
    """What makes a cell none of the three: a phrase after "no layer for"."""
    nodes = sort_topologically(graph.outputs_by_name[kept.name] for kept in graph.kept_values)
    widths = {state.width for state in graph.states}
    reasons = [
        (native is not None, "gates that see the cell state (peepholes)"),
        (bool(graph.inputs), "inputs beside x"),
        (any(isinstance(node, RowNorm) for node in nodes), "layer norm inside the recurrence"),
        (any(isinstance(node, RowMap) for node in nodes), "sums or copies over a layer's units"),
        (any(stack.heads > 1 for stack in graph.stacks), "block-diagonal maps (heads)"),
        (bool(graph.masks), "random masks inside the recurrence"),
        (widths != {HIDDEN}, "states of other widths than the hidden size"),
        (len(graph.states) > 2, f"{len(graph.states)} states"),
    ]
    found = [name for holds, name in reasons if holds]
    cause = f", which has {' and '.join(found)}" if found else ""
    return f"the equations of {graph.name}{cause}"
