"""The inputs of a whole model that torch exports: examples, and which dimensions are free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sluice.export.errors import ExportError
from sluice.sequence.models import LanguageModel

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


class StatefulModel(nn.Module):
    """A language model whose states are inputs and outputs of their own.

    It takes ids ``(time, batch)``, or ``(batch,)`` of a single step, and gives logits.
    """

    def __init__(self, model: LanguageModel, stream: bool) -> None:
        super().__init__()
        self.model, self.stream = model, stream

    def forward(self, tokens: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """The logits and the states after the last step."""
        ids = tokens.unsqueeze(0) if self.stream else tokens
        logits, last = self.model(ids, states[0] if len(states) == 1 else states)
        found = (last,) if isinstance(last, Tensor) else last
        return (logits.squeeze(0) if self.stream else logits, *found)


def describe_language_model(
    model: LanguageModel, stream: bool
) -> tuple[StatefulModel, list[ModelInput], list[str]]:
    """The model with its states, its inputs, and the names of its outputs."""
    graph, sizes = model.layers.cell.graph, model.layers.sizes
    tokens = torch.randint(model.config.vocabulary_size, (7, 3))
    free = {0: "time", 1: "batch"}
    inputs = [
        ModelInput("tokens", tokens[0] if stream else tokens, {0: "batch"} if stream else free)
    ]
    outputs = ["logits"]
    for state in graph.states:
        widths = [one.of(state.width) for one in sizes]
        if len(set(widths)) > 1:
            raise ExportError(
                f"the state {state.name} has another width in each layer ({widths}), which a "
                "model cannot be given as one tensor; export the layers alone"
            )
        zeros = torch.zeros(len(widths), 3, widths[0])
        inputs.append(ModelInput(f"{state.name}_0", zeros, {1: "batch"}))
        outputs.append(f"{state.name}_n")
    return StatefulModel(model, stream), inputs, outputs


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
    drawn = known[torch.randint(len(known), shape)]
    return drawn + 0.1 * torch.randn(shape) if drawn.is_floating_point() else drawn
