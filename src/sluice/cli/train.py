"""The command that trains a model."""

from __future__ import annotations

import json
import shlex
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from sluice.cli.errors import fail, report_known_errors
from sluice.cli.train_options import TrainOptions
from sluice.cli.usage import refuse_unused

if TYPE_CHECKING:
    from sluice.cli.jobs import RefuseUnused, TrainingJob
    from sluice.sequence import TrainingResult

FOLDER = Path("tunes-out")
WEIGHTS = "tunes.safetensors"
RECORD = "training.json"
STATES = "training"
_OUTPUT = "Output"


def train(
    context: typer.Context,
    options: TrainOptions,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output folder; default NAME-out, NAME being that of the data.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Resume an unfinished training in --out, with its options.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Discard an unfinished training in --out.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
    tensorboard: Annotated[
        bool,
        typer.Option(
            "--tensorboard", help="Write curves for TensorBoard too.", rich_help_panel=_OUTPUT
        ),
    ] = False,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Watch gates, gradients and memory while training, and warn in words; another "
            "terminal can follow with `sluice look --live`.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
) -> None:
    """Train a model on a file, a folder, or the default folk tunes.

    Ctrl-C stops early, keeps the best weights, and prints how to resume.

    Under torchrun, several processes train one model together.
    """
    if resume and overwrite:
        fail("--resume and --overwrite exclude each other; choose one")
    with report_known_errors():
        name = {"tunes": "tunes", "-": "stdin"}.get(options.data, Path(options.data).stem)
        _run_training(
            options,
            out or Path(f"{name}-out"),
            lambda situation: refuse_unused(context, situation),
            resume=resume,
            overwrite=overwrite,
            tensorboard=tensorboard,
            watch=watch,
        )


def _run_training(
    asked: TrainOptions,
    out: Path,
    refuse: RefuseUnused,
    *,
    resume: bool,
    overwrite: bool,
    tensorboard: bool,
    watch: bool,
) -> None:
    import torch

    from sluice.cli import jobs
    from sluice.cli.progress import TrainingDisplay
    from sluice.files import require_writable
    from sluice.sequence.training.processes import ProcessGroup, count_restarts, join_process_group

    resume = resume or count_restarts() > 0
    options, known = _merge_record(asked, out / RECORD) if resume else (asked, False)
    options.require_one_budget()
    # Threads that share a processor wait for each other at every one of a step's barriers.
    torch.set_num_threads(options.threads or 1)
    weights = out / (WEIGHTS if options.data == "tunes" else "model.safetensors")
    with join_process_group():
        first = ProcessGroup().rank == 0
        console = Console(quiet=not first)
        job = jobs.build_job(options, weights, refuse)
        require_writable(out)
        console.print(job.report, highlight=False, soft_wrap=True, markup=False)
        if not known:
            _write_record(job, options, out, first, resume=resume, overwrite=overwrite)
        with TrainingDisplay(console, job.loss_unit, job.sample) as live, _print_warnings(console):
            result = job.train(
                folder=out / STATES,
                resume=resume,
                tensorboard=tensorboard,
                monitor=live.make_monitor_factory(out) if watch else None,
                on_progress=live.show,
            )
        console.print(_format_result(result, job, weights), highlight=False, soft_wrap=True)
        if job.figures is not None and first:
            console.print(job.figures())
        if result.stop_reason == "interrupted":
            again = shlex.join(["sluice", "train", options.data, "--out", str(out), "--resume"])
            console.print(f"To resume: {again}", highlight=False, soft_wrap=True)


def _merge_record(asked: TrainOptions, path: Path) -> tuple[TrainOptions, bool]:
    """What was asked for, completed from the record of a training, and whether there is one."""
    before = TrainOptions.read(path)
    if before is None:
        return asked, False
    if before.data != asked.data:
        fail(f"{path} is the record of a training on {before.data}; choose another --out")
    return asked.with_defaults(before), True


def _write_record(
    job: TrainingJob,
    options: TrainOptions,
    out: Path,
    first: bool,
    *,
    resume: bool,
    overwrite: bool,
) -> None:
    """Write the record of a new training; refuse to replace an unfinished one.

    Every process checks, so that all of them refuse; only the `first` one writes.
    """
    import torch

    from sluice._version import __version__
    from sluice.files import write_atomically
    from sluice.insight.monitor.journal import JOURNAL
    from sluice.sequence.training.resume import require_finished
    from sluice.sequence.training.state_files import CheckpointFolder

    if not overwrite and not resume:
        require_finished(out / STATES)
    if not first:
        return
    (out / JOURNAL).unlink(missing_ok=True)  # of an earlier training
    if overwrite:
        CheckpointFolder(out / STATES).clear()
    versions = {"sluice": __version__, "torch": torch.__version__}
    record = {
        "options": options.to_json(),
        "plan": job.config.export_settings(),
        "versions": versions,
    }
    write_atomically(out / RECORD, (json.dumps(record, indent=1) + "\n").encode())


def _format_result(result: TrainingResult, job: TrainingJob, checkpoint: Path) -> str:
    how = {"interrupted": "stopped early", "patience": "ended, as the loss stopped falling,"}
    return (
        f"Training {how.get(result.stop_reason, 'done')} after {result.seconds:.0f} s and "
        f"{result.tokens:,} tokens. Validation: {result.validation_loss:.3f} {job.loss_unit}. "
        f"Weights: {checkpoint}"
    )


@contextmanager
def _print_warnings(console: Console) -> Iterator[None]:
    """Print warnings as sentences inside the ``with`` block."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = lambda message, *_, **__: console.print(
            f"sluice: {message}", markup=False, highlight=False, soft_wrap=True
        )
        yield
