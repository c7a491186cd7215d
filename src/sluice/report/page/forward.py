"""Forward passes: one sequence with derivatives, and more of the data without."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from sluice.insight.interop.torch_models import from_torch
from sluice.insight.recording.first_nonfinite import find_first_nonfinite
from sluice.insight.recording.recorded import RecordableModule
from sluice.insight.recording.recorder import RecordedLayer, Tape, record
from sluice.nn.rnn_cells import SingleStepCell
from sluice.nn.stack import RecurrentStack
from sluice.report.page.attention import capture_attention, join_attention
from sluice.report.page.first_input import RECURRENT, capture_first_input
from sluice.report.page.inputs import Forward, ReportError, ReportInputs
from sluice.report.page.label_chances import measure_label_chances
from sluice.report.page.step_losses import (
    MeasuredSequence,
    OutputKind,
    find_output_kind,
    measure_sequence,
    reads_whole,
)
from sluice.report.page.view_inputs import PairsView, StepAxis
from sluice.sequence.models import Forecaster

ROWS = 3000
"""How many steps of the data are read for probes and for other places."""
_MOST_BYTES = 2 * 2**30
_OF_TORCH = (nn.LSTM, nn.GRU, nn.RNN, nn.LSTMCell, nn.GRUCell, nn.RNNCell)


@dataclass(frozen=True)
class ForwardRecord:
    """One sequence, read from its first step on, up to the last that is shown.

    Attributes:
        tape: What was recorded, the batch being one.
        outputs: ``(time, classes)``, or ``(classes,)`` where the model gives one a sequence.
        losses: ``(time,)`` or ``()``, with their graph, each the sum over its items; None without
            targets.
        x: The input of the first recurrent layer, ``(time, batch, width)``, in the graph; None
            where that is no plain tensor.
        windows: For each axis of steps the first step shown, and the one after the last; the
            outputs' axis comes first.
        axes: The axis along which each layer steps, by the layer's name.
        length: How many steps of the outputs' axis were read, beyond the window where a model's
            outputs depend on what comes later.
        output_kind: What outputs are: logits of classes, values, or logits of keys of which any
            number may be on.
        items: How many items each loss is of, int64; None without targets.
        true_classes: Which output is the true one, int64, of the losses' shape, -1 where there is
            none; None for values, or without targets.
        attention: Weights of attention, ``(target steps, source steps)``; None without any.
        label_chances: The probability of each label after each shown step, ``(time, labels)``, of
            a model of labels: of that step, or of the sequence if it ended there. None otherwise.
        label_steps: The steps of ``label_chances``, counted from the first shown.
        quantiles: A forecaster's quantiles after each shown step, calibrated,
            ``(time, horizon × targets, quantiles)``; None of a model without any.
    """

    tape: Tape
    outputs: Tensor
    losses: Tensor | None
    x: Tensor | None
    windows: Mapping[StepAxis, tuple[int, int]]
    axes: Mapping[str, StepAxis]
    length: int
    output_kind: OutputKind
    items: Tensor | None = None
    true_classes: Tensor | None = None
    attention: Tensor | None = None
    label_chances: Tensor | None = None
    label_steps: Tensor | None = None
    quantiles: Tensor | None = None

    @property
    def mean_loss(self) -> float | None:
        """The loss per item over the window; None without targets."""
        if self.losses is None or self.items is None:
            return None
        first = self.window[0] if self.losses.dim() else None
        losses, items = (part[first:] if part.dim() else part for part in (self.losses, self.items))
        return float(losses.detach().sum() / items.sum().clamp_min(1))

    @property
    def window(self) -> tuple[int, int]:
        """The steps shown of the outputs' axis."""
        return next(iter(self.windows.values()))

    def find_window(self, place: str) -> tuple[int, int]:
        """The steps shown of a layer."""
        return self.windows[self.axes[place]]


def collect_layers(tape: Tape) -> dict[str, tuple[RecordableModule, RecordedLayer]]:
    """Every layer and direction by its name, with the module that it belongs to."""
    found = {}
    for name in tape:
        for label, recorded in tape[name].layers.items():
            found[_name_place(name, label)] = tape[name]._module, recorded
    return found


