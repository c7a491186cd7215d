"""The command that trains a model."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from sluice.cli.errors import describe_file_error, fail, report_known_errors
from sluice.cli.train_options import TrainOptions
from sluice.cli.training_folder import TrainingFolder
from sluice.cli.usage import refuse_unused

if TYPE_CHECKING:
    from sluice.cli.training_job import RefuseUnused, TrainingJob
    from sluice.sequence import Progress, TrainingResult

FOLDER = Path("tunes-out")
WEIGHTS = "tunes.safetensors"
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
            help="Resume the training in --out with its options, or for longer with a larger "
            "budget.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace the training in --out; its model stays until the first validation.",
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
    """Train a model on a file, a folder, the default folk tunes, or Bach's chorales.

    Ctrl-C stops early, keeps the best weights, and prints how to resume.

    Under torchrun, several processes train one model together.
    """
    if resume and overwrite:
        fail("--resume and --overwrite exclude each other; choose one")
    with report_known_errors():
        name = {"tunes": "tunes", "-": "stdin"}.get(options.data, Path(options.data).stem)
        folder = out or Path(f"{name}-out")
        weights = folder / (WEIGHTS if options.data == "tunes" else "model.safetensors")
        _run_training(
            options,
            TrainingFolder(folder, weights),
            lambda situation: refuse_unused(context, situation),
            resume=resume,
            overwrite=overwrite,
            tensorboard=tensorboard,
            watch=watch,
        )


def _run_training(
    asked: TrainOptions,
    place: TrainingFolder,
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
    from sluice.sequence.training.processes import (
        ProcessGroup,
        count_restarts,
        join_process_group,
        own_folder,
    )

    restarted = count_restarts() > 0 and place.is_record_of(asked)
    known = place.merge_record(asked) if resume or restarted else None
    options = known or asked
    resume, overwrite = resume or restarted, overwrite and not restarted
    options.require_one_budget()
    if not resume and not overwrite:
        place.require_unused()
    # Threads that share a processor wait for each other at every one of a step's barriers.
    torch.set_num_threads(options.threads or 1)
    with join_process_group():
        first = ProcessGroup().rank == 0
        console = Console(quiet=not first)
        job = jobs.build_job(options, place.weights, refuse)
        with own_folder(place.out, "choose another --out"):
            place.prepare(job, options, first, resume=resume, overwrite=overwrite)
            console.print(job.report, highlight=False, soft_wrap=True, markup=False)
            with (
                TrainingDisplay(console, job.loss_unit, job.sample) as live,
                _print_warnings(console),
                _explain_file_errors(options, place.out),
            ):
                result = job.train(
                    folder=place.states,
                    resume=resume,
                    tensorboard=tensorboard,
                    monitor=live.make_monitor_factory(place.out) if watch else None,
                    on_progress=_record_first(place, job, options, live.show),
                )
        console.print(_format_result(result, job, place.weights), highlight=False, soft_wrap=True)
        if job.figures is not None and first:
            console.print(job.figures())
        if job.suggestion:
            console.print(job.suggestion, highlight=False, soft_wrap=True, markup=False)
        if result.stop_reason == "interrupted":
            again = _format_resume(options, place.out)
            console.print(f"To resume: {again}", highlight=False, soft_wrap=True)


def _record_first(
    place: TrainingFolder,
    job: TrainingJob,
    options: TrainOptions,
    show: Callable[[Progress], None],
) -> Callable[[Progress], None]:
    """Before the first step is shown, record the options: by then they are known to fit."""
    recorded = False

    def record_and_show(progress: Progress) -> None:
        nonlocal recorded
        if not recorded:
            place.write_record(job, options)
            recorded = True
        show(progress)

    return record_and_show


def _format_resume(options: TrainOptions, out: Path) -> str:
    return shlex.join(["sluice", "train", options.data, "--out", str(out), "--resume"])


@contextmanager
def _explain_file_errors(options: TrainOptions, out: Path) -> Iterator[None]:
    """Report an error of the disk, and how to go on after it."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        fail(
            f"{describe_file_error(error)}. The last checkpoint is whole; to resume from it: "
            f"{_format_resume(options, out)}"
        )


def _format_result(result: TrainingResult, job: TrainingJob, checkpoint: Path) -> str:
    from sluice.cli.progress import name_items

    how = {"interrupted": "stopped early", "patience": "ended, as the loss stopped falling,"}
    skipped = result.skipped_validations
    left_out = (
        f" ({skipped} validations were left out: all together they take 15 % of the time at most)"
        if skipped
        else ""
    )
    return (
        f"Training {how.get(result.stop_reason, 'done')} after {result.seconds:.0f} s and "
        f"{result.tokens:,} {name_items(job.loss_unit)}. "
        f"Validation: {result.validation_loss:.3f} {job.loss_unit}. "
        f"Weights: {checkpoint}{left_out}"
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
