"""The command that trains a model."""

from __future__ import annotations

import json
import shlex
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from sluice.cli.errors import fail, report_errors

if TYPE_CHECKING:
    from sluice.cli.jobs import Options, TrainingJob
    from sluice.sequence import TrainingResult

FOLDER = Path("tunes-out")
WEIGHTS = "tunes.safetensors"
RECORD = "training.json"
STATES = "training"


def report_known_errors() -> AbstractContextManager[None]:
    """Tell what went wrong on stderr in one sentence, and leave with exit code 2."""
    from sluice.errors import SluiceError

    return report_errors(SluiceError)


class _TrainingPrecision(StrEnum):
    float32 = "float32"
    bfloat16 = "bfloat16"


def train(
    data: Annotated[
        str,
        typer.Argument(
            help="'tunes', or a file or folder: text, ABC, MIDI, piano rolls (JSON), CSV, Parquet."
        ),
    ],
    abc: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            help="Of tunes: a file or folder of ABC in place of the collections; repeatable.",
        ),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="What the file holds, where it does not tell: text, csv ...")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Of text: characters, words or subwords.")
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="A column to forecast, else all; repeatable.")
    ] = None,
    inputs: Annotated[
        list[str] | None, typer.Option(help="A column to read, else all; repeatable.")
    ] = None,
    id_column: Annotated[
        str | None, typer.Option("--id", help="The column that tells series apart.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="The column that orders a series.")] = None,
    label: Annotated[
        str | None, typer.Option(help="The column of labels: a sequence's, or each step's.")
    ] = None,
    horizon: Annotated[int | None, typer.Option(help="How many steps to forecast.")] = None,
    period: Annotated[
        int | None, typer.Option(help="Steps of a season, for the naive forecast.")
    ] = None,
    chunk: Annotated[
        int | None, typer.Option(help="Steps at a time of long sequences; else 100.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder for all that is written; else NAME-out.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="How long to train; 2 if nothing is said.")
    ] = None,
    epochs: Annotated[
        float | None, typer.Option(help="Train this often over the data instead: repeatable.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Or so many updates of the weights: repeatable, too.")
    ] = None,
    cell: Annotated[
        str | None, typer.Option(help="Any cell of sluice.cells, such as lstm, gru, slstm.")
    ] = None,
    hidden: Annotated[int | None, typer.Option(help="Units of a layer.")] = None,
    layers: Annotated[int | None, typer.Option(help="How many layers.")] = None,
    dropout: Annotated[float | None, typer.Option(help="The part that is dropped.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Sequences of a batch.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Its peak.")] = None,
    bptt: Annotated[
        str | None,
        typer.Option(help="K: an update every K steps; K1,K2: every K1 steps, over the last K2."),
    ] = None,
    precision: Annotated[
        _TrainingPrecision | None,
        typer.Option(help="What the kernels multiply in; weights are float32."),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="1 if nothing is said; more help only where nothing else runs."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Decides first weights and order; else 0.")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the training in --out, if there is one."),
    ] = False,
    anew: Annotated[
        bool, typer.Option("--anew", help="Forget an unfinished training in --out.")
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write curves for TensorBoard as well.")
    ] = False,
) -> None:
    """Train a model; Ctrl-C stops early, keeps the best weights, and tells how to go on.

    Under torchrun several processes train it together.
    """
    with report_known_errors():
        from sluice.cli import jobs

        asked = jobs.Options(
            data=data,
            abc=tuple(map(str, abc)) if abc else None,
            kind=kind,
            unit=unit,
            target=tuple(target) if target else None,
            inputs=tuple(inputs) if inputs else None,
            id=id_column,
            time=time,
            label=label,
            horizon=horizon,
            period=period,
            chunk=chunk,
            cell=cell,
            hidden=hidden,
            layers=layers,
            dropout=dropout,
            minutes=minutes,
            epochs=epochs,
            steps=steps,
            batch=batch,
            learning_rate=learning_rate,
            bptt=bptt,
            precision=precision,
            threads=threads,
            seed=seed,
        )
        if resume and anew:
            fail("--resume goes on and --anew begins again; give one of them")
        place = out or (FOLDER if data == "tunes" else Path(f"{Path(data).stem}-out"))
        _run_training(asked, place, resume=resume, overwrite=anew, tensorboard=tensorboard)


def _run_training(
    asked: Options, out: Path, *, resume: bool, overwrite: bool, tensorboard: bool
) -> None:
    import torch

    from sluice.cli import jobs
    from sluice.cli.progress import TrainingDisplay
    from sluice.files import require_writable
    from sluice.sequence.training.processes import ProcessGroup, count_restarts, join_process_group

    resume = resume or count_restarts() > 0
    options, known = _merge_record(asked, out / RECORD) if resume else (asked, False)
    options.budget()
    # Threads that share a processor wait for each other at every one of a step's barriers.
    torch.set_num_threads(options.threads or 1)
    weights = out / (WEIGHTS if options.data == "tunes" else "model.safetensors")
    with join_process_group():
        first = ProcessGroup().rank == 0
        console = Console(quiet=not first)
        job = jobs.build_job(options, weights)
        require_writable(out)
        console.print(job.report, highlight=False, soft_wrap=True)
        if not known:
            _write_record(job, options, out, first, resume=resume, overwrite=overwrite)
        with TrainingDisplay(console, job.loss_unit, job.sample) as live, _print_warnings(console):
            outcome = job.train(
                folder=out / STATES, resume=resume, tensorboard=tensorboard, on_progress=live.show
            )
        console.print(_format_result(outcome, job, weights), highlight=False, soft_wrap=True)
        if job.figures is not None and first:
            console.print(job.figures())
        if outcome.stop_reason == "interrupted":
            again = shlex.join(["sluice", "train", options.data, "--out", str(out), "--resume"])
            console.print(f"To go on: {again}", highlight=False, soft_wrap=True)


def _merge_record(asked: Options, path: Path) -> tuple[Options, bool]:
    """What was asked for, the rest as the record of a training has it, if there is one."""
    from sluice.cli.jobs import read_options

    before = read_options(path)
    if before is None:
        return asked, False
    if before.data != asked.data:
        fail(f"{path} is the record of a training on {before.data}; choose another --out")
    return asked.with_defaults(before), True


def _write_record(
    job: TrainingJob, options: Options, out: Path, first: bool, *, resume: bool, overwrite: bool
) -> None:
    """Keep a record of a training that begins; none that could still go on is forgotten.

    Every process looks, so that all of them refuse; the `first` one writes.
    """
    import torch

    from sluice._version import __version__
    from sluice.files import write_atomically
    from sluice.sequence.training.checkpoints import CheckpointManager
    from sluice.sequence.training.resume import require_finished

    if not overwrite and not resume:
        require_finished(out / STATES)
    if not first:
        return
    if overwrite:
        CheckpointManager(out / STATES).clear()
    versions = {"sluice": __version__, "torch": torch.__version__}
    record = {
        "options": options.to_json(),
        "plan": job.config.export_settings(),
        "versions": versions,
    }
    write_atomically(out / RECORD, (json.dumps(record, indent=1) + "\n").encode())


def _format_result(result: TrainingResult, job: TrainingJob, checkpoint: Path) -> str:
    how = {"interrupted": "stopped early", "patience": "ended, as the loss no longer fell,"}
    return (
        f"Training {how.get(result.stop_reason, 'done')} after {result.seconds:.0f} s and "
        f"{result.tokens:,} tokens. Validation: {result.validation_loss:.3f} {job.loss_unit}. "
        f"Weights: {checkpoint}"
    )


@contextmanager
def _print_warnings(console: Console) -> Iterator[None]:
    """Show warnings as sentences inside the ``with`` block."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = lambda message, *_, **__: console.print(
            f"sluice: {message}", markup=False, highlight=False, soft_wrap=True
        )
        yield
