"""What there is to learn from a kind of data: one function a task makes a `Job` of the options."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sluice.cli.told import refuse

if TYPE_CHECKING:
    from sluice.sequence import Outcome, Plan, Progress


@dataclass(frozen=True)
class Options:
    """What a training was asked for on the command line; None is what was left open."""

    data: str
    task: str | None = None
    abc: tuple[str, ...] | None = None
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
    """

    report: str
    plan: Plan
    unit: str
    train: Training
    sample: Callable[[], str] | None = None


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

    return Job(prepared.report(), plan, "nats per token", train, lambda: _written(weights, " "))


def text(options: Options, weights: Path) -> Job:
    """The characters of a text file, line after line; one line in ten is for validation."""
    import torch

    from sluice import sequence
    from sluice.sequence.batches import Bucketed

    lines = _lines(Path(options.data))
    vocabulary = sequence.Vocabulary.of(lines)
    asked: dict[str, Any] = {
        "cell": options.cell,
        "hidden_size": options.hidden,
        "num_layers": options.layers,
        "dropout": options.dropout,
    }
    shape = {name: value for name, value in asked.items() if value is not None}
    plan = options.plan()
    torch.manual_seed(plan.seed)
    model = sequence.LanguageModel(sequence.ModelConfig(len(vocabulary), **shape))
    ids = [vocabulary.encode(line) for line in lines]
    held = ids[9::10] or ids[-1:]
    kept = [line for place, line in enumerate(ids) if place % 10 != 9] if len(ids) > 9 else ids[:-1]

    def keep(loss: float) -> None:
        sequence.Checkpoint(model, vocabulary, {"validation": loss}).save(weights)

    def train(**around: Any) -> Outcome:
        training = Bucketed(kept, options.batch or 32, plan.seed)
        return sequence.train(model, training, Bucketed(held, 64, 0), plan, on_best=keep, **around)

    report = f"{options.data}: {len(ids)} lines, {sum(map(len, ids)):,} characters, " + (
        f"{len(vocabulary.tokens)} different; {len(held)} lines for validation."
    )
    return Job(report, plan, "nats per character", train, lambda: _written(weights, ""))


TASKS: dict[str, Callable[[Options, Path], Job]] = {"tunes": tunes, "text": text}


def task_of(data: str) -> str:
    """The task that data asks for."""
    return "tunes" if data == "tunes" else "text"


def read_options(path: Path) -> Options | None:
    """The options of the training whose record lies at `path`, if there is one."""
    if not path.is_file():
        return None
    try:
        return Options.from_json(json.loads(path.read_text())["options"])
    except (ValueError, KeyError, TypeError) as error:
        refuse(f"{path} is no record of a training ({error}); remove it, or choose another --out")


def _lines(path: Path) -> list[str]:
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError:
        refuse(f"{path} is no text in UTF-8")
    if len(lines) < 2:
        refuse(f"{path} has {len(lines)} lines with text; training needs two, and one to validate")
    return lines


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


def _written(weights: Path, between: str) -> str:
    """What the weights in a file write first."""
    from sluice.sequence import Checkpoint, Sampling, generate

    best = Checkpoint.load(weights)
    (ids,) = generate(best.model, seeds=[0], sampling=Sampling(max_length=80))
    return between.join(best.vocabulary.decode(ids))
