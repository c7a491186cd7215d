"""The inputs of a report from what a caller has in memory: a model, tensors and names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from sluice.report.page.inputs import (
    Forward,
    LossFunction,
    ReportError,
    ReportInputs,
    split_sequences,
)
from sluice.report.page.load_views import measure_errors, name_keys
from sluice.report.page.view_inputs import (
    LabelsView,
    PairsView,
    RollView,
    SeriesView,
    TextView,
    View,
)
from sluice.report.properties import Properties, chord_properties, numeric_properties
from sluice.sequence.models import (
    ChoraleModel,
    Classifier,
    Forecaster,
    PairModel,
    SequenceModel,
    Tagger,
    decode,
)
from sluice.sequence.vocabulary import END, PADDING

_LOWEST_KEY, _PIANO = 21, 88


@dataclass(frozen=True)
class GivenNames:
    """What a caller calls things; see `sluice.report.look`."""

    tokens: Sequence[Sequence[str]] | None = None
    target_tokens: Sequence[Sequence[str]] | None = None
    classes: Sequence[str] | None = None
    input_names: Sequence[str] | None = None
    output_names: Sequence[str] | None = None


def build_inputs(
    model: nn.Module,
    inputs: Tensor | Sequence[Tensor],
    targets: Tensor | Sequence[Tensor] | None,
    names: GivenNames,
    properties: Mapping[str, Sequence[Tensor]],
    *,
    forward: Forward | None = None,
    loss: LossFunction | None = None,
    batch_first: bool = False,
) -> ReportInputs:
    """The inputs of a report; the arguments are those of `sluice.report.look`.

    Raises:
        ReportError: names that are not as many as what they name.
    """
    read = split_sequences(inputs, batch_first)
    wanted = None if targets is None else _split_targets(targets, read, batch_first)
    if isinstance(model, PairModel):
        read, wanted = _complete_pairs(model, read, wanted)
    _require_names(names, read, wanted, model)
    view = _find_view(model, read, wanted, names)
    is_own = isinstance(model, SequenceModel) and forward is None
    tokens, classes = names.tokens, names.classes
    if isinstance(view, PairsView):
        tokens = [["⟨start⟩", *one[:-1]] for one in view.targets]
    if isinstance(view, LabelsView):
        classes = view.labels or None
    return ReportInputs(
        model,
        read,
        wanted,
        tokens,
        classes,
        {**_find_properties(view, read, names.input_names), **properties},
        forward=forward,
        batch_first=batch_first and not is_own,  # these models take (time, batch, …)
        view=view,
        output_names=_name_outputs(model, view, names),
        loss=loss,
    )


def number_labels(inputs: ReportInputs, count: int) -> ReportInputs:
    """The inputs with numbers for labels that have no names, as many as a model has outputs."""
    if not isinstance(inputs.view, LabelsView) or inputs.view.labels:
        return inputs
    labels = tuple(map(str, range(count)))
    return replace(inputs, view=replace(inputs.view, labels=labels), classes=labels)


def _split_targets(
    targets: Tensor | Sequence[Tensor], inputs: Sequence[Tensor], batch_first: bool
) -> list[Tensor]:
    if isinstance(targets, Tensor) and targets.dim() == 1 and len(targets) == len(inputs):
        return list(targets)  # one label a sequence
    return split_sequences(targets, batch_first)


def _complete_pairs(
    model: PairModel, sources: list[Tensor], targets: list[Tensor] | None
) -> tuple[list[Tensor], list[Tensor]]:
    """Sources and targets without padding; without targets, the model's own greedy outputs."""
    sources = [ids[: _count_ids(ids)] for ids in sources]
    if targets is not None:
        return sources, [ids[: _count_ids(ids)] for ids in targets]
    found = [decode(model, ids[:, None])[0] for ids in sources]
    return sources, [torch.tensor([*one.ids, END] if one.is_complete else one.ids) for one in found]


def _count_ids(ids: Tensor) -> int:
    return int((ids != PADDING).nonzero().max()) + 1 if bool((ids != PADDING).any()) else 0


def _require_names(
    names: GivenNames, inputs: Sequence[Tensor], targets: Sequence[Tensor] | None, model: nn.Module
) -> None:
    width = inputs[0].shape[1] if inputs and inputs[0].dim() == 2 else None
    if names.input_names is not None and len(names.input_names) != width:
        what = "features of each step" if width is not None else "steps of ids, which need none"
        raise ReportError(
            f"input_names must name {width or ''} {what}, got {len(names.input_names)}".replace(
                "  ", " "
            )
        )
    if isinstance(model, Classifier | Tagger) and names.classes is not None:
        count = model.config.classes
        if len(names.classes) != count:
            raise ReportError(f"classes must name {count} labels, got {len(names.classes)}")
    values = targets is not None and targets[0].is_floating_point() and targets[0].dim() == 2
    given = None if names.output_names is None else len(names.output_names)
    outputs = targets[0].shape[1] if values and targets is not None else None
    if isinstance(model, Forecaster):
        outputs = len(model.config.targets)
    if given is not None and outputs is not None and given != outputs:
        raise ReportError(f"output_names must name {outputs} outputs, got {given}")