def prepare_model(inputs: ReportInputs) -> ReportInputs:
    """The inputs with a copy of the model that can be recorded and whose weights need gradients.

    Raises `ReportError` where it holds no recurrent layer.
    """
    model: nn.Module = inputs.model
    if inputs.forward is not None:
        model = _ForwardWrapper(inputs.model, inputs.forward)
    if any(type(module) in _OF_TORCH for module in model.modules()):
        first = next((k for k, one in enumerate(inputs.inputs) if len(one)), 0)
        ours = from_torch(model, inputs.batch(first, 64)).model
    else:
        ours = copy.deepcopy(model)
    if not any(isinstance(module, RECURRENT) for module in ours.modules()):
        raise ReportError(
            f"{type(inputs.model).__name__} holds no recurrent layer; a report looks into layers "
            "and one-step cells of sluice.nn and into torch.nn's LSTM, GRU, RNN and their cells"
        )
    return replace(inputs, model=ours.eval().requires_grad_(), forward=None)


class _ForwardWrapper(nn.Module):
    """A model with the way in which it is to be called."""

    def __init__(self, model: nn.Module, forward_fn: Forward) -> None:
        super().__init__()
        self.model, self.forward_fn = model, forward_fn

    def forward(self, batch: Tensor) -> object:
        return self.forward_fn(self.model, batch)


def run_forward(inputs: ReportInputs, sequence: int, start: int, stop: int) -> ForwardRecord:
    """Run a sequence and record it; the model is that of `prepare_model`.

    Raises `ReportError` where it is too long for memory, or where NaN or infinity appears.
    """
    length = inputs.count_steps(sequence) if reads_whole(inputs.model) else stop
    _require_memory(inputs.model, length)
    model = inputs.model
    with (
        record(model) as tape,
        capture_first_input(model, length, inputs.batch_first) as captured,
        capture_attention(model) as attention,
    ):
        whole = measure_sequence(inputs, sequence, length)
    _require_finite(inputs.model, tape, whole)
    windows, axes = _find_axes(inputs, tape, (start, stop), length, len(inputs.inputs[sequence]))
    seen = whole.cut(stop)
    chances, steps = measure_label_chances(inputs, sequence, (start, stop), seen.outputs)
    return ForwardRecord(
        tape,
        seen.outputs,
        seen.losses,
        captured[0] if captured else None,
        windows,
        axes,
        length,
        find_output_kind(inputs, sequence),
        seen.items,
        seen.true_classes,
        join_attention(attention, length),
        chances,
        steps,
        _predict_quantiles(inputs, sequence, (start, stop)),
    )


def _predict_quantiles(
    inputs: ReportInputs, sequence: int, window: tuple[int, int]
) -> Tensor | None:
    start, stop = window
    if not isinstance(inputs.model, Forecaster) or not inputs.model.config.quantiles:
        return None
    with torch.no_grad():
        found, _ = inputs.model.predict_quantiles(inputs.batch(sequence, stop))
    return found[start:, 0]


def _find_axes(
    inputs: ReportInputs, tape: Tape, window: tuple[int, int], length: int, source: int
) -> tuple[dict[StepAxis, tuple[int, int]], dict[str, StepAxis]]:
    """The windows of all axes, and the axis of each layer.

    A layer with another number of steps than was read has an axis of its own, named after it.
    """
    main: StepAxis = "target" if inputs.is_paired else "steps"
    windows: dict[StepAxis, tuple[int, int]] = {main: window}
    axes: dict[str, StepAxis] = {}
    first = next(iter(tape), "")
    for name in tape:
        for label, recorded in tape[name].layers.items():
            place, steps = _name_place(name, label), len(next(iter(recorded.values())))
            axis = main if steps == length else f"steps of {place}"
            if isinstance(inputs.view, PairsView):
                modules = inputs.view.source_modules
                if modules is not None:
                    axis = "source" if name.removeprefix("model.") in modules else "target"
                elif steps == source and (steps != length or name == first):
                    axis = "source"
            axes[place] = axis
            windows.setdefault(axis, (0, steps))
    return windows, axes


