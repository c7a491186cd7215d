"""What there is to learn from a kind of data: one function a task makes a `Job` of the options."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console

from sluice.cli.told import refuse

if TYPE_CHECKING:
    from rich.table import Table

    from sluice.sequence import Outcome, Plan, Progress


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

    def or_else(self, others: Options) -> Options:
        """These options, and where they leave something open, the others."""
        given = {k: v for k, v in asdict(self).items() if v is not None}
        if given.keys() & {"minutes", "epochs", "steps"}:  # one budget takes the place of another
            others = replace(others, minutes=None, epochs=None, steps=None)
        return replace(others, **given)

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
            refuse("give --minutes or --epochs or --steps, one of the three")
        if self.epochs is not None or self.steps is not None:
            return {"epochs": self.epochs, "steps": self.steps}
        return {"seconds": 60 * (2.0 if self.minutes is None else self.minutes)}

    def plan(self, **usual: Any) -> Plan:
        """The plan for these options, with a task's usual values where they are open."""
        from sluice.sequence import Plan

        asked = {
            "learning_rate": self.learning_rate,
            "precision": self.precision,
            "seed": self.seed,
            "bptt": _bptt(self.bptt),
        }
        given = {name: value for name, value in asked.items() if value is not None}
        return Plan(**{**usual, **given, **self.budget()})


class Training(Protocol):
    """`sluice.sequence.train` with everything but its surroundings decided."""

    def __call__(
        self,
        *,
        folder: Path,
        resume: bool,
        tensorboard: bool,
        on_progress: Callable[[Progress], None],
    ) -> Outcome: ...


@dataclass(frozen=True)
class Job:
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
    plan: Plan
    unit: str
    train: Training
    sample: Callable[[], str] | None = None
    figures: Callable[[], Table] | None = None


def tunes(options: Options, weights: Path) -> Job:
    """Folk tunes: the package's collections, or files of ABC."""
    from sluice.tunes import learn

    if options.cell not in (None, "lstm"):
        refuse("tunes are learnt by an lstm; leave out --cell")
    paths = [Path(path) for path in options.abc] if options.abc else None
    prepared = learn.prepare(paths)
    asked: dict[str, Any] = {
        "hidden_size": options.hidden,
        "num_layers": options.layers,
        "dropout": options.dropout,
        "batch_size": options.batch,
    }
    shape = replace(learn.QUICK, **{k: v for k, v in asked.items() if v is not None})
    usual = learn.plan(seconds=1.0)
    plan = options.plan(learning_rate=usual.learning_rate, validations=usual.validations)

    def train(**around: Any) -> Outcome:
        precision = options.precision or "float32"
        return learn.train(prepared, weights, plan, shape=shape, precision=precision, **around)

    return Job(prepared.report(), plan, "nats per token", train, lambda: _written(weights))


def general(options: Options, weights: Path) -> Job:
    """Whatever `sluice.sequence.load` reads: text, ABC, MIDI, piano rolls, tables."""
    from sluice import sequence
    from sluice.sequence.training.processes import Group

    plan = options.plan()
    with sequence.reading_bar(Console(quiet=Group().rank > 0)) as show:
        data = sequence.load(options.data, **_reading(options, show))
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
    made = sequence.lesson(data, seed=plan.seed, **given)

    def keep(loss: float) -> None:
        replace(made.checkpoint, figures={"validation": loss}).save(weights)

    def train(**around: Any) -> Outcome:
        return sequence.train(
            made.model, made.training, made.validation, plan, on_best=keep, **around
        )

    writes = isinstance(made.model, sequence.LanguageModel)
    sample = (lambda: _written(weights)) if writes else None
    report = f"{data.report()}\n{made.report}"
    return Job(report, plan, made.unit, train, sample, lambda: made.figures().table())


def job_of(options: Options, weights: Path) -> Job:
    """What the data asks for."""
    return tunes(options, weights) if options.data == "tunes" else general(options, weights)


def _reading(options: Options, show: Callable[..., None]) -> dict[str, Any]:
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
        refuse(f"{path} is no record of a training ({error}); remove it, or choose another --out")


def _bptt(text: str | None) -> int | tuple[int, int] | None:
    if text is None:
        return None
    try:
        steps = [int(part) for part in text.split(",")]
    except ValueError:
        steps = []
    if len(steps) not in (1, 2):
        refuse(f"--bptt is a number of steps, or two as in 20,60, but {text!r} came")
    return steps[0] if len(steps) == 1 else (steps[0], steps[1])


def _written(weights: Path) -> str:
    """What the weights in a file write first."""
    from sluice.sequence import Checkpoint, Sampling, generate

    best = Checkpoint.load(weights)
    (ids,) = generate(best.model, seeds=[0], sampling=Sampling(max_length=80))
    return best.vocabulary.to_text(ids)