def _find_view(
    model: nn.Module,
    inputs: Sequence[Tensor],
    targets: Sequence[Tensor] | None,
    names: GivenNames,
) -> View | None:
    if targets is not None and (
        isinstance(model, PairModel)
        or names.target_tokens is not None
        or _have_other_steps(inputs, targets)
    ):
        return _find_pairs(model, inputs, targets, names)
    if isinstance(model, ChoraleModel):
        lowest = _LOWEST_KEY if model.config.features == _PIANO else 0
        rolls = inputs if targets is None else targets
        pitches = tuple(range(lowest, lowest + model.config.features))
        return RollView(pitches, [np.asarray(roll.detach() > 0.5) for roll in rolls])
    read = _find_reading(inputs, names)
    labels = isinstance(model, Classifier | Tagger)
    if targets is not None and not labels and not isinstance(model, SequenceModel):
        labels = isinstance(read, SeriesView) and not targets[0].is_floating_point()
    if labels and read is not None:
        count = getattr(getattr(model, "config", None), "classes", 0)
        first = int(isinstance(model, Tagger))
        known = names.classes or [str(k + first) for k in range(count)]
        of_steps = not isinstance(model, Classifier) and not (targets and not targets[0].dim())
        return LabelsView(tuple(known), of_steps, read)
    if isinstance(read, SeriesView):
        return _add_forecast(model, read, inputs, targets, names)
    return read


def _have_other_steps(inputs: Sequence[Tensor], targets: Sequence[Tensor]) -> bool:
    """Whether some targets have a label for each of another number of steps than their inputs."""
    steps = zip(inputs, targets, strict=False)
    return any(target.dim() and len(target) != len(read) for read, target in steps)


def _find_pairs(
    model: nn.Module, inputs: Sequence[Tensor], targets: Sequence[Tensor], names: GivenNames
) -> PairsView:
    sides = [
        [[_name_step(step, classes) for step in one] for one in side]
        if tokens is None
        else [*map(list, tokens)]
        for side, tokens, classes in (
            (inputs, names.tokens, None),
            (targets, names.target_tokens, names.classes),
        )
    ]
    for side, ids, name in zip(sides, (inputs, targets), ("tokens", "target_tokens"), strict=True):
        for number, (pieces, one) in enumerate(zip(side, ids, strict=False)):
            if len(pieces) == len(one) - 1 and name == "target_tokens":
                pieces.append("⟨end⟩")
            if len(side) != len(ids) or len(pieces) != len(one):
                raise ReportError(
                    f"{name} must have one entry for each of the {len(one)} steps of sequence "
                    f"{number}, got {len(pieces)}"
                )
    modules = ("layers",) if isinstance(model, PairModel) else None
    return PairsView(sides[0], sides[1], modules)


def _name_step(step: Tensor, classes: Sequence[str] | None) -> str:
    """An id, by its class's name where that is known, or the first values of a step."""
    if step.dim():
        return ",".join(f"{value:.3g}" for value in step[:3].tolist())
    number = step.item()
    is_named = classes is not None and isinstance(number, int) and 0 <= number < len(classes)
    return classes[int(number)] if classes is not None and is_named else f"{number:.6g}"


def _find_reading(inputs: Sequence[Tensor], names: GivenNames) -> TextView | SeriesView | None:
    if all(one.dim() == 2 and one.is_floating_point() for one in inputs):
        width = inputs[0].shape[1]
        columns = tuple(names.input_names or (f"input {k}" for k in range(width)))
        return SeriesView(columns, [np.asarray(one.detach().double()) for one in inputs])
    if names.tokens is None:
        return None
    single = all(len(piece) <= 1 for pieces in names.tokens for piece in pieces)
    return TextView(names.tokens, "" if single else " ")


def _add_forecast(
    model: nn.Module,
    series: SeriesView,
    inputs: Sequence[Tensor],
    targets: Sequence[Tensor] | None,
    names: GivenNames,
) -> SeriesView:
    """The series with what the model makes of it: a forecast, or values of the same steps."""
    if isinstance(model, Forecaster):
        chosen = model.config.targets
        wanted = tuple(names.output_names or (series.columns[place] for place in chosen))
        interval = None if targets is None else measure_errors(model, inputs, targets)
        return SeriesView(
            series.columns,
            series.values,
            targets=wanted,
            horizon=model.config.horizon,
            interval=interval,
        )
    if targets is None or targets[0].dim() != 2 or not targets[0].is_floating_point():
        return series
    if _are_next_steps(inputs, targets):
        wanted = tuple(names.output_names or series.columns)
        return SeriesView(series.columns, series.values, targets=wanted, horizon=1, ahead=1)
    width = targets[0].shape[1]
    wanted = tuple(names.output_names or (f"output {k}" for k in range(width)))
    return SeriesView(series.columns, series.values, targets=wanted, horizon=1, ahead=0)


def _are_next_steps(inputs: Sequence[Tensor], targets: Sequence[Tensor]) -> bool:
    """Whether every target is the next input."""
    return all(
        one.shape == wanted.shape and len(one) > 1 and torch.equal(one[1:], wanted[:-1])
        for one, wanted in zip(inputs, targets, strict=True)
    )


def _find_properties(
    view: View | None, inputs: Sequence[Tensor], input_names: Sequence[str] | None
) -> Properties:
    if isinstance(view, RollView):
        return chord_properties(inputs)
    if all(one.dim() == 2 and one.is_floating_point() for one in inputs):
        return numeric_properties([one.detach() for one in inputs], input_names)
    return {}


def _name_outputs(model: nn.Module, view: View | None, names: GivenNames) -> Sequence[str] | None:
    if isinstance(view, RollView):
        return names.output_names or name_keys(view.pitches)
    if isinstance(view, SeriesView) and isinstance(model, Forecaster):
        return [f"{name} +{step}" for step in range(1, view.horizon + 1) for name in view.targets]
    if isinstance(view, SeriesView) and view.targets:
        return view.targets
    return names.output_names
