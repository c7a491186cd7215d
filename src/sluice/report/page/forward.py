"""Forward passes: one sequence with derivatives, and more of the data without."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice.insight.interop.torch_models import from_torch
from sluice.insight.recording.first_nonfinite import find_first_nonfinite
from sluice.insight.recording.recorder import RecordedLayer, Tape, record
from sluice.nn.stack import RecurrentStack
from sluice.report.page.inputs import Forward, ReportError, ReportInputs
from sluice.report.page.view_inputs import PairsView, StepAxis, find_step_axis

ROWS = 3000
"""How many steps of the data are read for probes and for other places."""
_MOST_BYTES = 2 * 2**30


@dataclass(frozen=True)
class ForwardRecord:
    """One sequence, read from its first step on, up to the last that is shown.

    Attributes:
        tape: What was recorded, the batch being one.
        outputs: ``(time, classes)``, or ``(classes,)`` where the model gives one a sequence.
        losses: ``(time,)`` or ``()``, with their graph; None without targets.
        x: The input of the first recurrent layer, ``(time, batch, width)``, in the graph; None
            where that is no plain tensor.
        windows: For each axis of steps the first step shown, and the one after the last; the
            outputs' axis comes first.
        axes: The axis along which each layer steps, by the layer's name.
        attention: Weights of attention, ``(target steps, source steps)``; None without any.
        label_chances: The probability of each label after each shown step, ``(time, labels)``, of
            a model of labels: of that step, or of the sequence if it ended there. None otherwise.
        label_steps: The steps of ``label_chances``, counted from the first shown.
    """

    tape: Tape
    outputs: Tensor
    losses: Tensor | None
    x: Tensor | None
    windows: Mapping[StepAxis, tuple[int, int]]
    axes: Mapping[str, StepAxis]
    attention: Tensor | None = None
    label_chances: Tensor | None = None
    label_steps: Tensor | None = None

    @property
    def window(self) -> tuple[int, int]:
        """The steps shown of the outputs' axis."""
        return next(iter(self.windows.values()))

    def find_window(self, place: str) -> tuple[int, int]:
        """The steps shown of a layer."""
        return self.windows[self.axes[place]]


def collect_layers(tape: Tape) -> dict[str, tuple[RecurrentStack, RecordedLayer]]:
    """Every layer and direction by its name, with the module that it belongs to."""
    found = {}
    for name in tape:
        for label, recorded in tape[name].layers.items():
            place = f"{name.removeprefix('model.')} {label}".strip()
            found[place] = tape[name]._module, recorded
    return found


