"""What there is to train for a kind of data: one function per kind makes a `TrainingJob`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group

from sluice.cli.chorale_job import build_chorale_job
from sluice.cli.errors import fail
from sluice.cli.forecast_flags import parse_quantiles
from sluice.cli.options import value_or
from sluice.cli.pair_flags import PAIR_FLAGS, PAIR_MODEL_FLAGS
from sluice.cli.score_display import group_score_tables
from sluice.cli.table_flags import CSV_FLAGS, SPREADSHEET_FLAGS, TABLE_FLAGS
from sluice.cli.train_options import TrainOptions
from sluice.cli.training_job import MonitorFactory, RefuseUnused, TrainingJob

if TYPE_CHECKING:
    from sluice.sequence import Checkpoint, Progress, Task, TrainingConfig, TrainingResult
    from sluice.sequence.data.formats import AnyData

PIANO_ROLL_RATE = 0.01
"""The peak learning rate of a model of piano rolls: small data, whose losses are sums over keys."""


def build_job(options: TrainOptions, checkpoint: Path, refuse_unused: RefuseUnused) -> TrainingJob:
    """Read the data and make a model for it."""
    if options.data == "tunes":
        return _build_tunes_job(options, checkpoint, refuse_unused)
    if options.data == "chorales":
        return build_chorale_job(options, checkpoint, refuse_unused)
    return build_data_job(options, read_data(options, refuse_unused), checkpoint, refuse_unused)


def _build_tunes_job(
    options: TrainOptions, checkpoint: Path, refuse_unused: RefuseUnused
) -> TrainingJob:
    """Folk tunes: the package's collections, or files of ABC."""
    from sluice.tunes.composition import training

    refuse_unused("tunes")
    base = None if options.base is None else _load_base(options)
    prepared = training.prepare_dataset(options.corpus or None)
    usual = training.QUICK_CONFIG
    shape = replace(
        usual,
        hidden_size=value_or(options.hidden, usual.hidden_size),
        num_layers=value_or(options.layers, usual.num_layers),
        dropout=value_or(options.dropout, usual.dropout),
        batch_size=value_or(options.batch, usual.batch_size),
    )
    config = options.build_config(
        training.make_training_config(seconds=1.0, from_trained=base is not None)
    )

    def train(
        *,
        folder: Path,
        resume: bool,
        tensorboard: bool,
        monitor: MonitorFactory | None,
        on_progress: Callable[[Progress], None],
    ) -> TrainingResult:
        return training.train(
            prepared,
            checkpoint,
            config,
            model_config=shape,
            base=base,
            precision=options.precision or "float32",
            folder=folder,
            resume=resume,
            tensorboard=tensorboard,
            monitor=monitor,
            on_progress=on_progress,
        )

    return TrainingJob(
        prepared.report(),
        config,
        "nats per token",
        train,
        prepared.fingerprint(),
        lambda: _sample_text(checkpoint),
    )


def _load_base(options: TrainOptions) -> Checkpoint:
    """The model that `--from` names; its sizes stay, so that options of sizes are refused."""
    from sluice.tunes.composition.inputs import load_trained

    _refuse_sizes(options)
    return load_trained(str(options.base))


def _refuse_sizes(options: TrainOptions) -> None:
    """Refuse what --from decides."""
    decided = (
        *("hidden", "layers", "dropout", "cell", "horizon", "known", "quantiles", "tokenize"),
        *("linear_lags", "calendar"),
        *("vocabulary_size", "joint_vocabulary", *PAIR_MODEL_FLAGS),
    )
    given = [name for name in decided if getattr(options, name, None) is not None]
    if given:
        name = given[0].replace("_", "-")
        fail(f"--{name} does not apply to --from, whose model keeps its own; leave it out")


def load_base(options: TrainOptions) -> Checkpoint | None:
    """The model that `--from` names for data of one's own."""
    from sluice.sequence import Checkpoint

    if options.base is None:
        return None
    _refuse_sizes(options)
    if options.base == "shipped" and not Path("shipped").exists():
        fail("--from shipped is the model of folk tunes, for `sluice train tunes`; give a file")
    return Checkpoint.load(options.base)


