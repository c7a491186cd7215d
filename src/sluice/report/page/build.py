"""`look`: a model and some data, as one page that shows what happens inside."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from sluice.equations.graph import Graph
from sluice.files import StrPath, write_atomically
from sluice.report.page.beside import (
    name_models,
    require_same_axes,
    require_same_data,
    require_same_outputs,
)
from sluice.report.page.cell_figure import build_cell_figure, name_figure
from sluice.report.page.forward import (
    ROWS,
    ForwardRecord,
    StateDataset,
    collect_layers,
    collect_states,
    prepare_model,
    run_forward,
)
from sluice.report.page.given_data import GivenNames, build_inputs, number_labels
from sluice.report.page.gradient_rows import measure_rows
from sluice.report.page.html import PageHead, render_page
from sluice.report.page.inputs import Forward, LossFunction, ReportError, ReportInputs
from sluice.report.page.measures import (
    find_memory_state,
    measure_gradient_flows,
    measure_memory,
)
from sluice.report.page.payload import Measurements, build_payload
from sluice.report.page.selectivity import find_selective_units
from sluice.report.page.step_losses import name_loss

STEPS, UNITS = 400, 64
"""Default numbers of steps shown, and of units of each layer."""
ProgressCallback = Callable[[str, float], None]
"""Called with what is being done, and which fraction of all is done."""


@dataclass(frozen=True)
class Report:
    """A page as HTML, and its data, which the page's script reads."""

    html: str
    data: Mapping[str, Any]

    def save(self, path: StrPath) -> None:
        """Write the page, whole or not at all. Raises OSError where that cannot be done."""
        write_atomically(path, self.html.encode())


def look(
    model: nn.Module,
    inputs: Tensor | Sequence[Tensor],
    targets: Tensor | Sequence[Tensor] | None = None,
    *,
    tokens: Sequence[Sequence[str]] | None = None,
    target_tokens: Sequence[Sequence[str]] | None = None,
    classes: Sequence[str] | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    properties: Mapping[str, Sequence[Tensor]] | None = None,
    sequence: int = 0,
    start: int = 0,
    steps: int = STEPS,
    units: int | None = UNITS,
    forward: Forward | None = None,
    loss: LossFunction | None = None,
    batch_first: bool = False,
    beside: nn.Module | None = None,
    title: str = "",
) -> Report:
    """A report on what a recurrent model does inside while it reads: one page, in itself complete.

    The model is any module that holds recurrent layers of `sluice.nn` or of torch (these are
    converted and compared: `sluice.insight.from_torch`). It is copied, put into evaluation mode and
    called with one sequence at a time; its own weights and gradients are left alone.

    The loss is that of a model of `sluice.sequence.models` itself; of any other the cross-entropy
    of labels or the mean square of values, unless ``loss`` is given.

    Args:
        model: The model; its output, or the first tensor of it, are logits or values, for every
            step ``(time, batch, classes)`` or for the sequence ``(batch, classes)``.
        inputs: A batch ``(time, batch)`` of ids, int64, or ``(time, batch, features)`` of values;
            or a list of sequences without the batch.
        targets: As ``inputs``: the next tokens or labels, int64, ``(time, batch)`` or, one a
            sequence, a list of scalars; or values, float. Without them there are no gradients. Of
            a `PairModel` the ids of its outputs with ``END``; without them its own greedy outputs.
        tokens: For each sequence what was read at each step, as text.
        target_tokens: For each sequence the text of each step of its target, where outputs have
            steps of their own (an encoder and a decoder); ``tokens`` are then the source's.
        classes: What each class stands for; the tokens, in a language model.
        input_names: What each feature of values is called, such as a column.
        output_names: What each output is called, where outputs are values; the targets of a
            `Forecaster`.
        properties: For each name a number (float) or class (int64) at every step of every
            sequence, ``(time,)`` each, that units may follow. Inputs' values are always there.
        sequence: Which sequence is shown; the others serve to ask what units follow.
        start: The first step shown; what comes before is read as well.
        steps: How many are shown, at most.
        units: How many units of each layer are kept, those that vary most; None for all.
        forward: ``forward(model, batch)`` where ``model(batch)`` is not how it is called.
        loss: ``loss(outputs, targets)`` of one sequence without its batch, both cut to the steps
            read: a tensor with the loss of each step, ``(time,)``, or a single number.
        batch_first: Whether batches are ``(batch, time, …)``.
        beside: A second model, or another checkpoint of the same training, that is shown beside the
            first on the same data, with their differences.
        title: The heading.

    Returns:
        A `Report`; ``report.save(path)`` writes it.

    Raises:
        ReportError: no recurrent layer, nothing to read, too much of it, NaN or infinity; names
            that are not as many as what they name; a loss of another shape; a second model whose
            outputs are others.
        ValueError: a layer of torch's could not be converted.

    Example:
        >>> import torch, sluice
        >>> from sluice.report import look
        >>> model = torch.nn.Sequential(torch.nn.Embedding(5, 4), sluice.nn.GRU(4, 8))
        >>> report = look(model, torch.randint(5, (30, 2)))
        >>> report.html[:15], [place["cell"] for place in report.data["places"]]
        ('<!doctype html>', ['GRU'])
    """
    names = GivenNames(tokens, target_tokens, classes, input_names, output_names)
    given = build_inputs(
        model,
        inputs,
        targets,
        names,
        properties or {},
        forward=forward,
        loss=loss,
        batch_first=batch_first,
    )
    other = None if beside is None else replace(given, model=beside)
    return build_report(given, sequence, start, steps, units, title=title, beside=other)


