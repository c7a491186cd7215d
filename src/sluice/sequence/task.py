"""Tasks: a model and its batches, chosen by the kind of data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, TypedDict, TypeVar, Unpack, cast

import numpy as np
import torch

from sluice.option_names import name_setting
from sluice.sequence.batch import BatchSource
from sluice.sequence.batch_plan import LONG_SEQUENCE, BatchPlan
from sluice.sequence.batching.pairs import PairBatches
from sluice.sequence.checkpoint import Checkpoint
from sluice.sequence.data.calendar_fields import (
    add_calendar,
    choose_calendar_fields,
    describe_calendar,
    list_calendar_columns,
)
from sluice.sequence.data.class_counts import count_classes, describe_classes
from sluice.sequence.data.feature_statistics import FeatureStatistics
from sluice.sequence.data.formats import AnyData
from sluice.sequence.data.labelled_texts import LabelledTexts
from sluice.sequence.data.pairs import Pairs
from sluice.sequence.data.ragged import Array, RaggedArray
from sluice.sequence.data.series import Series
from sluice.sequence.data.splits import Split
from sluice.sequence.data.targets import SupervisedSequences
from sluice.sequence.data.token_notes import describe_tokens
from sluice.sequence.data.tokens import Tokens
from sluice.sequence.errors import DataError
from sluice.sequence.forecast_sources import (
    WindowPlan,
    choose_window,
    cut_forecasts,
    find_places,
    make_forecaster_config,
    require_shorter,
    require_window_memory,
    split_forecasts,
)
from sluice.sequence.metrics.evaluation import evaluate
from sluice.sequence.metrics.metrics import Metrics
from sluice.sequence.models import (
    ChoraleConfig,
    ChoraleModel,
    Classifier,
    Forecaster,
    LabelsConfig,
    LanguageModel,
    LanguageModelConfig,
    SequenceModel,
    Tagger,
)
from sluice.sequence.models.model_memory import build_model
from sluice.sequence.models.quantiles import DEFAULT_QUANTILES
from sluice.sequence.pair_architectures import PairArchitecture, build_pair_model

_SEQ_LEN = 100


_CHORD_OPTIONS = {"hidden_size": 128, "dropout": 0.5}
"""The sizes of a model of piano rolls, of which there are mostly some hundred pieces."""

D = TypeVar("D", Tokens, Series, LabelledTexts)
ModelOptions = dict[str, Any]
"""Fields of a model's configuration, as the caller gives them."""


class EvaluationOptions(TypedDict, total=False):
    """Arguments of `sluice.sequence.metrics.evaluate` that depend on the data."""

    period: int | None
    training: BatchSource
    before: Sequence[Array] | None
    labels: tuple[str, ...]
    class_counts: tuple[int, ...]


@dataclass(frozen=True)
class Task:
    """An untrained model with its data.

    Attributes:
        checkpoint: the model with its vocabulary, labels or columns, to be saved.
        training, validation: batches.
        report: how the data is split.
        evaluation_options: further arguments of `metrics.evaluate`, such as a period.
        test: batches that neither train the model nor choose its weights; None without any.
    """

    checkpoint: Checkpoint
    training: BatchSource
    validation: BatchSource
    report: str
    evaluation_options: EvaluationOptions
    test: BatchSource | None = None

    @property
    def model(self) -> SequenceModel:
        """The model of the checkpoint."""
        return cast(SequenceModel, self.checkpoint.model)

    @property
    def loss_unit(self) -> str:
        """The unit of the loss."""
        return self.checkpoint.loss_unit

    @property
    def fingerprint(self) -> str:
        """That of the data, all parts together."""
        return self.checkpoint.data_fingerprint

    def compute_metrics(self) -> Metrics:
        """The metrics of the model and of baselines on test data, else on validation data."""
        return evaluate(self.model, self.test or self.validation, **self.evaluation_options)

    def calibrate(self) -> None:
        """Fit a forecaster's intervals to the validation data; nothing for another model.

        Call it with the final weights, before the model is saved or evaluated.
        """
        if isinstance(self.model, Forecaster):
            self.model.calibrate(self.validation)


