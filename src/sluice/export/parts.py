"""A layer or a model as a chain of parts: an embedding, recurrent layers, a readout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from sluice.export.layer_graph import as_layer
from sluice.nn.readout import Readout
from sluice.nn.stack import RecurrentStack
from sluice.sequence.models import Classifier, LanguageModel, Tagger


@dataclass(frozen=True)
class LinearMap:
    """``weight @ x + bias``; no bias is None."""

    weight: Tensor
    bias: Tensor | None


@dataclass(frozen=True)
class ModelParts:
    """What a layer or a model computes, in order; what it does not have is None.

    Attributes:
        table: The embedding of ids, ``(ids, width)``.
        input_map: The map of values before the layers.
        layers: The recurrent layers.
        readout: The map of their output.
        activation: What the readout goes through, as `sluice.nn.readout.Readout` has it.
        reads_ends: Whether the readout reads the last layer's final state of each direction, where
            it else reads every step's output.
        fills_missing: Whether NaN is read as 0.
    """

    table: Tensor | None
    input_map: LinearMap | None
    layers: RecurrentStack
    readout: LinearMap | None
    activation: str = "identity"
    reads_ends: bool = False
    fills_missing: bool = False

    @property
    def input_size(self) -> int:
        """How many ids there are, or how many values a step has."""
        if self.table is not None:
            return len(self.table)
        if self.input_map is not None:
            return self.input_map.weight.shape[1]
        return self.layers.input_size

    @property
    def output_size(self) -> int:
        """How many values a step's or a sequence's output has."""
        if self.readout is None:
            return self.layers.output_features
        return len(self.readout.weight)


def split_model(module: nn.Module) -> ModelParts | None:
    """The parts of a recurrent layer, a language model, a tagger or a classifier; else None."""
    if (layer := as_layer(module)) is not None:
        own = layer.readout
        if not isinstance(own, Readout):
            return ModelParts(None, None, layer, None)
        return ModelParts(None, None, layer, _read_map(own.map), own.activation)
    if type(module) not in (LanguageModel, Tagger, Classifier):
        return None
    model = cast("LanguageModel | Tagger | Classifier", module)
    table = _read(model.embedding.weight) if isinstance(model.embedding, nn.Embedding) else None
    readout = _read_map(model.readout)
    if isinstance(model, LanguageModel):
        if model.config.tied:
            readout = LinearMap(_read(model.embedding.weight), _read(model.readout.bias))
        return ModelParts(table, None, model.layers, readout)
    return ModelParts(
        table,
        _read_map(model.embedding),
        model.layers,
        readout,
        reads_ends=isinstance(model, Classifier),
        fills_missing=table is None,
    )


def _read_map(module: nn.Module) -> LinearMap | None:
    if not isinstance(module, nn.Linear) or module.weight is None:
        return None
    return LinearMap(_read(module.weight), None if module.bias is None else _read(module.bias))


def _read(parameter: Tensor) -> Tensor:
    return parameter.detach().cpu()
