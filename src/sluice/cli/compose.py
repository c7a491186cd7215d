"""The command that composes tunes, goes on from them, fills and varies them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from sluice.cli.errors import fail
from sluice.cli.train import FOLDER, report_known_errors

if TYPE_CHECKING:
    from sluice.tunes.composition.composer import Composer
    from sluice.tunes.tune import Tune


class _InferencePrecision(StrEnum):
    float32 = "float32"
    bfloat16 = "bfloat16"
    int8 = "int8"


def compose_tunes(
    dance: Annotated[
        str | None, typer.Option("--type", help="jig, reel, slip jig, hornpipe, waltz, polka, ...")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="D, G, Em, Ador, ...; else one that suits the mode.")
    ] = None,
    meter: Annotated[str | None, typer.Option(help="As in 6/8.")] = None,
    mode: Annotated[str | None, typer.Option(help="maj, min, dor, mix, ...")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The same seed, the same tune; else a new one.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many tunes.")] = 1,
    temperature: Annotated[float, typer.Option(help="Below 1 tamer, above 1 wilder.")] = 0.9,
    chords: Annotated[bool, typer.Option("--chords", help="With chords, and a guitar.")] = False,
    tempo: Annotated[
        int | None, typer.Option(help="Beats a minute (of a jig: dotted quarters).")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Else one is made up.")] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="First notes to continue, in ABC, as in 'G2 E FED'; in --key, else in C."
        ),
    ] = None,
    free: Annotated[
        bool, typer.Option("--free", help="Leave parts and repeated bars to the model, too.")
    ] = False,
    resume: Annotated[
        Path | None, typer.Option("--continue", help="Go on from the tune in this ABC file.")
    ] = None,
    fill: Annotated[
        Path | None, typer.Option(help="Fill each * in this ABC file: what its bar lacks.")
    ] = None,
    vary: Annotated[
        Path | None, typer.Option(help="Write some bars of the tune in this ABC file anew.")
    ] = None,
    strength: Annotated[float, typer.Option(help="Of --vary: the part of the bars.")] = 0.3,
    out: Annotated[Path, typer.Option(help="The folder for what is written.")] = FOLDER,
    formats: Annotated[
        str | None,
        typer.Option(help="As in abc,pdf,ogg; else all of abc, mid, svg, pdf and wav."),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="What `sluice train tunes` wrote; else the model that comes along."),
    ] = None,
    precision: Annotated[
        _InferencePrecision, typer.Option(help="What the kernels multiply in.")
    ] = _InferencePrecision.float32,
) -> None:
    """Compose tunes: ABC on the terminal, and files of ABC, MIDI, the score and the sound.

    With --continue, --fill or --vary a tune of yours is worked on, in its own key.
    """
    with report_known_errors():
        from sluice.files import require_writable
        from sluice.tunes import output
        from sluice.tunes.composition.composer import Composer
        from sluice.tunes.corpus import statistics

        wanted, left_out = output.list_default_formats()
        if formats is not None:
            wanted, left_out = [name.strip() for name in formats.lower().split(",")], []
            output.check_formats(wanted)
        wishes = {"dance": dance, "key": key, "meter": meter, "mode": mode, "prompt": start}
        work = _build_edit({"continue": resume, "fill": fill, "vary": vary}, wishes, strength)
        # Where nothing can be composed, no empty folder is left behind.
        require_writable(next(place for place in (out, *out.parents) if place.exists()))
        chosen = secrets.randbelow(1_000_000) if seed is None else seed
        composer = Composer.load(weights, precision)
        if work is None:
            tunes = composer.compose(
                count,
                temperature,
                chosen,
                title=title,
                tempo=tempo,
                chords=chords,
                form=not free,
                **wishes,
            )
        else:
            given = [work(composer, temperature, chosen + number) for number in range(count)]
            tunes = [tune.with_presentation(title, tempo, chords) for tune in given]
        written = output.write_tunes(tunes, out, wanted)
        typer.echo("\n".join(tune.abc(number) for number, tune in enumerate(tunes, 1)))
        Console().print(statistics.build_table(tunes, composer))
        again = "" if seed is not None else f"The same again: --seed {chosen}. "
        typer.echo(f"{again}Written: {', '.join(map(str, written))}")
        for reason in left_out:
            typer.echo(f"Left out: {reason}")


def _build_edit(
    sources: dict[str, Path | None], constraints: dict[str, str | None], strength: float
) -> Callable[[Composer, float, int], Tune] | None:
    """What to do with a tune of the user's, which is read; nothing if there is none."""
    from sluice.tunes.composition.inputs import read_tune

    named = {name: path for name, path in sources.items() if path is not None}
    if not named:
        return None
    name, path = next(iter(named.items()))
    if len(named) > 1:
        fail(f"--{' and --'.join(named)} are different works; name one of them")
    unfit = [wish for wish, value in constraints.items() if value is not None]
    if unfit:
        option = {"dance": "type"}.get(unfit[0], unfit[0])
        fail(f"--{option} is for new tunes; leave it out with --{name}")
    tune = read_tune(path, gaps=name == "fill", complete=name != "continue")
    if name == "continue":
        return lambda composer, heat, seed: composer.extend(tune, heat, seed)
    if name == "fill":
        return lambda composer, heat, seed: composer.fill(tune, heat, seed)
    return lambda composer, heat, seed: composer.vary(tune, strength, heat, seed)
