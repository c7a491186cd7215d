"""Gradients of single steps: of which inputs a prediction depends, of which losses a state does.

Many steps are done in one backward pass: the sequence is read as a batch of equal copies, and copy
k is differentiated for step k alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from sluice.insight.measures.memory import memory_length
from sluice.insight.measures.norms import compute_norm
from sluice.insight.recording.recorder import Tape, record
from sluice.report.page.first_input import RECURRENT, capture_first_input
from sluice.report.page.forward import ForwardRecord, collect_layers
from sluice.report.page.inputs import ReportInputs
from sluice.report.page.step_losses import MeasuredSequence, measure_copies, reads_whole

ROWS = 160
"""Predictions, and losses, whose gradients are computed; fewer of a large model."""
SHARES = (0.01, 0.1)
"""Of the largest influence: from there on an input matters."""
_LEAST_ROWS, _AT_ONCE = 24, 40
_BUDGET = 120e9
"""Multiplications and additions for either kind of gradient: a second or two on two cores."""
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Influence:
    """Which inputs a prediction rests on.

    Attributes:
        steps: The predictions, ``(rows,)``, counted from the first shown step.
        values: ``(rows, time)`` over the shown steps, ‖∂ logit / ∂x_t‖.
        memory_length: How many steps back an input matters to each, ``(rows,)``, by the share
            of the largest influence that counts.
    """

    steps: Tensor
    values: Tensor
    memory_length: dict[float, Tensor]


@dataclass(frozen=True)
class LossShares:
    """How the gradient at each step of a layer is made up of the losses of single steps.

    Attributes:
        steps: The losses, ``(rows,)``, counted from the first shown step of the outputs.
        values: ``(rows, time)`` over the shown steps of the layer, ‖∂L_τ/∂state_t‖, float64.
    """

    steps: Tensor
    values: Tensor


def choose_rows(inputs: ReportInputs, forward: ForwardRecord) -> Tensor:
    """Every k-th of the shown steps of the outputs, k as small as `ROWS` and the budget allow."""
    start, stop = forward.window
    weights = sum(
        weight.numel()
        for module in inputs.model.modules()
        if isinstance(module, RECURRENT)
        for weight in module.parameters()
    )
    affordable = int(_BUDGET / max(1, 4 * weights * forward.length))
    count = min(ROWS, max(_LEAST_ROWS, affordable))
    return torch.arange(start, stop, -(-(stop - start) // count))


def measure_rows(
    inputs: ReportInputs, forward: ForwardRecord, sequence: int, states: Mapping[str, str]
) -> tuple[Influence | None, dict[str, LossShares]]:
    """Influences of inputs on single predictions, and what single losses add to the gradients of
    each layer's state; ``states`` has these by name.

    Influences are on the output of the true class, else of the likeliest one; on the first output
    where outputs are values. There are none where the model has no outputs of every step, what it
    reads is no tensor, or inputs and outputs have steps of their own. There are no shares without a
    loss of every step.

    Source: Madsen 2019, "Visualizing memorization in RNNs"; Cashman, Patterson, Mosca, Watts,
    Robinson & Chang 2018, "RNNbow".
    """
    start, stop = forward.window
    if forward.outputs.dim() != 2 or len(forward.outputs) != stop:
        return None, {}
    rows, chosen = choose_rows(inputs, forward), _choose_outputs(forward)
    x = forward.x
    influences = None
    if x is not None and x.shape[:2].numel() == forward.length:
        influences = torch.zeros(len(rows), stop, dtype=torch.float64)
    shares = dict[str, Tensor]()
    if forward.losses is not None and forward.losses.dim():
        for place in states:
            first, last = forward.find_window(place)
            shares[place] = torch.zeros(len(rows), last - first, dtype=torch.float64)
    if influences is None and not shares:
        return None, {}
    for one in _run_copies(inputs, forward, sequence, rows):
        here = slice(one.first, one.first + len(one.steps))
        if influences is not None and one.x is not None:
            picked = [
                copy.outputs[step, chosen[step]]
                for copy, step in zip(one.copies, one.steps.tolist(), strict=True)
            ]
            (gradient,) = torch.autograd.grad(torch.stack(picked).sum(), one.x, retain_graph=True)
            sizes = compute_norm(gradient if inputs.batch_first else gradient.transpose(0, 1)).cpu()
            influences[here, : sizes.shape[1]] = sizes[:, :stop]
        if shares:
            _add_shares(forward, one, here, shares, states)
    found = None if influences is None else _describe_influence(influences, rows, start)
    return found, {place: LossShares(rows - start, values) for place, values in shares.items()}


def _choose_outputs(forward: ForwardRecord) -> list[int]:
    chosen = forward.outputs.argmax(-1)
    if forward.output_kind == "values":
        chosen = torch.zeros_like(chosen)
    elif forward.true_classes is not None:
        chosen = torch.where(forward.true_classes < 0, chosen, forward.true_classes)
    found: list[int] = chosen.tolist()
    return found


def _describe_influence(values: Tensor, rows: Tensor, start: int) -> Influence:
    whole = values.unsqueeze(-1)
    back = {share: memory_length(whole, share, rows)[:, 0] for share in SHARES}
    return Influence(rows - start, values[:, start:], back)


def _add_shares(
    forward: ForwardRecord,
    run: _CopiesRun,
    here: slice,
    shares: Mapping[str, Tensor],
    states: Mapping[str, str],
) -> None:
    losses = [
        copy.losses[step]
        for copy, step in zip(run.copies, run.steps.tolist(), strict=True)
        if copy.losses is not None
    ]
    torch.stack(losses).sum().backward(retain_graph=True)
    for place, (_, recorded) in collect_layers(run.tape).items():
        first, last = forward.find_window(place)
        sizes = compute_norm(recorded.gradient[states[place]])[first:last].T.cpu()
        shares[place][here, : sizes.shape[1]] = sizes


@dataclass(frozen=True)
class _CopiesRun:
    """A batch of copies: what each gives, and the step that each is differentiated for."""

    first: int
    steps: Tensor
    copies: list[MeasuredSequence]
    x: Tensor | None
    tape: Tape


def _run_copies(
    inputs: ReportInputs, forward: ForwardRecord, sequence: int, rows: Tensor
) -> Iterator[_CopiesRun]:
    """The copies of ``rows``, read no further than they need."""
    weights = [weight for weight in inputs.model.parameters() if weight.requires_grad]
    names = {state.name for layer, _ in collect_layers(forward.tape).values()
             for state in layer.cell.graph.states}  # fmt: skip
    at_once, whole = _AT_ONCE, reads_whole(inputs.model)
    if not _is_reproduced(inputs, forward, sequence, rows, whole):
        at_once, whole = 1, True  # copies in a batch, or later steps, affect one another
    for weight in weights:
        weight.requires_grad_(False)
    try:
        for first in range(0, len(rows), at_once):
            steps = rows[first : first + at_once]
            stop = forward.length if whole else int(steps[-1]) + 1
            with (
                record(inputs.model, names=sorted(names)) as tape,
                capture_first_input(inputs.model, stop, inputs.batch_first) as captured,
            ):
                copies = measure_copies(inputs, sequence, stop, len(steps))
            yield _CopiesRun(first, steps, copies, captured[0] if captured else None, tape)
    finally:
        for weight in weights:
            weight.requires_grad_(True)


@torch.no_grad()
def _is_reproduced(
    inputs: ReportInputs, forward: ForwardRecord, sequence: int, rows: Tensor, whole: bool
) -> bool:
    """Whether a copy in a batch, read up to one step, gives there what the sequence alone gave."""
    step = int(rows[len(rows) // 2])
    stop = forward.length if whole else step + 1
    try:
        copies = measure_copies(inputs, sequence, stop, 2)
    except (RuntimeError, ValueError, TypeError):
        return False
    scale = float(forward.outputs[step].abs().amax()) or 1.0
    return len(copies) == 2 and all(
        float((copy.outputs[step] - forward.outputs[step]).abs().amax()) < _TOLERANCE * scale
        for copy in copies
    )
