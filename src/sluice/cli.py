"""The command line: thin commands that call the library."""

from __future__ import annotations

import secrets
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from sluice import __version__, cli_show

if TYPE_CHECKING:
    from sluice import sequence

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
train_app = typer.Typer(no_args_is_help=True, help="Train a model.")
app.add_typer(train_app, name="train")

_FOLDER = Path("tunes-out")
_WEIGHTS = "tunes.safetensors"


def main() -> None:
    app()


def _one_sentence() -> AbstractContextManager[None]:
    """Tell what went wrong on stderr in one sentence, and leave with exit code 2."""
    from sluice.sequence import SequenceError
    from sluice.tunes.errors import TuneError

    return cli_show.told_in_one_sentence(SequenceError, TuneError)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sluice {__version__}")
        raise typer.Exit


@app.callback()
def sluice(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Recurrent networks whose cell is written once, as its update equations."""


@app.command("doctor")
def doctor() -> None:
    """Show what this machine offers, and which backend each cell runs on here and why."""
    from sluice import doctor as examination

    console = Console()
    for title, lines in (
        ("This machine", examination.machine()),
        ("Backends", examination.backends()),
    ):
        table = Table(title=title, title_justify="left", show_header=False, box=None)
        table.add_column(no_wrap=True, style="bold")
        table.add_column(overflow="fold")
        for name, value in lines.items():
            table.add_row(name, value)
        console.print(table)
        console.print()
    console.print(
        "'fused' is the cell's equations compiled, 'native' torch's own layer, 'reference' a "
        "Python loop of torch operations over time."
    )


app.command("show")(cli_show.show)
app.command("sketch")(cli_show.sketch)


class _TrainingPrecision(StrEnum):
    float32 = "float32"
    bfloat16 = "bfloat16"


class _Precision(StrEnum):
    float32 = "float32"
    bfloat16 = "bfloat16"
    int8 = "int8"


@train_app.command("tunes")
def train_tunes(
    data: Annotated[
        list[Path] | None,
        typer.Option(help="A file or folder of ABC in place of the collections; repeatable."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder for the weights.")] = _FOLDER,
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
    with _one_sentence():
        import torch

        from sluice.files import require_writable
        from sluice.tunes import learn

        # Threads that share a processor wait for each other at every one of a step's barriers.
        torch.set_num_threads(threads)

        console, weights = Console(), out / _WEIGHTS
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


@app.command("compose")
def compose_tunes(
    weights: Annotated[Path, typer.Option(help="What `sluice train tunes` wrote.")] = (
        _FOLDER / _WEIGHTS
    ),
    temperature: Annotated[float, typer.Option(help="Below 1 tamer, above 1 wilder.")] = 0.9,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The same seed, the same tune; else a new one.")
    ] = None,
    meter: Annotated[str | None, typer.Option(help="As in 6/8.")] = None,
    mode: Annotated[str | None, typer.Option(help="maj, min, dor, mix, ...")] = None,
    count: Annotated[int, typer.Option(min=1, help="How many tunes.")] = 1,
    start: Annotated[
        str | None, typer.Option(help="First notes to continue, in ABC, as in 'G2 E FED'.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder for ABC and MIDI.")] = _FOLDER,
    precision: Annotated[
        _Precision, typer.Option(help="What the kernels multiply in.")
    ] = _Precision.float32,
) -> None:
    """Compose tunes: ABC on the terminal and in a file, and MIDI files."""
    with _one_sentence():
        from sluice.tunes import compose, measures

        console = Console()
        chosen = secrets.randbelow(1_000_000) if seed is None else seed
        composer = compose.Composer.load(weights, precision)
        tunes = composer.compose(
            count=count, temperature=temperature, seed=chosen, meter=meter, mode=mode, start=start
        )
        files = compose.write(tunes, out)
        typer.echo("\n".join(tune.abc(number) for number, tune in enumerate(tunes, 1)))
        console.print(measures.table(tunes, composer))
        again = "" if seed is not None else f"The same again: --seed {chosen}. "
        typer.echo(f"{again}Written: {', '.join(map(str, files))}")


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


if __name__ == "__main__":
    main()