def build_report(
    inputs: ReportInputs,
    sequence: int = 0,
    start: int = 0,
    steps: int = STEPS,
    units: int | None = UNITS,
    *,
    title: str = "",
    beside: ReportInputs | None = None,
    on_progress: ProgressCallback = lambda step, fraction: None,
) -> Report:
    """The report on `inputs`, and on those of a second model ``beside`` them; see `look`."""
    began = time.perf_counter()
    given = [inputs] if beside is None else [inputs, beside]
    window = start, _check_window(inputs, sequence, start, steps)
    parts = list[_ModelPart]()
    for k, one in enumerate(given):
        if k:
            require_same_data(inputs, one, sequence, window[1])

        def share(step: str, fraction: float, k: int = k) -> None:
            on_progress(step, (k + fraction) / len(given))

        parts.append(_build_part(one, sequence, window, units, share))
    facts = [part.facts for part in parts]
    facts[0]["created in"] = f"{time.perf_counter() - began:.1f} s"
    data, cells = parts[0].data, parts[0].cells
    if beside is not None:
        require_same_outputs(*(part.outputs for part in parts))
        require_same_axes(data, parts[1].data)
        names = name_models(inputs, beside)
        for part, name, lines in zip(parts, names, facts, strict=True):
            part.data["about"] = {"name": name, "facts": lines}
        data, cells = {**data, "beside": parts[1].data}, {**cells, **parts[1].cells}
    name = inputs.names[sequence] if inputs.names else f"sequence {sequence}"
    head: PageHead = {"title": title or name, "facts": {} if beside is not None else facts[0]}
    figures = [build_cell_figure(*one) for one in cells.values()]
    return Report(render_page(head, figures, data), data)


@dataclass(frozen=True)
class _ModelPart:
    """What a page says of one model; its cells by the names of their figures, and whether these are
    of a reverse direction."""

    data: dict[str, object]
    facts: dict[str, str]
    cells: dict[str, tuple[Graph, bool]]
    outputs: int