def make_task(
    data: AnyData,
    *,
    batch_size: int | None = None,
    seq_len: int | None = None,
    horizon: int = 1,
    period: int | None = None,
    validation: float = 0.1,
    test: float | None = None,
    quantiles: Sequence[float] | None = None,
    known: Sequence[str] = (),
    calendar: bool = False,
    seed: int = 0,
    statistics: FeatureStatistics | None = None,
    architecture: PairArchitecture = "recurrent",
    **model_options: Any,
) -> Task:
    """A model for the data: of the next token, the next chord, labels, forecasts, or targets.

    Long sequences are read in streams of `seq_len` steps with the state carried over (or, for
    forecasts and labels of steps, in windows of that length), short ones whole. A validation part
    of sequences with one label each is drawn by class.

    Args:
        data: from `load_data`.
        batch_size: sequences, streams or windows in a batch; default 32, of piano rolls 8.
        seq_len: steps of a stream's batch, or of a window; default 100, for forecasts with a long
            period two seasons and more.
        horizon: steps to forecast.
        period: the length of a season in steps, for the naive forecast.
        validation: the fraction for validation, if the data come without a split.
        test: the fraction that forecasts are judged by; default as `validation`, and none for
            other models.
        quantiles: levels to forecast, symmetric around 0.5; default those of the intervals of
            50 %, 80 % and 95 %; none if empty.
        known: features whose values in the steps to forecast are known ahead.
        calendar: for forecasts, add month, day of the week and hour of each step, as
            `choose_calendar_fields` finds them to say something; they are known ahead.
        seed: for the split, the order and the initial weights.
        statistics: by which the values of a task of labels are normalised; None for those of the
            training part.
        architecture: of a model of pairs: a `Seq2Seq`, `ConvSeq2Seq` or `TransformerSeq2Seq`.
        model_options: of its configuration: cell, hidden_size, num_layers (1 for a `Seq2Seq`, by
            default), dropout and so on. With a joint vocabulary the embeddings are one matrix, and
            the readout's weights too, by default. Of piano rolls hidden_size is 128 and dropout 0.5
            by default.

    Raises:
        DataError: data that cannot be split; a calendar for data without dates.
        SequenceError: an invalid option.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from sluice.sequence import load_data
    >>> file = Path(tempfile.mkdtemp()) / "poem.txt"
    >>> _ = file.write_text("Tyger Tyger, burning bright, " * 9)
    >>> task = make_task(load_data(file), hidden_size=8)
    >>> type(task.model).__name__, task.loss_unit, task.training.stateful
    ('LanguageModel', 'nats per character', True)
    """
    torch.manual_seed(seed)
    forecasts = isinstance(data, Series) and data.labels is None and not data.multi_hot
    if calendar and not forecasts:
        raise DataError(f"{name_setting('calendar', True)} is for forecasts; leave it out.")
    if batch_size is None:
        batch_size = 8 if isinstance(data, Series) and data.multi_hot else 32
    cuts = BatchPlan(batch_size, _SEQ_LEN if seq_len is None else seq_len, seed)
    if isinstance(data, Tokens):
        tokens = data.split(validation=validation, seed=seed)
        return _mark_data(_make_token_task(tokens, cuts, model_options), data)
    if isinstance(data, Pairs):
        pairs = data.split(validation=validation, test=test or 0.0, seed=seed)
        return _mark_data(_make_pair_task(pairs, cuts, architecture, model_options), data)
    if isinstance(data, LabelledTexts):
        texts = data.split(validation=validation, test=test or 0.0, seed=seed)
        return _mark_data(_make_text_label_task(texts, cuts, model_options), data)
    if data.labels is None and not data.multi_hot:
        levels = DEFAULT_QUANTILES if quantiles is None else tuple(quantiles)
        options = {**model_options, "horizon": horizon, "quantiles": levels}
        fields = choose_calendar_fields(data) if calendar else ()
        data = add_calendar(data, fields)
        options["known"] = find_places(data, (*known, *list_calendar_columns(fields)))
        windows = WindowPlan(
            choose_window(period) if seq_len is None else seq_len, batch_size, seed
        )
        task = _make_forecast_task(data, (validation, test), windows, period, options)
        task = _add_fields(task, data, fields)
        return _mark_data(task, data)
    split = data.split(validation=validation, test=test or 0.0, seed=seed)
    if data.multi_hot:
        task = _make_chord_task(split, cuts, model_options)
    else:
        task = _make_label_task(split.normalise(statistics), cuts, model_options)
    return _mark_data(task, data)


def _add_fields(task: Task, series: Series, fields: Sequence[str]) -> Task:
    """The task, whose checkpoint says what it reads from the calendar."""
    if not fields:
        return task
    held = {**task.checkpoint.preprocessing, "calendar": list(fields)}
    report = f"{task.report}\n{describe_calendar(series, fields)}"
    return replace(task, checkpoint=replace(task.checkpoint, preprocessing=held), report=report)


def _mark_data(task: Task, data: AnyData) -> Task:
    """The task, whose checkpoint says what data it is for."""
    marked = replace(task.checkpoint, data_fingerprint=data.fingerprint())
    return replace(task, checkpoint=marked)


def _make_token_task(split: Split[Tokens], cuts: BatchPlan, options: ModelOptions) -> Task:
    vocabulary, ids = split.train.vocabulary, split.train.ids
    checkpoint = Checkpoint(
        build_model(LanguageModel, LanguageModelConfig(len(vocabulary), **options)),
        vocabulary,
        preprocessing=_describe_loading(split.train),
    )
    mean = float(ids.lengths.mean())
    cut = (
        cuts.make_streams
        if len(ids) < cuts.batch_size or mean > LONG_SEQUENCE
        else cuts.make_buckets
    )
    task = _assemble_task(checkpoint, split, cut)
    notes = describe_tokens(split, cuts.chunk)
    return replace(task, report="\n".join((task.report, *notes)))


