"""A model's outputs for one sequence, and the loss of each of its steps."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice.report.page.inputs import LossFunction, ReportError, ReportInputs
from sluice.report.page.view_inputs import RollView
from sluice.sequence.models import Classifier, Forecaster, SequenceModel

OutputKind: TypeAlias = Literal["classes", "values", "keys"]
_NO_LABEL = -100
"""What `torch.nn.functional.cross_entropy` leaves out."""


class MeasuredSequence(NamedTuple):
    """What a model gives for a sequence, and how far that is from the targets.

    Attributes:
        outputs: ``(time, classes)``, or ``(classes,)`` where the model gives one a sequence.
        losses: ``(time,)`` or ``()``, each the sum over its items; None without targets.
        items: How many items each loss is of, int64, of the same shape.
        true_classes: Which output is the true one, int64, -1 where there is none, of the same
            shape; None for values.
    """

    outputs: Tensor
    losses: Tensor | None = None
    items: Tensor | None = None
    true_classes: Tensor | None = None

    def cut(self, stop: int) -> MeasuredSequence:
        """The steps before ``stop``."""
        parts = (part[:stop] if part is not None and part.dim() else part for part in self[1:])
        return MeasuredSequence(self.outputs[:stop], *parts) if self.outputs.dim() > 1 else self


def reads_whole(model: nn.Module) -> bool:
    """Whether a step's output depends on all later inputs, so that no sequence can be cut."""
    config = getattr(model, "config", None)
    return isinstance(model, Classifier) or (
        isinstance(model, SequenceModel) and bool(getattr(config, "bidirectional", False))
    )


def measure_sequence(inputs: ReportInputs, sequence: int, stop: int | None) -> MeasuredSequence:
    """Run a sequence up to a step; a `SequenceModel` with its own loss, unless another is given.

    Raises:
        ReportError: a loss of the caller's that is not one number for each step, or one in all.
    """
    return measure_copies(inputs, sequence, stop, 1)[0]


def measure_copies(
    inputs: ReportInputs, sequence: int, stop: int | None, copies: int
) -> list[MeasuredSequence]:
    """As `measure_sequence`, of a batch of equal copies; what it gives for each of them."""
    model, pair = inputs.model, inputs.paired_batch(sequence, stop, copies)
    if isinstance(model, SequenceModel) and pair is not None and inputs.loss is None:
        steps, found = model.step_losses(pair), list[MeasuredSequence]()
        for k in range(copies):
            one = (slice(None), k) if steps.losses.dim() > 1 else k
            truth = None if steps.truth is None else steps.truth[one]
            found.append(
                MeasuredSequence(steps.outputs[one], steps.losses[one], steps.items[one], truth)
            )
        return found
    outputs = inputs.call_copies(model, sequence, stop, copies)
    return [_measure_outputs(inputs, sequence, one) for one in outputs]


def _measure_outputs(inputs: ReportInputs, sequence: int, outputs: Tensor) -> MeasuredSequence:
    target = inputs.target(sequence)
    if target is None:
        return MeasuredSequence(outputs)
    target = target[: len(outputs)] if target.dim() else target
    classes = None if target.is_floating_point() else target.masked_fill(target == _NO_LABEL, -1)
    if inputs.loss is not None:
        losses = _call_loss(inputs.loss, outputs, target)
    elif target.is_floating_point():
        losses = _mean_square(outputs, target)
    else:
        losses = functional.cross_entropy(outputs, target, reduction="none")
    items = torch.ones_like(losses, dtype=torch.int64)
    if classes is not None and classes.shape == items.shape:
        items = (classes >= 0).long()
    return MeasuredSequence(outputs, losses, items, classes)


def find_output_kind(inputs: ReportInputs, sequence: int) -> OutputKind:
    """What a model's outputs are; classes where neither model nor targets say so."""
    target = inputs.target(sequence)
    if isinstance(inputs.view, RollView):
        return "keys"
    of_values = target is not None and target.is_floating_point()
    return "values" if of_values or isinstance(inputs.model, Forecaster) else "classes"


def name_loss(inputs: ReportInputs) -> str:
    """The unit of the loss that `measure_sequence` measures; empty for one of the caller's."""
    target = inputs.target(0)
    if inputs.loss_unit or inputs.loss is not None or target is None:
        return inputs.loss_unit
    if isinstance(inputs.model, SequenceModel):
        return inputs.model.loss_unit
    return "mean square" if target.is_floating_point() else "nats"


def _mean_square(outputs: Tensor, target: Tensor) -> Tensor:
    """Over the values of each step; a missing one counts as 0."""
    known = ~target.isnan()
    return torch.where(known, outputs - target.nan_to_num(), 0).square().mean(-1)


def _call_loss(loss: LossFunction, outputs: Tensor, target: Tensor) -> Tensor:
    found: object = loss(outputs, target)
    shapes = {(), (len(outputs),)}
    if not isinstance(found, Tensor) or tuple(found.shape) not in shapes:
        got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ReportError(
            "loss(outputs, targets) must return a tensor with one number for each of "
            f"{len(outputs)} steps, or a single number, got {got}"
        )
    return found