def _build_part(
    inputs: ReportInputs,
    sequence: int,
    window: tuple[int, int],
    units: int | None,
    on_progress: ProgressCallback,
) -> _ModelPart:
    with torch.enable_grad():
        on_progress("opening the model", 0.0)
        ours = prepare_model(inputs)
        on_progress("reading", 0.05)
        seen = run_forward(ours, sequence, *window)
        ours = number_labels(ours, seen.outputs.shape[-1])
        graphs = {
            place: layer.cell.graph for place, (layer, _) in collect_layers(seen.tape).items()
        }
        states = {place: find_memory_state(graph) for place, graph in graphs.items()}
        more = collect_states(ours, states)
        found = _measure(ours, seen, more, sequence, states, on_progress)
    on_progress("drawing", 0.9)
    data = build_payload(ours, seen, more, found, sequence, units)
    facts = _list_facts(inputs, seen, more.lengths, sequence)
    distinct = {
        name_figure(layer.cell.graph, recorded.is_reverse): (layer.cell.graph, recorded.is_reverse)
        for layer, recorded in collect_layers(seen.tape).values()
    }
    return _ModelPart(data, facts, distinct, seen.outputs.shape[-1])


def _check_window(inputs: ReportInputs, sequence: int, start: int, steps: int) -> int:
    if not 0 <= sequence < len(inputs.inputs):
        raise ReportError(f"sequence must be from 0 to {len(inputs.inputs) - 1}, got {sequence}")
    length = inputs.count_steps(sequence)
    if not length or not len(inputs.inputs[sequence]):
        raise ReportError(f"sequence {sequence} has length 0; choose another one")
    if steps < 1 or not 0 <= start < length:
        raise ReportError(
            f"the steps must be within the {length} of sequence {sequence}, counted from 0, "
            f"got {start} to {start + steps - 1}"
        )
    return min(length, start + steps)


def _measure(
    inputs: ReportInputs,
    forward: ForwardRecord,
    dataset: StateDataset,
    sequence: int,
    states: Mapping[str, str],
    on_progress: ProgressCallback,
) -> Measurements:
    there = collect_layers(forward.tape)
    on_progress("following gradients", 0.1)
    flowing = measure_gradient_flows(forward)
    on_progress("which inputs matter", 0.15)
    influence, shares = measure_rows(inputs, forward, sequence, states)
    memories = {
        place: measure_memory(forward, place, recorded, layer.cell.graph)
        for place, (layer, recorded) in there.items()
    }
    follow, whole = [], max(1, len(there) * len(inputs.properties))
    on_progress("asking what units follow", 0.4)
    for one in find_selective_units(inputs, dataset):
        follow.append(one)
        on_progress(f"asking what units follow: {one.name}", 0.4 + 0.4 * len(follow) / whole)
    return Measurements(flowing, influence, memories, follow, shares)


def _list_facts(
    inputs: ReportInputs, forward: ForwardRecord, lengths: Tensor, sequence: int
) -> dict[str, str]:
    start, stop = forward.window
    name = inputs.names[sequence] if inputs.names else f"sequence {sequence}"
    layers = {
        place: f"{layer.cell.graph.name}, "
        f"{recorded[find_memory_state(layer.cell.graph)].shape[-1]} units"
        for place, (layer, recorded) in collect_layers(forward.tape).items()
    }
    count = sum(weight.numel() for weight in inputs.model.parameters())
    return {
        **layers,
        "parameters": f"{count:,}",
        **inputs.facts,
        **({} if forward.mean_loss is None else {"mean loss": _describe_loss(inputs, forward)}),
        "looked at": f"{name}, steps {start} to {stop - 1} of {inputs.count_steps(sequence)}",
        "data for unit selectivity": f"{int(lengths.sum()):,} steps of {len(lengths)} "
        f"sequence{'s' * (len(lengths) != 1)} (at most {ROWS:,})",
    }


def _describe_loss(inputs: ReportInputs, forward: ForwardRecord) -> str:
    unit = name_loss(inputs)
    return f"{forward.mean_loss:.4f} {unit}".strip()
