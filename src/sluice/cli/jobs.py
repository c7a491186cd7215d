"""What there is to learn from a kind of data: one function a task makes a `Job` of the options."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console

from sluice.cli.errors import fail

if TYPE_CHECKING:
    from rich.table import Table

    from sluice.sequence import Progress, TrainingConfig, TrainingResult


@dataclass(frozen=True)
class Options:
    """What a training was asked for on the command line; None is what was left open."""

    data: str
    abc: tuple[str, ...] | None = None
    kind: str | None = None
    unit: str | None = None
    target: tuple[str, ...] | None = None
    inputs: tuple[str, ...] | None = None
    id: str | None = None
    time: str | None = None
    label: str | None = None
    horizon: int | None = None
    period: int | None = None
    chunk: int | None = None
    cell: str | None = None
    hidden: int | None = None
    layers: int | None = None
    dropout: float | None = None
    minutes: float | None = None
    epochs: float | None = None
    steps: int | None = None
    batch: int | None = None
    learning_rate: float | None = None
    bptt: str | None = None
    precision: str | None = None
    threads: int | None = None
    seed: int | None = None

    def with_defaults(self, defaults: Options) -> Options:
        """These options, and where they leave something open, the others."""
        given = {k: v for k, v in asdict(self).items() if v is not None}
        if given.keys() & {"minutes", "epochs", "steps"}:  # one budget takes the place of another
            defaults = replace(defaults, minutes=None, epochs=None, steps=None)
        return replace(defaults, **given)

    def to_json(self) -> dict[str, Any]:
        return {k: v for k, v in asdict(self).items() if v is not None}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Options:
        known = {field.name for field in fields(cls)}
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**{k: v for k, v in values.items() if k in known})

    def budget(self) -> dict[str, Any]:
        """The plan's budget: two minutes where none was asked for."""
        asked = (self.minutes, self.epochs, self.steps)
        if sum(one is not None for one in asked) > 1:
            fail("give --minutes or --epochs or --steps, one of the three")
        if self.epochs is not None or self.steps is not None:
            return {"epochs": self.epochs, "steps": self.steps}
        return {"seconds": 60 * (2.0 if self.minutes is None else self.minutes)}

    def build_config(self, **defaults: Any) -> TrainingConfig:
        """The plan for these options, with a task's usual values where they are open."""
        from sluice.sequence import TrainingConfig

        asked = {
            "learning_rate": self.learning_rate,
            "precision": self.precision,
            "seed": self.seed,
            "bptt": _parse_bptt(self.bptt),
        }
        given = {name: value for name, value in asked.items() if value is not None}
        return TrainingConfig(**{**defaults, **given, **self.budget()})


class TrainFunction(Protocol):
    """`sluice.sequence.train` with everything but its surroundings decided."""

    def __call__(
        self,
        *,
        folder: Path,
        resume: bool,
        tensorboard: bool,
        on_progress: Callable[[Progress], None],
    ) -> TrainingResult: ...


@dataclass(frozen=True)
class TrainingJob:
    """Data read and a model made: what is left is to train.

    Attributes:
        report: what was read, for people.
        plan: how it will be trained.
        unit: what the losses are in.
        train: does it, and writes the best weights.
        sample: writes something with them, after each validation.
        figures: a table of what the trained model is worth, beside naive ones.
    """

    report: str
    config: TrainingConfig
    loss_unit: str
    train: TrainFunction
    sample: Callable[[], str] | None = None
    figures: Callable[[], Table] | None = None


