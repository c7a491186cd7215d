"""The command that composes tunes, and continues, fills and varies them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from sluice.cli.compose_voices import ChoraleRequest, compose_chorales
from sluice.cli.errors import fail, report_known_errors
from sluice.cli.options import InferencePrecision
from sluice.cli.train import FOLDER
from sluice.cli.usage import refuse_unused

if TYPE_CHECKING:
    from sluice.tunes.composition.composer import Composer
    from sluice.tunes.tune import Tune

_NEW, _YOURS, _SAMPLING = "New tunes", "A tune of yours", "Sampling"
_CHORALE = "Chorales in four parts"
_PRESENTATION = "Presentation and output"


def compose_tunes(
    context: typer.Context,
    dance: Annotated[
        str | None,
        typer.Option(
            help="Dance: jig, reel, slip jig, hornpipe, waltz, polka, ...",
            rich_help_panel=_NEW,
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="Key, such as D, G, Em or Ador; default: a usual one of the mode.",
            rich_help_panel=_NEW,
        ),
    ] = None,
    meter: Annotated[
        str | None,
        typer.Option(help="Meter, such as 6/8.", rich_help_panel=_NEW),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(help="Mode: maj, min, dor, mix, ...", rich_help_panel=_NEW),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            help="Notes to continue, in ABC, such as 'G2 E FED', in the key of --key, otherwise "
            "in C; fields may stand in front, as in '[M:6/8][K:Em]G2 E', and * is any note.",
            rich_help_panel=_NEW,
        ),
    ] = None,
    no_form: Annotated[
        bool,
        typer.Option(
            "--no-form",
            help="Do not impose the form (two repeated sections of eight bars); "
            "leave it to the model.",
            rich_help_panel=_NEW,
        ),
    ] = False,
    voices: Annotated[
        bool,
        typer.Option("--voices", help="Compose a chorale in four parts.", rich_help_panel=_CHORALE),
    ] = False,
    phrases: Annotated[
        int,
        typer.Option(help="Phrases of a chorale, of two bars each.", rich_help_panel=_CHORALE),
    ] = 6,
    harmonise: Annotated[
        Path | None,
        typer.Option(
            help="MusicXML or MIDI file whose highest notes get three parts below them.",
            rich_help_panel=_CHORALE,
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--continue",
            help="ABC file with a tune to continue; with --voices MusicXML or MIDI with a "
            "beginning.",
            rich_help_panel=_YOURS,
        ),
    ] = None,
    fill: Annotated[
        Path | None,
        typer.Option(
            help="ABC file with a tune in which each * is filled with what its bar lacks.",
            rich_help_panel=_YOURS,
        ),
    ] = None,
    vary: Annotated[
        Path | None,
        typer.Option(
            help="ABC file with a tune; some of its bars are rewritten.", rich_help_panel=_YOURS
        ),
    ] = None,
    strength: Annotated[
        float,
        typer.Option(help="Share of the bars that --vary rewrites.", rich_help_panel=_YOURS),
    ] = 0.3,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Model file, as written by `sluice train tunes`, or for voices `sluice train "
            "chorales`; default the bundled model.",
            rich_help_panel=_SAMPLING,
        ),
    ] = None,
    temperature: Annotated[
        float,
        typer.Option(help="Sampling temperature.", rich_help_panel=_SAMPLING),
    ] = 0.9,
    count: Annotated[
        int,
        typer.Option(min=1, help="Number of pieces.", rich_help_panel=_SAMPLING),
    ] = 1,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Random seed; default a new one, which is printed.",
            rich_help_panel=_SAMPLING,
        ),
    ] = None,
    title: Annotated[
        str | None,
        typer.Option(help="Title; default an invented one.", rich_help_panel=_PRESENTATION),
    ] = None,
    tempo: Annotated[
        int | None,
        typer.Option(
            help="Beats per minute (of a jig: dotted quarters; default of a chorale 76).",
            rich_help_panel=_PRESENTATION,
        ),
    ] = None,
    chords: Annotated[
        bool,
        typer.Option(
            "--chords", help="Add chords, played by a guitar.", rich_help_panel=_PRESENTATION
        ),
    ] = False,
    swing: Annotated[
        float | None,
        typer.Option(
            help="How many times longer the first of two even notes is played, 1 to 4; "
            "default 2 for hornpipes, otherwise 1.",
            rich_help_panel=_PRESENTATION,
        ),
    ] = None,
    instrument: Annotated[
        str | None,
        typer.Option(
            help="What plays the melody: flute (default) or fiddle; of a chorale organ (default), "
            "strings or choir.",
            rich_help_panel=_PRESENTATION,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output folder; default tunes-out, of chorales chorales-out.",
            rich_help_panel=_PRESENTATION,
        ),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            help="Formats, such as abc,pdf,ogg; default all of abc (of chorales musicxml), mid, "
            "svg, pdf and wav.",
            rich_help_panel=_PRESENTATION,
        ),
    ] = None,
    precision: InferencePrecision = "float32",
) -> None:
    """Compose tunes: ABC on the terminal, and files of ABC, MIDI, the score and the sound.

    With --continue, --fill or --vary a tune of yours is edited, in its own key. With --voices, or
    --harmonise, a chorale in four parts is composed: score, MIDI and sound.
    """
    if voices or harmonise is not None:
        refuse_unused(context, "voices" if harmonise is None else "harmonise")
        request = ChoraleRequest(
            phrases, meter, resume, harmonise, checkpoint, temperature, count, seed, title, tempo,
            instrument, out, formats,
        )  # fmt: skip
        compose_chorales(request)
        return
    out, instrument = out or FOLDER, instrument or "flute"
    sources = {"continue": resume, "fill": fill, "vary": vary}
    source = _choose_source({name: path for name, path in sources.items() if path is not None})
    refuse_unused(context, "new" if source is None else source[0])
    with report_known_errors():
        from sluice.files import require_writable
        from sluice.tunes import output
        from sluice.tunes.composition.composer import Composer
        from sluice.tunes.corpus.comparison import build_table

        wanted, left_out = output.list_default_formats()
        if formats is not None:
            wanted, left_out = [name.strip() for name in formats.lower().split(",")], []
            output.check_formats(wanted)
        edit = None if source is None else _build_edit(*source, strength)
        # If nothing can be composed, no empty folder is left behind.
        require_writable(next(place for place in (out, *out.parents) if place.exists()))
        chosen = secrets.randbelow(1_000_000) if seed is None else seed
        composer = Composer.load(checkpoint, precision)
        if edit is None:
            tunes = composer.compose(
                count,
                seed=chosen,
                temperature=temperature,
                dance=dance,
                meter=meter,
                key=key,
                mode=mode,
                prompt=prompt,
                form=not no_form,
                title=title,
                tempo=tempo,
                chords=chords,
                swing=swing,
                instrument=instrument,
            )
        else:
            edited = _edit_repeatedly(edit, composer, temperature, range(chosen, chosen + count))
            tunes = [
                tune.with_presentation(title, tempo, chords, swing, instrument) for tune in edited
            ]
        written = output.write_tunes(tunes, out, wanted)
        typer.echo("\n".join(tune.abc(number) for number, tune in enumerate(tunes, 1)))
        Console().print(build_table(tunes, composer))
        typer.echo(f"The same again: --seed {chosen}, with model {composer.fingerprint}.")
        typer.echo(f"Written: {', '.join(map(str, written))}")
        for reason in left_out:
            typer.echo(f"Left out: {reason}")


def _choose_source(given: dict[str, Path]) -> tuple[str, Path] | None:
    """The one tune of the user's to edit, if there is one."""
    if len(given) > 1:
        fail(f"--{' and --'.join(given)} exclude each other; choose one")
    return next(iter(given.items()), None)


