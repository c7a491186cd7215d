"""The inputs of a report: a model, sequences to read, and what is known of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from sluice.errors import SluiceError
from sluice.report.page.view_inputs import PairsView, StepAxis, View
from sluice.sequence import Batch
from sluice.sequence.models import PairModel

Forward = Callable[[nn.Module, Tensor], object]
LossFunction = Callable[[Tensor, Tensor], Tensor]
"""From a sequence's outputs and targets, without the batch, to the loss of each step ``(time,)``,
or to that of the sequence ``()``."""


class ReportError(SluiceError, ValueError):
    """A report that is not possible; the message says what to do."""


@dataclass(frozen=True)
class ReportInputs:
    """A model and the sequences that it reads.

    Attributes:
        model: Any module that holds recurrent layers.
        inputs: Sequences, ``(time,)`` of ids or ``(time, features)`` of values each.
        targets: For each sequence the next tokens or labels ``(time,)``, one label ``()``, or
            values ``(time, features)``; none where there are none.
        tokens: What was read at each step, as text; none for numbers.
        classes: What each class stands for, as text.
        properties: For each name a number or class at every step of every sequence, each
            ``(time,)``: integers are classes, floating-point numbers are numbers.
        spans: Where the sequence is cut to ask which units are on: first steps, ascending;
            ``spans[k]`` belongs to sequence k. Every eight steps where there are none.
        names: What each sequence is called.
        facts: Lines for the head of the report.
        forward: How the model is called with one batch; ``model(inputs)`` if None.
        batch_first: Whether it takes and gives ``(batch, time, …)``.
        view: What a page needs to draw these data; None where nothing is known of them.
        output_names: What each output is called, where outputs are values.
        loss: The loss, in place of the model's own and of what fits the targets.
        loss_unit: The unit of the loss.

    Of a `PairsView`, tokens, properties and spans are of the targets' steps, in which the decoder
    reads the token before.
    """

    model: nn.Module
    inputs: Sequence[Tensor]
    targets: Sequence[Tensor] | None = None
    tokens: Sequence[Sequence[str]] | None = None
    classes: Sequence[str] | None = None
    properties: Mapping[str, Sequence[Tensor]] = field(default_factory=dict)
    spans: Sequence[Sequence[int]] | None = None
    names: Sequence[str] | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    forward: Forward | None = None
    batch_first: bool = False
    view: View | None = None
    output_names: Sequence[str] | None = None
    loss: LossFunction | None = None
    loss_unit: str = ""

    def __post_init__(self) -> None:
        count = len(self.inputs)
        if not count:
            raise ReportError("inputs must contain at least one sequence, got none")
        per_step: dict[str, Sequence[Sequence[str] | Tensor] | None] = {
            "tokens": self.tokens,
            **self.properties,
        }
        others = {"spans": self.spans, "names": self.names, "targets": self.targets}
        for name, values in {**per_step, **others}.items():
            if values is not None and len(values) != count:
                raise ReportError(
                    f"{name} must have one entry for each of {count} sequences, got {len(values)}"
                )
        for name, values in per_step.items():
            for k, one in enumerate(values or ()):
                if len(one) != self.count_steps(k):
                    raise ReportError(
                        f"{name} must have one entry for each of the {self.count_steps(k)} steps "
                        f"of sequence {k}, got {len(one)}"
                    )

    def target(self, sequence: int) -> Tensor | None:
        """The targets of a sequence, if there are any."""
        return None if self.targets is None else self.targets[sequence]

    @property
    def is_paired(self) -> bool:
        """Whether there are two axes of steps, those of sources and of targets."""
        return isinstance(self.view, PairsView)

    def count_steps(self, sequence: int) -> int:
        """The steps of a sequence; of its target, for pairs."""
        if isinstance(self.view, PairsView):
            return len(self.view.targets[sequence])
        return len(self.inputs[sequence])

    def list_properties(self, axis: StepAxis) -> Mapping[str, Sequence[Tensor]]:
        """What the units of a layer that steps along an axis may follow."""
        if axis == "source" and isinstance(self.view, PairsView):
            return self.view.source_properties
        return self.properties if axis in ("steps", "target") else {}

    def list_tokens(self, axis: StepAxis) -> Sequence[Sequence[str]] | None:
        """What is read at each step of an axis."""
        if axis == "source" and isinstance(self.view, PairsView):
            return self.view.sources
        return self.tokens if axis in ("steps", "target") else None

    def batch(self, sequence: int, stop: int | None = None, copies: int = 1) -> Tensor:
        """A sequence, up to a step, as a batch of equal copies in the model's layout; a source
        whole."""
        read = self.inputs[sequence][: None if self.is_paired else stop]
        return _repeat(read, copies, 0 if self.batch_first else 1)

    def paired_batch(self, sequence: int, stop: int | None = None, copies: int = 1) -> Batch | None:
        """A sequence with its targets, up to a step, as a batch of equal copies for a
        `SequenceModel`."""
        target = self.target(sequence)
        if target is None:
            return None
        wanted = _repeat(target[:stop], copies, 1) if target.dim() else target.expand(copies)
        return Batch(self.batch(sequence, stop, copies), wanted)

    def call(self, model: nn.Module, sequence: int, stop: int | None = None) -> Tensor:
        """The model's first output for a sequence, up to a step: ``(time, classes)`` or
        ``(classes,)``."""
        return self.call_copies(model, sequence, stop, 1)[0]

    def call_copies(
        self, model: nn.Module, sequence: int, stop: int | None, copies: int
    ) -> list[Tensor]:
        """As `call`, for a batch of equal copies; the output of each."""
        batch = self.batch(sequence, stop, copies)
        output: object
        if isinstance(model, PairModel):
            pair = self.paired_batch(sequence, stop, copies)
            assert pair is not None
            output = model(pair.inputs, pair.targets)
        else:
            output = model(batch) if self.forward is None else self.forward(model, batch)
        while not isinstance(output, Tensor):
            output = _first_item(output)
        dim = 0 if self.batch_first or output.dim() < 3 else 1
        return list(output.unbind(dim)) if output.shape[dim] == copies else [output]


def _repeat(sequence: Tensor, copies: int, dim: int) -> Tensor:
    sizes = [-1] * (sequence.dim() + 1)
    sizes[dim] = copies
    return sequence.unsqueeze(dim).expand(sizes)


def _first_item(output: object) -> object:
    if isinstance(output, Mapping):
        output = output.values()
    if not isinstance(output, Iterable):
        raise ReportError(f"the model must return a tensor, got {type(output).__name__}")
    return next(iter(output))


def split_sequences(values: Tensor | Sequence[Tensor], batch_first: bool) -> list[Tensor]:
    """One sequence after the other of a batch ``(time, batch, …)``, or of a list of sequences."""
    if not isinstance(values, Tensor):
        return [torch.as_tensor(sequence) for sequence in values]
    if values.dim() < 2:
        raise ReportError(
            "inputs must be a batch (time, batch, ...) or a list of sequences, got shape "
            f"{tuple(values.shape)}"
        )
    return list(values.unbind(0 if batch_first else 1))