def build_data_job(
    options: TrainOptions,
    data: AnyData,
    checkpoint: Path,
    refuse_unused: RefuseUnused,
) -> TrainingJob:
    """Whatever `sluice.sequence.load_data` reads: text, ABC, MIDI, pairs, piano rolls, tables."""
    from sluice import sequence
    from sluice.sequence.fine_tuning import FINE_TUNING_RATE

    if isinstance(data, sequence.Pairs) and options.bptt is not None:
        fail("--bptt cuts sequences in time, which pairs cannot be; leave it out")
    base, asked = load_base(options), task_options(options)
    if base is None:
        usual = sequence.TrainingConfig(seconds=1.0)
        if isinstance(data, sequence.Series) and data.multi_hot:
            usual = replace(usual, learning_rate=PIANO_ROLL_RATE)
        config = options.build_config(usual)
        task = sequence.make_task(data, seed=config.seed, **asked)
    else:
        config = options.build_config(
            sequence.TrainingConfig(seconds=1.0, learning_rate=FINE_TUNING_RATE)
        )
        task = sequence.make_fine_tuning_task(data, base, seed=config.seed, **asked)
    refuse_unused(name_task(data, task))

    def save_best(loss: float) -> None:
        task.calibrate()
        replace(task.checkpoint, metadata={"validation": loss}).save(checkpoint)

    def train(
        *,
        folder: Path,
        resume: bool,
        tensorboard: bool,
        monitor: MonitorFactory | None,
        on_progress: Callable[[Progress], None],
    ) -> TrainingResult:
        return sequence.train(
            task.model,
            task.training,
            task.validation,
            config,
            on_best=save_best,
            folder=folder,
            resume=resume,
            fingerprint=task.fingerprint,
            tensorboard=tensorboard,
            monitor=monitor,
            on_progress=on_progress,
        )

    return TrainingJob(
        "\n".join([data.report(), task.report, *_report_base(options, config)]),
        config,
        task.loss_unit,
        train,
        task.fingerprint,
        _choose_sample(task, data, checkpoint),
        lambda: _show_figures(task),
        _suggest_command(task, options.data, checkpoint),
    )


def _show_figures(task: Task) -> Group:
    """Tables of metrics; of a forecaster also how much its network counts beside a linear part."""
    tables = group_score_tables(task.compute_metrics().to_score_tables())
    share = getattr(task.model, "network_share", None)
    if share is None or share == 1:
        return tables
    word = (
        f"Of what the network adds to the linear part, {100 * float(share):.0f} % counts in "
        "forecasts: the validation part bears out no more. More data or a longer training may."
    )
    return Group(tables, word)


def _report_base(options: TrainOptions, config: TrainingConfig) -> list[str]:
    """What is said of a training that starts from a model."""
    if options.base is None:
        return []
    return [
        f"Trained on from {options.base}, with its sizes, at a learning rate of "
        f"{config.learning_rate:g}."
    ]


def _suggest_command(task: Task, data: str, checkpoint: Path) -> str:
    """The command that uses the trained model; empty for one whose use is not tied to its data."""
    from sluice.sequence.model_series import list_known_ahead
    from sluice.sequence.models import Classifier, Forecaster

    if _list_loading(task).get("kind") == "abc":
        command = shlex.join(["sluice", "train", "tunes", "--corpus", data])
        return f"For a model that `sluice compose` can use: {command}"
    if isinstance(task.model, Classifier) and task.checkpoint.vocabulary is not None:
        command = shlex.join(["sluice", "predict", str(checkpoint), "FILE"])
        return f"To label the texts of a file, one a line: {command}"
    if not isinstance(task.model, Forecaster):
        return ""
    ahead = ["--future", "FILE"] if list_known_ahead(task.checkpoint) else []
    command = shlex.join(["sluice", "forecast", str(checkpoint), data, *ahead])
    return f"To forecast beyond the end of the data: {command}"


def _list_loading(task: Task) -> Mapping[str, object]:
    """How the task's data were loaded."""
    held = task.checkpoint.preprocessing.get("load_options", {})
    return held if isinstance(held, dict) else {}


def task_options(options: TrainOptions) -> dict[str, Any]:
    """The task's and the model's sizes that were asked for, under the library's names."""
    asked = {
        "seq_len": options.seq_len,
        "horizon": options.horizon,
        "period": options.period,
        "quantiles": parse_quantiles(options.quantiles),
        "known": options.known,
        "calendar": options.calendar,
        "linear_lags": options.linear_lags,
        "cell": options.cell,
        "hidden_size": options.hidden,
        "num_layers": options.layers,
        "dropout": options.dropout,
        "batch_size": options.batch,
    } | {name: getattr(options, name) for name in PAIR_MODEL_FLAGS}
    return {name: value for name, value in asked.items() if value is not None}