def build_tunes_job(options: Options, checkpoint: Path) -> TrainingJob:
    """Folk tunes: the package's collections, or files of ABC."""
    from sluice.tunes.composition import training

    if options.cell not in (None, "lstm"):
        fail("tunes are learnt by an lstm; leave out --cell")
    paths = [Path(path) for path in options.abc] if options.abc else None
    prepared = training.prepare_dataset(paths)
    asked: dict[str, Any] = {
        "hidden_size": options.hidden,
        "num_layers": options.layers,
        "dropout": options.dropout,
        "batch_size": options.batch,
    }
    shape = replace(training.QUICK_CONFIG, **{k: v for k, v in asked.items() if v is not None})
    usual = training.make_training_config(seconds=1.0)
    plan = options.build_config(learning_rate=usual.learning_rate, validations=usual.validations)

    def train(**around: Any) -> TrainingResult:
        precision = options.precision or "float32"
        return training.train(
            prepared, checkpoint, plan, model_config=shape, precision=precision, **around
        )

    return TrainingJob(
        prepared.report(), plan, "nats per token", train, lambda: _sample_text(checkpoint)
    )


def build_data_job(options: Options, checkpoint: Path) -> TrainingJob:
    """Whatever `sluice.sequence.load_data` reads: text, ABC, MIDI, piano rolls, tables."""
    from sluice import sequence
    from sluice.sequence.training.processes import ProcessGroup

    plan = options.build_config()
    with sequence.load_progress_bar(Console(quiet=ProcessGroup().rank > 0)) as show:
        data = sequence.load_data(options.data, **_load_options(options, show))
    asked: dict[str, Any] = {
        "cell": options.cell,
        "hidden_size": options.hidden,
        "num_layers": options.layers,
        "dropout": options.dropout,
        "batch_size": options.batch,
        "chunk": options.chunk,
        "horizon": options.horizon,
        "period": options.period,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    made = sequence.make_task(data, seed=plan.seed, **given)

    def save_best(loss: float) -> None:
        replace(made.checkpoint, figures={"validation": loss}).save(checkpoint)

    def train(**around: Any) -> TrainingResult:
        return sequence.train(
            made.model, made.training, made.validation, plan, on_best=save_best, **around
        )

    writes = isinstance(made.model, sequence.LanguageModel)
    sample = (lambda: _sample_text(checkpoint)) if writes else None
    report = f"{data.report()}\n{made.report}"
    return TrainingJob(
        report, plan, made.loss_unit, train, sample, lambda: made.compute_metrics().to_table()
    )


def build_job(options: Options, checkpoint: Path) -> TrainingJob:
    """What the data asks for."""
    return (
        build_tunes_job(options, checkpoint)
        if options.data == "tunes"
        else build_data_job(options, checkpoint)
    )


def _load_options(options: Options, show: Callable[..., None]) -> dict[str, Any]:
    """The options of reading that were given, under `load`'s names."""
    asked = {
        "kind": options.kind,
        "unit": options.unit,
        "target": list(options.target) if options.target else None,
        "inputs": list(options.inputs) if options.inputs else None,
        "id": options.id,
        "time": options.time,
        "label": options.label,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    return {**given, "on_reading": show}


def read_options(path: Path) -> Options | None:
    """The options of the training whose record lies at `path`, if there is one."""
    if not path.is_file():
        return None
    try:
        return Options.from_json(json.loads(path.read_text())["options"])
    except (ValueError, KeyError, TypeError) as error:
        fail(f"{path} is no record of a training ({error}); remove it, or choose another --out")


def _parse_bptt(text: str | None) -> int | tuple[int, int] | None:
    if text is None:
        return None
    try:
        steps = [int(part) for part in text.split(",")]
    except ValueError:
        steps = []
    if len(steps) not in (1, 2):
        fail(f"--bptt is a number of steps, or two as in 20,60, but {text!r} came")
    return steps[0] if len(steps) == 1 else (steps[0], steps[1])


def _sample_text(checkpoint: Path) -> str:
    """What the weights in a file write first."""
    from sluice.sequence import Checkpoint, Sampling, generate

    best = Checkpoint.load(checkpoint)
    (ids,) = generate(best.model, seeds=[0], sampling=Sampling(max_length=80))
    return best.vocabulary.decode_text(ids)
