"""The inputs of a whole model that torch exports: examples, and which dimensions are free."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from sluice.export.errors import ExportError
from sluice.sequence.models import (
    Classifier,
    Forecaster,
    LabelsConfig,
    LanguageModel,
    PairModel,
    SequenceModel,
    Tagger,
)

MARKS = ("lengths", "resets")
"""What a call may be given beside its input and its states."""

SIZES = ({"time": 7, "batch": 3}, {"time": 1, "batch": 1}, {"time": 12, "batch": 2})
"""The free dimensions of the calls that are compared."""


@dataclass(frozen=True)
class ModelInput:
    """An input of a model: an example, and the names of the dimensions that may have any size."""

    name: str
    example: Tensor
    free: dict[int, str]

    @property
    def shape(self) -> tuple[int | str, ...]:
        """Numbers, and names of free dimensions."""
        return tuple(self.free.get(n, size) for n, size in enumerate(self.example.shape))


class ModelCall(nn.Module):
    """A model of `sluice.sequence` whose states, lengths and resets are arguments in a row.

    Args:
        model: The model.
        names: What the arguments are: the input first, then states, ``lengths``, ``resets``.
        stream: Whether a call is of one step, without a dimension of time.
    """

    def __init__(self, model: SequenceModel, names: Sequence[str], stream: bool) -> None:
        super().__init__()
        self.model, self.names, self.stream = model, tuple(names), stream

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The output and the states after the last step."""
        given = dict(zip(self.names, inputs, strict=True))
        x = given.pop(self.names[0])
        marks = {name: given.pop(name) for name in MARKS if name in given}
        if self.stream:
            x, marks = x.unsqueeze(0), {name: one.unsqueeze(0) for name, one in marks.items()}
        states = tuple(given.values())
        state = states if len(states) > 1 else (states[0] if states else None)
        y, last = self.model(x, state, **marks)
        if self.stream and not isinstance(self.model, Classifier):
            y = y.squeeze(0)
        if not states:
            return (y,)
        return (y, last) if isinstance(last, Tensor) else (y, *last)


def describe_model(
    model: SequenceModel, *, stream: bool, lengths: bool, resets: bool
) -> tuple[ModelCall, list[ModelInput], list[str]]:
    """The model's call, its inputs, and the names of its outputs.

    Raises `ExportError` for a model that is not one call, and for a step of one that reads from the
    end.
    """
    if type(model) not in (LanguageModel, Tagger, Classifier):
        raise ExportError(f"a {type(model).__name__} {_explain_no_call(model)}")
    if stream and lengths:
        raise ExportError("lengths: a single step has none; leave lengths or stream out")
    if stream and model.layers.bidirectional:
        raise ExportError(
            "stream: a model that reads from the end needs the whole sequence; leave stream out"
        )
    inputs, outputs = [_describe_input(model, stream)], ["logits"]
    if not model.layers.bidirectional:
        for name, zeros in _list_states(model):
            inputs.append(ModelInput(f"{name}_0", zeros, {1: "batch"}))
            outputs.append(f"{name}_n")
    if lengths:
        inputs.append(ModelInput("lengths", torch.tensor([7, 1, 4]), {0: "batch"}))
    if resets:
        marks = torch.zeros(*(3,) if stream else (7, 3), dtype=torch.bool)
        inputs.append(ModelInput("resets", marks, _free(stream)))
    return (
        ModelCall(model, [one.name.removesuffix("_0") for one in inputs], stream),
        inputs,
        outputs,
    )


def _free(stream: bool) -> dict[int, str]:
    return {0: "batch"} if stream else {0: "time", 1: "batch"}


def _describe_input(model: SequenceModel, stream: bool) -> ModelInput:
    if isinstance(model.embedding, nn.Embedding):
        name, example = "tokens", torch.randint(model.embedding.num_embeddings, (7, 3))
    else:
        config = cast(LabelsConfig, model.config)
        name, example = "input", torch.randn(7, 3, config.features)
    return ModelInput(name, example[0] if stream else example, _free(stream))


def _list_states(model: SequenceModel) -> Iterator[tuple[str, Tensor]]:
    for state in model.layers.cell.graph.states:
        widths = [one.of(state.width) for one in model.layers.sizes]
        if len(set(widths)) > 1:
            raise ExportError(
                f"the state {state.name} has another width in each layer ({widths}), which a "
                "model cannot be given as one tensor; export the layers alone"
            )
        yield state.name, torch.zeros(len(widths), 3, widths[0])


def _explain_no_call(model: SequenceModel) -> str:
    """Why a model is no single call: what follows its name."""
    if isinstance(model, PairModel):
        return (
            "reads a source once and then chooses each token before the next, a search that no "
            "file of one call holds; translate with sluice generate"
        )
    if isinstance(model, Forecaster):
        return (
            "fills in missing values by a running maximum, which ONNX has not; forecast with "
            "sluice forecast, or export its layers alone: model.layers"
        )
    return "draws each note of a step before the next; compose with sluice compose"


def describe_inputs(examples: Sequence[Tensor]) -> list[ModelInput]:
    """Inputs given by examples: all dimensions are free but the last of numbers.

    The first is called time, the second batch where there are two of them; a lone one is the batch.
    """
    found = []
    for number, example in enumerate(examples):
        count = example.dim() - (1 if example.is_floating_point() else 0)
        names = ("time", "batch")[2 - count :] if count <= 2 else ()
        if not names and count:
            raise ExportError(
                f"inputs[{number}] has {count} free dimensions; a model may have two, time and "
                "batch, before the features"
            )
        name = "input" if len(examples) == 1 else f"input_{number}"
        found.append(ModelInput(name, example.detach().cpu(), dict(enumerate(names))))
    return found


def draw_input(one: ModelInput, sizes: Mapping[str, int]) -> Tensor:
    """An input of other sizes: ids among those of the example, numbers around its numbers."""
    shape = [sizes[size] if isinstance(size, str) else size for size in one.shape]
    known = one.example.flatten()
    if not len(known):
        return one.example.new_zeros(shape)
    if one.name == "lengths":
        steps = sizes["time"]
        return torch.arange(steps, steps - shape[0], -1).clamp_min(1)
    if one.example.dtype == torch.bool:
        return torch.rand(shape) < 0.3
    drawn = known[torch.randint(len(known), shape)]
    return drawn + 0.1 * torch.randn(shape) if drawn.is_floating_point() else drawn