def _make_pair_task(
    split: Split[Pairs], cuts: BatchPlan, architecture: str, options: ModelOptions
) -> Task:
    data = split.train
    sizes = len(data.vocabulary), len(data.target_vocabulary)
    is_joint = bool(data.load_options.get("joint_vocabulary"))
    checkpoint = Checkpoint(
        build_pair_model(architecture, sizes, {"joint": is_joint, "tied": is_joint, **options}),
        data.vocabulary,
        target_vocabulary=data.target_vocabulary,
        preprocessing=_describe_loading(data),
    )
    training, validation = (
        PairBatches(part.sources, part.targets, cuts.batch_size, cuts.seed)
        for part in (split.train, split.validation)
    )
    return Task(checkpoint, training, validation, split.report(), {})


def _make_chord_task(split: Split[Series], cuts: BatchPlan, options: ModelOptions) -> Task:
    features = split.train.features
    model = build_model(ChoraleModel, ChoraleConfig(len(features), **{**_CHORD_OPTIONS, **options}))
    model.fit_frequencies(torch.from_numpy(np.concatenate(list(split.train.values))))
    checkpoint = Checkpoint(
        model,
        columns=features,
        preprocessing=_describe_loading(split.train),
    )
    return _assemble_task(checkpoint, split, cuts.make_buckets)


def _make_label_task(split: Split[Series], cuts: BatchPlan, options: ModelOptions) -> Task:
    data, scale = split.train, split.statistics
    if len(data.classes) < 2:
        raise DataError(
            f"Labels need at least two classes, got {', '.join(data.classes) or 'none'}; add "
            "sequences of others, or name another column of labels."
        )
    kind = Tagger if isinstance(data.labels, RaggedArray) else Classifier
    counts, window = count_classes(data), cuts.find_label_window(data)
    checkpoint = Checkpoint(
        build_model(kind, LabelsConfig(len(data.classes), features=len(data.features), **options)),
        labels=data.classes,
        columns=data.features,
        preprocessing=_describe_loading(data)
        | (asdict(scale) if scale else {})
        | {"class_counts": counts.tolist()}
        | ({"label_window": window} if window else {}),
    )
    task = _assemble_task(
        checkpoint,
        split,
        partial(cuts.make_label_batches, window=window),
        labels=data.classes,
        class_counts=tuple(counts.tolist()),
    )
    notes = describe_classes(split)
    if window:
        notes += (
            f"Long series are read in windows of {window['steps']} labelled steps, with "
            f"{window['context']} steps before and after them.",
        )
    return replace(task, report="\n".join((task.report, *notes)))


def _make_text_label_task(
    split: Split[LabelledTexts], cuts: BatchPlan, options: ModelOptions
) -> Task:
    data, counts = split.train, count_classes(split.train)
    config = LabelsConfig(len(data.classes), vocabulary_size=len(data.vocabulary), **options)
    checkpoint = Checkpoint(
        build_model(Classifier, config),
        data.vocabulary,
        labels=data.classes,
        preprocessing=_describe_loading(data) | {"class_counts": counts.tolist()},
    )
    task = _assemble_task(
        checkpoint,
        split,
        cuts.make_buckets,
        labels=data.classes,
        class_counts=tuple(counts.tolist()),
    )
    return replace(task, report="\n".join((task.report, *describe_classes(split))))


def _make_forecast_task(
    series: Series,
    fractions: tuple[float, float | None],
    cuts: WindowPlan,
    period: int | None,
    options: ModelOptions,
) -> Task:
    require_shorter(series, {**options, "period": period})
    split = split_forecasts(series, *fractions, cuts.seed)
    config = make_forecaster_config(split.train, cuts, period, options)
    require_window_memory(series, cuts, config)
    model = build_model(Forecaster, config)
    sources = cut_forecasts(split, series, cuts, model.config)
    model.fit_scale(sources.training, sources.validation)
    return Task(
        Checkpoint(
            model,
            columns=series.features,
            preprocessing={
                **_describe_loading(series),
                "window": cuts.seq_len,
                **({} if period is None else {"period": period}),
            },
        ),
        sources.training,
        sources.validation,
        f"{split.report()} {sources.note}",
        {"period": period, "training": sources.training, "before": sources.before_test},
        sources.test,
    )


def _assemble_task(
    checkpoint: Checkpoint,
    split: Split[D],
    cut: Callable[[SupervisedSequences], BatchSource],
    **evaluation_options: Unpack[EvaluationOptions],
) -> Task:
    training, validation = (cut(part.to_supervised()) for part in (split.train, split.validation))
    return Task(checkpoint, training, validation, split.report(), evaluation_options)


def _describe_loading(data: AnyData) -> dict[str, object]:
    """How the data was loaded, so that other files are read in the same way."""
    return {"load_options": dict(data.load_options)} if data.load_options else {}