_Edit = Callable[["Composer", float, int, Callable[[float], None]], "Tune"]
"""From a composer, temperature, seed, and what is told the fraction that is done, to a tune."""


def _edit_repeatedly(
    edit: _Edit, composer: Composer, temperature: float, seeds: Sequence[int]
) -> list[Tune]:
    from sluice.cli.progress import show_fraction

    edited: list[Tune] = []
    with show_fraction("Composing") as show:
        for seed in seeds:

            def show_part(fraction: float) -> None:
                show((len(edited) + fraction) / len(seeds))

            edited.append(edit(composer, temperature, seed, show_part))
    return edited


def _build_edit(name: str, path: Path, strength: float) -> _Edit:
    """Read a tune of the user's; the function returned edits it."""
    from sluice.tunes.composition.inputs import read_tune

    tune = read_tune(path, gaps=name == "fill", complete=name != "continue")
    for kind, line in sorted(tune.remarks, key=lambda remark: remark.line):
        typer.echo(f"{path}, line {line}: {kind}", err=True)
    if name == "continue":
        return lambda composer, temperature, seed, _: composer.extend(tune, temperature, seed)
    if name == "fill":
        return lambda composer, temperature, seed, show: composer.fill(
            tune, temperature, seed, on_progress=show
        )
    return lambda composer, temperature, seed, show: composer.vary(
        tune, strength, temperature, seed, on_progress=show
    )
