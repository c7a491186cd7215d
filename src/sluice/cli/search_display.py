"""What `sluice search` prints and writes of its trials."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from sluice.cli.train_options import BUDGETS, TrainOptions

if TYPE_CHECKING:
    from sluice.sequence.search import SearchResult, SearchTrial

_SHOWN = 10


def format_settings(settings: Mapping[str, object]) -> str:
    """Settings as text.

    >>> format_settings({"hidden": 64, "dropout": 0.123456})
    'dropout=0.1235 hidden=64'
    """
    return " ".join(f"{name}={_format_value(settings[name])}" for name in sorted(settings))


def _format_value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def format_trial(trial: SearchTrial) -> str:
    """A line on a trial that has ended."""
    loss = "" if trial.loss is None else f"{trial.loss:.3f}  "
    how = "" if trial.status == "complete" else f"{trial.status}  "
    return (
        f"trial {trial.number}  {loss}{how}{format_settings(trial.settings)}  "
        f"{trial.seconds:.0f} s  {trial.worker}"
    )


def write_trials(found: SearchResult, path: Path) -> None:
    """All trials as CSV."""
    from sluice.files import write_atomically

    names = sorted({name for one in found.trials for name in one.settings})
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["trial", "status", "validation_loss", *names, "seconds", "worker"])
    for one in found.trials:
        values = [one.settings.get(name, "") for name in names]
        loss = "" if one.loss is None else one.loss
        table.writerow([one.number, one.status, loss, *values, round(one.seconds, 1), one.worker])
    write_atomically(path, text.getvalue().encode())


def print_results(
    console: Console, found: SearchResult, trials: int, options: TrainOptions, out: Path
) -> None:
    """The best trials, and what to do next."""
    table = Table("trial", "validation", "settings", title=_format_counts(found))
    complete = [one for one in found.trials if one.status == "complete"]
    for one in sorted(complete, key=lambda one: one.loss or 0.0)[:_SHOWN]:
        table.add_row(str(one.number), f"{one.loss:.4f}", format_settings(one.settings))
    console.print(table)
    say = _make_printer(console)
    if found.running_elsewhere:
        say(f"{found.running_elsewhere} more are running in other processes.")
    if complete:
        best = found.best
        say(f"Best: trial {best.number}. Weights: {out / 'model.safetensors'}")
        longer = ["sluice", "train", options.data, *_list_flags(options, best.settings)]
        say(f"To train longer with its settings: {shlex.join([*longer, '--minutes', '20'])}")
    say(f"All trials: {out / 'trials.csv'}")
    if len(found.trials) + found.running_elsewhere < trials:
        say(f"{len(found.trials)} of {trials} trials have ended; to go on, give the same command.")


def _list_flags(options: TrainOptions, settings: Mapping[str, object]) -> Iterator[str]:
    """What was fixed and what was found, as options of `sluice train`."""
    fixed = {
        name.replace("_", "-"): value
        for name, value in options.to_json().items()
        if name not in ("data", "threads", *BUDGETS)
    }
    for name, value in sorted({**fixed, **settings}.items()):
        if value is True:
            yield f"--{name}"
        elif value is not False:
            for one in value if isinstance(value, list) else [value]:
                yield from (f"--{name}", _format_value(one))


def _format_counts(found: SearchResult) -> str:
    counts = {
        status: sum(one.status == status for one in found.trials)
        for status in ("complete", "pruned", "diverged")
    }
    return ", ".join(f"{number} {status}" for status, number in counts.items() if number)


def _make_printer(console: Console) -> Callable[[str], None]:
    return lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True)
