"""Chorales in four parts for `sluice compose`."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from sluice.cli.errors import report_known_errors

if TYPE_CHECKING:
    from sluice.chorales.composer import ChoraleComposer, ComposedChorale
    from sluice.chorales.parts import Parts
    from sluice.chorales.plan import Plan
    from sluice.chorales.roll import Roll

_FOLDER = Path("chorales-out")


@dataclass(frozen=True)
class ChoraleRequest:
    """What was asked for on the command line."""

    phrases: int
    meter: str | None
    resume: Path | None
    harmonise: Path | None
    checkpoint: Path | None
    temperature: float
    count: int
    seed: int | None
    title: str | None
    tempo: int | None
    instrument: str | None
    out: Path | None
    formats: str | None


def compose_chorales(request: ChoraleRequest) -> None:
    """Compose, write the files, and print what was composed."""
    with report_known_errors():
        from sluice.chorales import output
        from sluice.chorales.parts import separate_voices
        from sluice.chorales.plan import Plan
        from sluice.chorales.pretrained import load_composer
        from sluice.cli.progress import show_fraction
        from sluice.files import require_writable

        wanted, left_out = output.list_default_formats()
        if request.formats is not None:
            wanted, left_out = [one.strip() for one in request.formats.lower().split(",")], []
            output.check_formats(wanted)
        out = request.out or _FOLDER
        # If nothing can be composed, no empty folder is left behind.
        require_writable(next(place for place in (out, *out.parents) if place.exists()))
        composer = load_composer(request.checkpoint)
        given = _read_given(request, composer)
        look = output.Presentation(
            request.title or _name(request, given),
            _choose_tempo(request, given),
            request.instrument or "organ",
        )
        meter = request.meter or ("3/4" if _is_in_three(given) else "4/4")
        plan = Plan(request.phrases, meter)
        first = secrets.randbelow(1_000_000) if request.seed is None else request.seed
        table = _build_table()
        written: list[Path] = []
        try:
            for number, name in enumerate(output.name_pieces(repeat(look, request.count))):
                seed, place = first + number, f"{number + 1} of {request.count}"
                with show_fraction(f"Composing {place}") as show:
                    piece = _compose_one(request, composer, given, plan, seed, show)
                    parts = separate_voices(piece.roll, melody_on_top=bool(request.harmonise))
                    written += output.write_piece(parts, out / name, wanted, look)
                _add_row(table, seed, piece, parts)
        except BaseException:
            if written:
                typer.echo(f"Written before it ended: {', '.join(map(str, written))}", err=True)
            raise
        Console().print(table)
        typer.echo(f"The same again: --seed {first}.")
        typer.echo(f"Written: {', '.join(map(str, written))}")
        for reason in left_out:
            typer.echo(f"Left out: {reason}")


def _read_given(request: ChoraleRequest, composer: ChoraleComposer) -> Roll | None:
    """The beginning or the melody of the user's."""
    from sluice.chorales.readers.files import read_roll

    path = request.harmonise or request.resume
    if path is None:
        return None
    return read_roll(
        path, grid=composer.grid, on_remark=lambda one: typer.echo(f"{path}: {one}", err=True)
    )


def _choose_tempo(request: ChoraleRequest, given: Roll | None) -> float:
    """The tempo asked for, else the file's own as far as it can be played."""
    from sluice.chorales.sound import DEFAULT_TEMPO, TEMPI

    if request.tempo is not None:
        return request.tempo
    own = DEFAULT_TEMPO if given is None or given.tempo is None else given.tempo
    return min(max(own, TEMPI[0]), TEMPI[1])


def _is_in_three(given: Roll | None) -> bool:
    return given is not None and int(given.meters[-1]) == 3 * given.grid


def _name(request: ChoraleRequest, given: Roll | None) -> str:
    if given is None:
        return "Chorale"
    name = "".join(one if one.isprintable() else " " for one in given.name).strip() or "Chorale"
    return f"{name}, {'harmonised' if request.harmonise else 'continued'}"


def _compose_one(
    request: ChoraleRequest,
    composer: ChoraleComposer,
    given: Roll | None,
    plan: Plan,
    seed: int,
    on_progress: Callable[[float], None],
) -> ComposedChorale:
    if given is None:
        return composer.compose(
            plan, seed=seed, temperature=request.temperature, on_progress=on_progress
        )
    if request.harmonise is not None:
        return composer.harmonise(
            given, seed=seed, temperature=request.temperature, on_progress=on_progress
        )
    return composer.extend(
        given, plan, seed=seed, temperature=request.temperature, on_progress=on_progress
    )


def _build_table() -> Table:
    """What the pieces are like; without rows."""
    table = Table()
    measured = "parallel fifths", "parallel octaves", "crossings", "cadences"
    for name in ("seed", "key", "nats a step", *measured):
        table.add_column(name, justify="right")
    return table


def _add_row(table: Table, seed: int, piece: ComposedChorale, parts: Parts) -> None:
    from sluice.chorales.key import find_key
    from sluice.chorales.measures import measure

    found = measure(parts)
    table.add_row(
        str(seed),
        find_key(piece.roll).name,
        f"{piece.nats_per_step:.2f}",
        f"{found.fifths:.1f} %",
        f"{found.octaves:.1f} %",
        f"{100 * found.crossings:.0f} %",
        "–" if isnan(found.cadences) else f"{100 * found.cadences:.0f} %",
    )
