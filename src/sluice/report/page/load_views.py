"""The view of a model's data, and what units may follow in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from sluice.report.model_data import ModelData
from sluice.report.music import TokenMusic
from sluice.report.page.token_pieces import (
    MARKS,
    find_separator,
    find_word_starts,
    name_outputs,
    write_pieces,
)
from sluice.report.page.view_inputs import (
    ErrorInterval,
    LabelsView,
    PairsView,
    RollView,
    SeriesView,
    TextView,
    TunesView,
    View,
)
from sluice.report.properties import (
    Properties,
    chord_properties,
    numeric_properties,
    text_properties,
)
from sluice.sequence import Checkpoint, Vocabulary
from sluice.sequence.data.ragged import Array
from sluice.sequence.models import ChoraleModel, Forecaster, LanguageModel, PairModel, Tagger
from sluice.sequence.vocabulary import START

COVERAGE, FEWEST_ERRORS = 0.8, 20
"""The share of errors inside an interval, and how many errors it needs."""
_KEYS = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


@dataclass(frozen=True)
class ViewedData:
    """A view, and what else a report says of each sequence.

    Attributes:
        view: what a page needs to draw the data.
        tokens: as `ReportInputs.tokens`.
        classes: as `ReportInputs.classes`.
        output_names: as `ReportInputs.output_names`.
        properties: as `ReportInputs.properties`.
        spans: as `ReportInputs.spans`.
    """

    view: View
    tokens: Sequence[Sequence[str]] | None = None
    classes: Sequence[str] | None = None
    output_names: Sequence[str] | None = None
    properties: Properties = field(default_factory=dict)
    spans: Sequence[Sequence[int]] | None = None


def view_data(
    checkpoint: Checkpoint,
    data: ModelData,
    indices: Sequence[int],
    inputs: Sequence[Tensor],
    targets: Sequence[Tensor],
) -> ViewedData:
    """What a page needs to draw some sequences of a model's data.

    Args:
        checkpoint: the model.
        data: its data.
        indices: the sequences' numbers.
        inputs, targets: what the model reads of each, and what it is to give.
    """
    model = checkpoint.model
    if isinstance(model, LanguageModel):
        return _view_tokens(checkpoint.vocabulary, data, inputs)
    if isinstance(model, PairModel):
        return _view_pairs(checkpoint, inputs, targets)
    if isinstance(model, ChoraleModel):
        return _view_rolls(checkpoint, inputs, targets)
    if isinstance(model, Forecaster):
        return _view_forecasts(checkpoint, data, indices, inputs, targets)
    return _view_labels(checkpoint, data, indices, inputs, targets)


def _view_tokens(vocabulary: Vocabulary, data: ModelData, inputs: Sequence[Tensor]) -> ViewedData:
    pieces = [write_pieces(vocabulary, ids.tolist()) for ids in inputs]
    names = name_outputs(vocabulary)
    if data.domain is not None:
        return ViewedData(
            TunesView(pieces, _skip_mark(data.domain.read_music)),
            pieces,
            names,
            properties=data.domain.compute_properties(pieces),
            spans=[data.domain.find_span_starts(one) for one in pieces],
        )
    separator = find_separator(vocabulary)
    return ViewedData(
        TextView(pieces, separator),
        pieces,
        names,
        properties=text_properties(pieces, _find_unit(vocabulary)),
        spans=[find_word_starts(one, separator) for one in pieces],
    )


def _skip_mark(
    read_music: Callable[[Sequence[str]], TokenMusic | None],
) -> Callable[[Sequence[str]], TokenMusic | None]:
    """The music of pieces that begin with a mark, its tokens counted with the mark."""

    def read(pieces: Sequence[str]) -> TokenMusic | None:
        skipped = int(pieces[:1] == [MARKS[START]])
        music = read_music(pieces[skipped:])
        if music is None or not skipped:
            return music
        notes = [note._replace(token=note.token + 1, stop=note.stop + 1) for note in music.notes]
        signs = {key: (first + 1, stop + 1) for key, (first, stop) in music.signs.items()}
        return replace(music, notes=notes, signs=signs)

    return read


def _find_unit(vocabulary: Vocabulary) -> str:
    if find_separator(vocabulary):
        return vocabulary.unit.removesuffix("s")
    return "subword" if vocabulary.unit == "subwords" else "letter"


def _view_pairs(
    checkpoint: Checkpoint, inputs: Sequence[Tensor], targets: Sequence[Tensor]
) -> ViewedData:
    output = checkpoint.target_vocabulary
    assert output is not None
    sources = [write_pieces(checkpoint.vocabulary, ids.tolist()) for ids in inputs]
    wanted = [write_pieces(output, ids.tolist()) for ids in targets]
    separators = find_separator(checkpoint.vocabulary), find_separator(output)
    read = [[MARKS[START], *one[:-1]] for one in wanted]
    view = PairsView(
        sources,
        wanted,
        separators=separators,
        source_properties=text_properties(sources, _find_unit(checkpoint.vocabulary)),
    )
    return ViewedData(
        view,
        read,
        name_outputs(output),
        properties=text_properties(read, _find_unit(output)),
        spans=[find_word_starts(one, separators[1]) for one in read],
    )


def _view_rolls(
    checkpoint: Checkpoint, inputs: Sequence[Tensor], targets: Sequence[Tensor]
) -> ViewedData:
    count = checkpoint.model.config.features
    names = checkpoint.columns or tuple(map(str, range(count)))
    pitches = [int(name) if name.isdigit() else place for place, name in enumerate(names)]
    keys = name_keys(pitches)
    return ViewedData(
        RollView(tuple(pitches), [np.asarray(roll > 0.5) for roll in targets]),
        [[_name_chord(row, keys) for row in roll] for roll in inputs],
        output_names=keys,
        properties=chord_properties(inputs),
    )


def name_keys(pitches: Sequence[int]) -> list[str]:
    """The names of MIDI numbers.

    >>> name_keys([60, 70])
    ['C4', 'B♭4']
    """
    return [f"{_KEYS[pitch % 12]}{pitch // 12 - 1}" for pitch in pitches]


def _name_chord(row: Tensor, keys: Sequence[str]) -> str:
    return " ".join(keys[place] for place in row.nonzero()[:, 0].tolist()) or "silence"


def _view_forecasts(
    checkpoint: Checkpoint,
    data: ModelData,
    indices: Sequence[int],
    inputs: Sequence[Tensor],
    targets: Sequence[Tensor],
) -> ViewedData:
    config = checkpoint.model.config
    series = _view_series(data, indices)
    names = tuple(series.columns[place] for place in config.targets)
    view = SeriesView(
        series.columns,
        series.values,
        series.times,
        series.time_name,
        names,
        config.horizon,
        interval=measure_errors(checkpoint.model, inputs, targets),
    )
    outputs = [f"{name} +{step}" for step in range(1, config.horizon + 1) for name in names]
    return ViewedData(
        view,
        output_names=outputs,
        properties=_series_properties(view, inputs),
    )


def _view_series(data: ModelData, indices: Sequence[int]) -> SeriesView:
    series = data.series
    assert series is not None
    times = None if series.times is None else [series.times[index] for index in indices]
    values = [series.values[index].astype(np.float64) for index in indices]
    return SeriesView(series.features, values, times, series.time_name)


def _series_properties(view: SeriesView, inputs: Sequence[Tensor]) -> Properties:
    steps = [len(one) for one in inputs]
    rows = [torch.from_numpy(v[:count]) for v, count in zip(view.values, steps, strict=True)]
    found = numeric_properties(rows, view.columns)
    if view.times is not None and view.times[0].dtype.kind == "M":
        clocks = [
            _read_clock(times[:count]) for times, count in zip(view.times, steps, strict=True)
        ]
        if any(float(clock.std()) > 0 for clock in clocks if len(clock) > 1):
            found["hour of the day"] = clocks
    return found


def _read_clock(times: Array) -> Tensor:
    seconds = (times - times.astype("datetime64[D]")).astype("timedelta64[s]").astype(np.float64)
    return torch.from_numpy(seconds / 3600)


def measure_errors(
    model: Forecaster, inputs: Sequence[Tensor], targets: Sequence[Tensor]
) -> ErrorInterval | None:
    """The interval that holds `COVERAGE` of the model's errors on some sequences, for each step
    ahead and target; None where there are too few, and for a model that forecasts quantiles."""
    if model.config.quantiles:
        return None
    with torch.no_grad():
        found = [
            (wanted - model(values[:, None])[0][:, 0]).double()
            for values, wanted in zip(inputs, targets, strict=True)
        ]
    errors = torch.cat(found)
    if not len(errors) or int((~errors.isnan()).sum(0).min()) < FEWEST_ERRORS:
        return None
    tail = (1 - COVERAGE) / 2
    ends = torch.nanquantile(errors, torch.tensor([tail, 1 - tail], dtype=torch.float64), dim=0)
    shape = (model.config.horizon, len(model.config.targets))
    return ErrorInterval(COVERAGE, ends[0].numpy().reshape(shape), ends[1].numpy().reshape(shape))


def _view_labels(
    checkpoint: Checkpoint,
    data: ModelData,
    indices: Sequence[int],
    inputs: Sequence[Tensor],
    targets: Sequence[Tensor],
) -> ViewedData:
    per_step = isinstance(checkpoint.model, Tagger)
    count = checkpoint.model.config.classes
    labels = checkpoint.labels or tuple(str(k + per_step) for k in range(count))
    if data.series is not None:
        series = _view_series(data, indices)
        view = LabelsView(labels, per_step, series)
        return ViewedData(view, classes=labels, properties=_series_properties(series, inputs))
    vocabulary = checkpoint.vocabulary
    pieces = [write_pieces(vocabulary, ids.tolist()) for ids in inputs]
    separator = find_separator(vocabulary)
    return ViewedData(
        LabelsView(labels, per_step, TextView(pieces, separator)),
        pieces,
        labels,
        properties=text_properties(pieces, _find_unit(vocabulary)),
        spans=[find_word_starts(one, separator) for one in pieces],
    )
