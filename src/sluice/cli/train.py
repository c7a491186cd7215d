"""The command that trains a model, and what it shows meanwhile."""

from __future__ import annotations

from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from sluice.cli.told import told_in_one_sentence

if TYPE_CHECKING:
    from sluice import sequence

app = typer.Typer(no_args_is_help=True, help="Train a model.")

FOLDER = Path("tunes-out")
WEIGHTS = "tunes.safetensors"


def one_sentence() -> AbstractContextManager[None]:
    """Tell what went wrong on stderr in one sentence, and leave with exit code 2."""
    from sluice.sequence import SequenceError
    from sluice.tunes.errors import TuneError

    return told_in_one_sentence(SequenceError, TuneError)


class _TrainingPrecision(StrEnum):
    float32 = "float32"
    bfloat16 = "bfloat16"


@app.command("tunes")
def train_tunes(
    data: Annotated[
        list[Path] | None,
        typer.Option(help="A file or folder of ABC in place of the collections; repeatable."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder for the weights.")] = FOLDER,
    minutes: Annotated[float, typer.Option(help="How long to train.")] = 2.0,
    epochs: Annotated[
        float | None, typer.Option(help="Train this often over the data instead: repeatable.")
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, help="More than one helps only where nothing else runs.")
    ] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Decides first weights and order.")] = 0,
    precision: Annotated[
        _TrainingPrecision, typer.Option(help="What the kernels multiply in; weights are float32.")
    ] = _TrainingPrecision.float32,
) -> None:
    """Learn folk tunes; Ctrl-C stops early and keeps the best weights."""
    with one_sentence():
        import torch

        from sluice.files import require_writable
        from sluice.tunes import learn

        # Threads that share a processor wait for each other at every one of a step's barriers.
        torch.set_num_threads(threads)

        console, weights = Console(), out / WEIGHTS
        plan = learn.plan(seconds=None if epochs else 60 * minutes, epochs=epochs, seed=seed)
        require_writable(out)
        prepared = learn.prepare(data)
        console.print(prepared.report(), highlight=False, soft_wrap=True)
        with _Live(console, weights) as live:
            outcome = learn.train(
                prepared, weights, plan, on_progress=live.show, precision=precision
            )
        how = "stopped early" if outcome.ended == "interrupted" else "done"
        console.print(
            f"Training {how} after {outcome.seconds:.0f} s and {outcome.tokens:,} tokens. "
            f"Validation: {outcome.validation:.3f} nats per token. Weights: {weights}",
            highlight=False,
            soft_wrap=True,
        )


class _Live:
    """Training as it goes: a line that moves, and after each validation what the model sings."""

    def __init__(self, console: Console, weights: Path) -> None:
        self.console, self.weights = console, weights
        self.bar = Progress(
            BarColumn(bar_width=24), TextColumn("{task.description}"), console=console
        )
        self.task = self.bar.add_task("", total=1.0)

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def show(self, progress: sequence.Progress) -> None:
        minutes, seconds = divmod(round(progress.seconds_left), 60)
        validation = "" if progress.best is None else f" | validation {progress.best:.3f}"
        self.bar.update(
            self.task,
            completed=progress.part,
            description=f"loss {progress.loss:.3f} nats per token{validation} | "
            f"{progress.tokens_per_second:,.0f} tokens/s | {minutes}:{seconds:02} left",
        )
        if progress.validated:
            self._sing(progress)

    def _sing(self, progress: sequence.Progress) -> None:
        from sluice.sequence import Checkpoint, Sampling, generate

        best = Checkpoint.load(self.weights)
        (ids,) = generate(best.model, seeds=[0], sampling=Sampling(max_length=80))
        tokens = " ".join(best.vocabulary.decode(ids))
        self.console.print(
            f"{progress.seconds:4.0f} s  {progress.validation:.3f}  {tokens}",
            markup=False,
            highlight=False,
            overflow="ellipsis",
            no_wrap=True,
        )
