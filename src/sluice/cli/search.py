"""The command that searches for good settings, in one process or in many."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from sluice.cli.errors import fail, report_known_errors
from sluice.cli.options import value_or
from sluice.cli.train_options import TrainOptions
from sluice.cli.usage import refuse_unused, refuse_unused_names

if TYPE_CHECKING:
    from sluice.sequence.search import SearchSpace

WORKER_VARIABLE = "SLUICE_SEARCH_WORKER"
"""Set in the processes that `--processes` starts."""
_SEARCH = "Search"
_PER_PROCESSOR = 8
"""Processes beyond which a machine has neither the time nor the memory."""
_KINDS = {
    "hidden": "int",
    "layers": "int",
    "batch": "int",
    "seq-len": "int",
    "dropout": "float",
    "learning-rate": "float",
    "cell": "name",
}
_DEFAULT_SPACE = (
    "hidden=32..512:log",
    "layers=1..3",
    "dropout=0..0.5",
    "learning-rate=0.0005..0.02:log",
)


def search(
    context: typer.Context,
    options: TrainOptions,
    tune: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUES",
            help=f"What to vary: LOW..HIGH, LOW..HIGH:log or A,B,C for one of {', '.join(_KINDS)}; "
            f"repeatable; default {' '.join(_DEFAULT_SPACE)}.",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    trials: Annotated[
        int, typer.Option(min=1, help="Trainings in all.", rich_help_panel=_SEARCH)
    ] = 20,
    processes: Annotated[
        int,
        typer.Option(min=1, help="Trainings at once on this machine.", rich_help_panel=_SEARCH),
    ] = 1,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL",
            help="Journal file or database that several machines share; default "
            "search.journal in --out.",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    no_prune: Annotated[
        bool,
        typer.Option(
            "--no-prune",
            help="Let trainings end that are worse than the median of the others so far.",
            rich_help_panel=_SEARCH,
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output folder; default NAME-search, NAME being that of the data.",
            rich_help_panel="Output",
        ),
    ] = None,
) -> None:
    """Search for settings: train with many, and keep the best model.

    The length of training is that of each trial. The same command goes on where a search stopped;
    given on several machines with one --storage, all of them work on it.
    """
    if options.data in ("tunes", "chorales"):
        fail(f"search varies models of files; give a file or folder instead of '{options.data}'")
    if options.base is not None:
        fail("--from keeps the sizes of a model, so that there is nothing to search; leave it out")
    most = _PER_PROCESSOR * (os.cpu_count() or 1)
    if processes > most:
        fail(f"--processes must be at most {most} on this machine, got {processes:,}")
    with report_known_errors():
        _run_search(
            context,
            options,
            tune,
            out or Path(f"{Path(options.data).stem}-search"),
            trials=trials,
            processes=processes,
            storage=storage,
            prune=not no_prune,
        )


def _run_search(
    context: typer.Context,
    options: TrainOptions,
    tune: list[str] | None,
    out: Path,
    *,
    trials: int,
    processes: int,
    storage: str | None,
    prune: bool,
) -> None:
    import torch

    from sluice.cli import jobs
    from sluice.cli.search_display import print_results, write_trials
    from sluice.cli.search_trials import TrialRunner
    from sluice.cli.search_workers import run_workers
    from sluice.files import require_writable
    from sluice.sequence.search.storage import open_study
    from sluice.sequence.search.study import collect_result
    from sluice.sequence.search.workers import Worker

    space = _parse_space(options, tune)
    options.require_one_budget()
    require_writable(out)
    _require_no_training(out)
    is_worker = WORKER_VARIABLE in os.environ
    console = Console(quiet=is_worker)
    data = jobs.read_data(options, lambda situation: refuse_unused(context, situation))
    runner = TrialRunner(options, space, data, out, Console(), shows_progress=not is_worker)
    if not is_worker:  # whoever started the workers has checked for all
        situation = jobs.name_task(data, runner.check_space())
        refuse_unused(context, situation)
        varied = [name.replace("-", "_") for name in space.entries]
        refuse_unused_names(context, situation, varied, "--tune {}")
    study = open_study(out, storage, prune=prune, space=_describe_search(options, space))
    console.print(data.report(), highlight=False, soft_wrap=True)
    console.print(f"Search of {trials} trials: {space}.", highlight=False, soft_wrap=True)
    if processes > 1 and not is_worker:
        del runner, data
        run_workers(processes, WORKER_VARIABLE, threads=options.threads)
        with Worker(study) as worker:
            worker.requeue_lost_trials()
            found = collect_result(study, worker.count_others())
    else:
        torch.set_num_threads(value_or(options.threads, 1))
        found = runner.run(study, trials)
    if not is_worker:
        write_trials(found, out / "trials.csv")
        print_results(console, found, trials, options, out)


def _parse_space(options: TrainOptions, tune: list[str] | None) -> SearchSpace:
    """What is varied: what --tune says, or what is usual less what was given a fixed value."""
    from sluice.sequence.search import SearchSpace

    fixed = [name for name in _KINDS if getattr(options, name.replace("-", "_")) is not None]
    texts = tune or [text for text in _DEFAULT_SPACE if text.partition("=")[0] not in fixed]
    space = SearchSpace.parse(texts, _KINDS)  # type: ignore[arg-type]
    twice = next((name for name in space.entries if name in fixed), None)
    if twice is not None:
        fail(f"--{twice} gives one value, and --tune {twice}=... several; leave one out")
    if not space.entries:
        fail("every setting has a fixed value; leave one out, or say --tune NAME=VALUES")
    return space


def _describe_search(options: TrainOptions, space: SearchSpace) -> str:
    """What must be the same in every process, wherever the data are on its machine."""
    fixed = {
        name: value for name, value in options.to_json().items() if name not in ("data", "threads")
    }
    others = "".join(f" {name}={value}" for name, value in sorted(fixed.items()))
    return f"{Path(options.data).name}: {space}{others}"


def _require_no_training(out: Path) -> None:
    from sluice.cli.training_folder import RECORD

    if (out / RECORD).exists():
        fail(f"{out} is the folder of a training; choose another --out")