def prepare_model(inputs: ReportInputs) -> ReportInputs:
    """The inputs with a copy of the model that can be recorded and whose weights need gradients.

    Raises `ReportError` where it holds no recurrent layer.
    """
    model: nn.Module = inputs.model
    if inputs.forward is not None:
        model = _ForwardWrapper(inputs.model, inputs.forward)
    if any(type(module) in (nn.LSTM, nn.GRU, nn.RNN) for module in model.modules()):
        first = next((k for k, one in enumerate(inputs.inputs) if len(one)), 0)
        ours = from_torch(model, inputs.batch(first, 64)).model
    else:
        ours = copy.deepcopy(model)
    if not any(isinstance(module, RecurrentStack) for module in ours.modules()):
        raise ReportError(
            f"{type(inputs.model).__name__} holds no recurrent layer; a report looks into layers "
            "of sluice.nn and into torch.nn's LSTM, GRU and RNN"
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
    _require_memory(inputs.model, stop)
    with record(inputs.model) as tape, _capture_first_input(inputs.model) as captured:
        outputs = inputs.call(inputs.model, inputs.batch(sequence, stop))
    _require_finite(inputs.model, tape, outputs)
    target = inputs.target(sequence)
    losses = None if target is None else _compute_losses(outputs, target)
    x = captured[0] if captured else None
    return ForwardRecord(tape, outputs, losses, x, *_find_axes(inputs, tape, start, stop))


def _find_axes(
    inputs: ReportInputs, tape: Tape, start: int, stop: int
) -> tuple[dict[StepAxis, tuple[int, int]], dict[str, StepAxis]]:
    """The windows of all axes, and the axis of each layer.

    A layer with another number of steps than was read has an axis of its own, named after it.
    """
    is_pair = isinstance(inputs.view, PairsView)
    windows: dict[StepAxis, tuple[int, int]] = {"target" if is_pair else "steps": (start, stop)}
    axes: dict[str, StepAxis] = {}
    for place, (_, recorded) in collect_layers(tape).items():
        steps = len(next(iter(recorded.values())))
        axis = find_step_axis(inputs.view, place)
        axes[place] = axis if is_pair or steps == stop else f"steps of {place}"
        windows.setdefault(axes[place], (0, steps))
    return windows, axes


def _compute_losses(outputs: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy in nats for labels, the mean square for values; 0 where a value is missing."""
    target = target[: len(outputs)] if target.dim() else target
    if target.is_floating_point():
        known = ~target.isnan()
        return torch.where(known, outputs - target.nan_to_num(), 0).square().mean(-1)
    return functional.cross_entropy(outputs, target, reduction="none")


@contextmanager
def _capture_first_input(model: nn.Module) -> Iterator[list[Tensor]]:
    """Captures the input of the first recurrent layer, and makes it part of the graph."""
    captured: list[Tensor] = []

    def capture(_: nn.Module, arguments: tuple[object, ...]) -> tuple[object, ...] | None:
        x = arguments[0] if arguments else None
        if captured or not isinstance(x, Tensor) or not torch.is_grad_enabled():
            return None
        captured.append(x if x.requires_grad else x.detach().requires_grad_())
        return (captured[0], *arguments[1:])

    layers = [module for module in model.modules() if isinstance(module, RecurrentStack)]
    handles = [layer.register_forward_pre_hook(capture) for layer in layers]
    try:
        yield captured
    finally:
        for handle in handles:
            handle.remove()


def _require_memory(model: nn.Module, steps: int) -> None:
    """Values, derivatives and what autograd keeps: about four numbers per named value."""
    if steps < 1:
        raise ReportError("the sequence has length 0; choose another one, or more steps")
    one = sum(
        16 * len(layer.cell.graph.outputs_by_name) * sum(layer.hidden_sizes) * layer.directions
        for layer in model.modules()
        if isinstance(layer, RecurrentStack)
    )
    if one * steps > _MOST_BYTES:
        raise ReportError(
            f"recording {steps:,} steps takes about {one * steps / 2**30:.1f} GiB; look at a part "
            f"that ends within the first {_MOST_BYTES // one:,} steps (--start, --steps)"
        )


def _require_finite(model: nn.Module, tape: Tape, outputs: Tensor) -> None:
    fault = find_first_nonfinite(tape)
    if fault is None and bool(outputs.isfinite().all()):
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
        lengths: Steps of each sequence, ``(batch,)``.
        sequence_ids: Which of the data's sequences each is.
    """

    values: dict[str, Tensor]
    lengths: Tensor
    sequence_ids: list[int]


def collect_states(inputs: ReportInputs, states: dict[str, str], rows: int = ROWS) -> StateDataset:
    """The first ``rows`` steps of the data; ``states`` has each layer's memory state."""
    lengths: dict[int, int] = {}
    values: dict[str, list[Tensor]] = {place: [] for place in states}
    for number, sequence in enumerate(inputs.inputs):
        steps = min(len(sequence), rows - sum(lengths.values()))
        if steps < 1:
            continue
        with torch.no_grad(), record(inputs.model) as tape:
            inputs.call(inputs.model, inputs.batch(number, steps))
        for place, (_, recorded) in collect_layers(tape).items():
            values[place].append(recorded[states[place]][:, 0])
        lengths[number] = steps
    counted = torch.tensor(list(lengths.values()))
    return StateDataset(_pad_layers(values), counted, list(lengths))


def _pad_layers(kept: dict[str, list[Tensor]]) -> dict[str, Tensor]:
    return {place: nn.utils.rnn.pad_sequence(values) for place, values in kept.items()}