def _name_place(module: str, label: str) -> str:
    return f"{module.removeprefix('model.')} {label}".strip()


def _require_memory(model: nn.Module, steps: int) -> None:
    """Values, derivatives and what autograd keeps: about four numbers per named value."""
    if steps < 1:
        raise ReportError("the sequence has length 0; choose another one, or more steps")
    one = sum(
        16 * len(layer.cell.graph.outputs_by_name) * size.hidden * layer.directions
        for layer in model.modules()
        if isinstance(layer, RecurrentStack | SingleStepCell)
        for size in layer.sizes
    )
    if one * steps > _MOST_BYTES:
        raise ReportError(
            f"recording {steps:,} steps takes about {one * steps / 2**30:.1f} GiB; look at a part "
            f"that ends within the first {_MOST_BYTES // one:,} steps (--start, --steps)"
        )


def _require_finite(model: nn.Module, tape: Tape, seen: MeasuredSequence) -> None:
    fault, losses = find_first_nonfinite(tape), seen.losses
    if fault is None and bool(seen.outputs.isfinite().all()):
        if losses is not None and not bool(losses.isfinite().all()):
            step = int((~losses.isfinite()).flatten().nonzero()[0])
            raise ReportError(
                f"the loss at step {step} is {float(losses.detach().flatten()[step])}, though the "
                "outputs are finite; look at its target"
            )
        return
    where = str(fault) if fault else "the outputs are not finite, though all states are"
    bad = [name for name, weight in model.named_parameters() if not bool(weight.isfinite().all())]
    if bad and not (fault and fault.nonfinite_parameters):
        where += f"; of the model {', '.join(bad)} hold NaN or infinity"
    raise ReportError(f"{where}; train again, or load other weights")


@dataclass(frozen=True)
class StateDataset:
    """More of the data, read without derivatives.

    Attributes:
        values: For each layer its memory state, ``(time, batch, units)``.
        axis_lengths: For each axis the steps of each sequence, ``(batch,)``; the outputs' first.
        axes: The axis along which each layer steps.
        sequence_ids: Which of the data's sequences each is.
    """

    values: dict[str, Tensor]
    axis_lengths: dict[StepAxis, Tensor]
    axes: Mapping[str, StepAxis]
    sequence_ids: list[int]

    @property
    def lengths(self) -> Tensor:
        """The steps of each sequence on the outputs' axis."""
        return next(iter(self.axis_lengths.values()))

    def find_lengths(self, place: str) -> Tensor:
        """The steps of each sequence on the axis of a layer."""
        return self.axis_lengths[self.axes[place]]


def collect_states(inputs: ReportInputs, states: dict[str, str], rows: int = ROWS) -> StateDataset:
    """The first ``rows`` steps of the data; ``states`` has each layer's memory state."""
    values: dict[str, list[Tensor]] = {place: [] for place in states}
    lengths: dict[StepAxis, list[int]] = {}
    axes: Mapping[str, StepAxis] = {}
    numbers, left, whole = list[int](), rows, reads_whole(inputs.model)
    for number in range(len(inputs.inputs)):
        steps = min(inputs.count_steps(number), left)
        if steps < 1:
            continue
        read = inputs.count_steps(number) if whole else steps
        with torch.no_grad(), record(inputs.model) as tape:
            inputs.call(inputs.model, number, read)
        windows, axes = _find_axes(inputs, tape, (0, steps), read, len(inputs.inputs[number]))
        for place, (_, recorded) in collect_layers(tape).items():
            values[place].append(recorded[states[place]][: windows[axes[place]][1], 0])
        for axis, (_, stop) in windows.items():
            lengths.setdefault(axis, []).append(stop)
        numbers.append(number)
        left -= steps
    counted = {axis: torch.tensor(counts) for axis, counts in lengths.items()}
    return StateDataset(_pad_layers(values), counted, axes, numbers)


def _pad_layers(kept: dict[str, list[Tensor]]) -> dict[str, Tensor]:
    return {place: nn.utils.rnn.pad_sequence(values) for place, values in kept.items()}
