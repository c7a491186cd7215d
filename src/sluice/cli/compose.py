"""The command that composes tunes."""

from __future__ import annotations

import secrets
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sluice.cli.train import FOLDER, WEIGHTS, one_sentence


class _Precision(StrEnum):
    float32 = "float32"
    bfloat16 = "bfloat16"
    int8 = "int8"


def compose_tunes(
    weights: Annotated[Path, typer.Option(help="What `sluice train tunes` wrote.")] = (
        FOLDER / WEIGHTS
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
    out: Annotated[Path, typer.Option(help="The folder for ABC and MIDI.")] = FOLDER,
    precision: Annotated[
        _Precision, typer.Option(help="What the kernels multiply in.")
    ] = _Precision.float32,
) -> None:
    """Compose tunes: ABC on the terminal and in a file, and MIDI files."""
    with one_sentence():
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