def read_data(options: TrainOptions, refuse_unused: RefuseUnused) -> AnyData:
    """What the options name, with a progress bar."""
    from sluice import sequence
    from sluice.cli.usage import FORMATS
    from sluice.sequence.data.formats import find_format
    from sluice.sequence.fine_tuning import find_load_options
    from sluice.sequence.training.processes import ProcessGroup

    if options.kind is None and _holds_scores(Path(options.data)):
        again = shlex.join(["sluice", "train", "chorales", "--corpus", options.data])
        fail(f"{options.data} holds scores in MusicXML; to train on them: {again}")
    parallel = options.kind is None and options.target_file is not None
    found = "pairs" if parallel else find_format(options.data, options.kind).name
    if found in FORMATS:
        refuse_unused(found)
    asked: dict[str, Any] = {
        "kind": options.kind,
        "encoding": options.encoding,
        "unit": options.tokenize and _UNITS[options.tokenize],
        "columns": _parse_columns(options.columns),
        "target_file": options.target_file,
        "target": options.target,
        "inputs": options.inputs,
        "id": options.id,
        "time": options.time,
        "label": options.label,
    } | {name: getattr(options, name) for name in (*_READING, *PAIR_FLAGS)}
    if options.delimiter in ("tab", "\\t"):
        asked["delimiter"] = "\t"
    given = {name: value for name, value in asked.items() if value is not None}
    if (base := load_base(options)) is not None:
        kind = "pairs" if parallel else options.kind
        given = {**find_load_options(base, options.data, kind), **given}
    with sequence.show_load_progress(Console(quiet=ProcessGroup().rank > 0)) as show:
        return sequence.load_data(options.data, **given, on_reading=show)


def _holds_scores(path: Path) -> bool:
    files = path.rglob("*") if path.is_dir() else [path]
    return any(one.suffix.lower() in (".mxl", ".musicxml") for one in files)


_READING = (*TABLE_FLAGS, *CSV_FLAGS, *SPREADSHEET_FLAGS)
_OUTPUTS = 3
"""Held-out sources whose outputs are shown after each validation."""
_UNITS = {"chars": "characters", "words": "words", "subwords": "subwords"}
"""From `--tokenize` to the library's names."""


def name_task(data: AnyData, task: Task) -> str:
    """What is learnt, as a key of `usage.TASKS`."""
    from sluice.sequence import LabelledTexts, Pairs, Tokens

    if isinstance(data, Pairs):
        return "pairs"
    if isinstance(data, LabelledTexts):
        return "text labels"
    if isinstance(data, Tokens):
        return "streams" if task.training.stateful else "sequences"
    if data.multi_hot:
        return "chords"
    if data.labels is None:
        return "forecasts"
    return "long labels" if "label_window" in task.checkpoint.preprocessing else "table labels"


def _choose_sample(task: Task, data: AnyData, checkpoint: Path) -> Callable[[], str] | None:
    """What shows the best weights so far: a text, or the outputs of held-out sources."""
    from sluice.sequence import LanguageModel, PairBatches

    if isinstance(task.model, LanguageModel):
        return lambda: _sample_text(checkpoint)
    if isinstance(task.validation, PairBatches):
        vocabulary = task.checkpoint.vocabulary
        held_out = task.validation.sources
        every = max(1, len(held_out) // _OUTPUTS)
        sources = [vocabulary.decode_text(ids) for ids in held_out[::every][:_OUTPUTS]]
        return lambda: _sample_outputs(checkpoint, sources)
    return None


def _sample_outputs(checkpoint: Path, sources: list[str]) -> str:
    """The outputs for a few sources of the weights in a file."""
    from sluice.sequence import Checkpoint, generate_outputs

    made = generate_outputs(Checkpoint.load(checkpoint), sources, max_length=60)
    return " | ".join(f"{source} → {one.text}" for source, one in zip(sources, made, strict=True))


def _parse_columns(text: str | None) -> list[int | str] | None:
    """The numbers or names in `--columns`."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not all(parts):
        fail(f"--columns must be two columns, as in 1,2, got {text!r}")
    return [int(part) if part.isdecimal() else part for part in parts]


def _sample_text(checkpoint: Path) -> str:
    """Text that the weights in a file generate from seed 0."""
    from sluice.sequence import Checkpoint, Sampling, generate

    best = Checkpoint.load(checkpoint)
    (ids,) = generate(best.model, seeds=[0], sampling=Sampling(max_length=80))
    return best.vocabulary.decode_text(ids)
