"""The command that draws cells."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from sluice.cli.errors import fail, report_errors
from sluice.cli.load_cell import load_cell
from sluice.cli.options import CellsArgument, LanguageName, Theme, ThemeName
from sluice.cli.usage import refuse_unused

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sluice.equations.graph import Graph

_RECORDING, _NETWORK = "Recorded values", "Network"
_FORMS = ("series", "animate", "strokes", "blanks", "unrolled", "stack")


def sketch(
    context: typer.Context,
    cells: CellsArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output file: a .svg, .png or .pdf; default CELL.svg, of sheets .pdf.",
            rich_help_panel="Output",
        ),
    ] = None,
    theme: Theme = "light",
    series: Annotated[
        bool,
        typer.Option(
            "--series",
            help="Several pictures, NAME-1, NAME-2, ..., one per step of the computation.",
            rich_help_panel="Output",
        ),
    ] = False,
    animate: Annotated[
        bool,
        typer.Option(
            "--animate",
            help="One animated .svg, step by step.",
            rich_help_panel="Output",
        ),
    ] = False,
    strokes: Annotated[
        bool,
        typer.Option(
            "--strokes",
            help="How to draw it by hand, stroke by stroke: pages of A4, in one .pdf.",
            rich_help_panel="Output",
        ),
    ] = False,
    blanks: Annotated[
        bool,
        typer.Option(
            "--blanks",
            help="A sheet of A4 to be filled in, and its solution, in one .pdf.",
            rich_help_panel="Output",
        ),
    ] = False,
    language: Annotated[
        LanguageName,
        typer.Option(help="Language of words and captions.", rich_help_panel="Output"),
    ] = "en",
    unrolled: Annotated[
        int | None,
        typer.Option(
            help="So many steps in a row; the middle one shows its inside.",
            metavar="STEPS",
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    layers: Annotated[
        int | None,
        typer.Option(help="Number of layers.", rich_help_panel=_NETWORK),
    ] = None,
    bidirectional: Annotated[
        bool,
        typer.Option(
            "--bidirectional",
            help="Two directions in each layer.",
            rich_help_panel=_NETWORK,
        ),
    ] = False,
    output: Annotated[
        bool,
        typer.Option(
            "--output",
            help="With the output layer, y = softmax(V h + b).",
            rich_help_panel=_NETWORK,
        ),
    ] = False,
    reverse: Annotated[
        bool,
        typer.Option(
            "--reverse",
            help="A layer that runs backwards: t + 1 comes before t.",
            rich_help_panel=_NETWORK,
        ),
    ] = False,
    recording: Annotated[
        Path | None,
        typer.Option(
            help="Colour the sketch by a recording: a .safetensors file or a folder.",
            rich_help_panel=_RECORDING,
        ),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(
            help="Layer to show, such as encoder.l0; needed if the recording has several.",
            rich_help_panel=_RECORDING,
        ),
    ] = None,
    step: Annotated[
        int, typer.Option(help="Time step, counted from 0.", rich_help_panel=_RECORDING)
    ] = 0,
    sequence: Annotated[
        int,
        typer.Option(
            min=0,
            help="Which sequence of the recorded batch, counted from 0.",
            rich_help_panel=_RECORDING,
        ),
    ] = 0,
    unit: Annotated[
        list[int] | None,
        typer.Option(
            help="Unit to show; repeat it for the mean of several units; default: the mean of all.",
            rich_help_panel=_RECORDING,
        ),
    ] = None,
) -> None:
    """Draw cells from their equations.

    One whole, step by step, stroke by stroke, in a network or coloured by recorded values; or
    several side by side.
    """
    from sluice.errors import SluiceError
    from sluice.files import write_atomically
    from sluice.insight import sketch_saved_recording
    from sluice.render import picture
    from sluice.render import sketch as sketches

    given = (series, animate, strokes, blanks, unrolled is not None)
    chosen = [form for form, is_given in zip(_FORMS, given, strict=False) if is_given]
    chosen += ["stack"] if layers is not None or bidirectional else []
    if len(chosen) > 1:
        names = [f"--{form}" if form != "stack" else "--layers" for form in chosen]
        fail(f"{' and '.join(names)} exclude each other; choose one")
    form = chosen[0] if chosen else "several" if len(cells) > 1 else "plain"
    refuse_unused(context, form if recording is None else "recording")
    if len(cells) > 1 and (chosen or recording is not None):
        option = "--recording" if recording is not None else f"--{form}"
        fail(f"{option} draws one cell, got {len(cells)}: {', '.join(cells)}")
    graphs = [load_cell(cell).graph for cell in cells]
    graph, is_sheet = graphs[0], form in ("strokes", "blanks")
    name = "-".join(one.name for one in graphs) + (f"-{form}" if is_sheet else "")
    path = out or Path(f"{name}.{'pdf' if is_sheet else 'svg'}")
    with report_errors(SluiceError, ValueError, IndexError):
        ending = picture.parse_format(path)
        if animate and ending != "svg":
            fail(f"--animate writes .svg files only, got {path.name!r}")
        if animate:
            moving = sketches.animate_sketch(graph, theme, reverse=reverse, language=language)
            whole = [moving]
        elif recording is not None:
            drawn = sketch_saved_recording(
                graph,
                recording,
                layer,
                step=step,
                sequence=sequence,
                unit=unit,
                reverse=reverse,
                theme=theme,
            )
            whole = [picture.encode_figure(drawn, ending)]
        else:
            options = _Look(theme, language, output, reverse)
            pages = _draw(graphs, form, options, unrolled or 0, layers or 1, bidirectional)
            if is_sheet and ending == "pdf":
                whole = [picture.encode_pages(pages)]
            else:
                whole = [picture.encode_figure(page, ending) for page in pages]
        is_numbered = series or (is_sheet and ending != "pdf")
        for number, content in enumerate(whole, 1):
            place = path.with_stem(f"{path.stem}-{number}") if is_numbered else path
            write_atomically(place, content)
            typer.echo(place)


class _Look(NamedTuple):
    """How all forms of a sketch look."""

    theme: ThemeName
    language: LanguageName
    output: bool
    reverse: bool


def _draw(
    graphs: Sequence[Graph],
    form: str,
    options: _Look,
    steps: int,
    layers: int,
    bidirectional: bool,
) -> list[Figure]:
    """The pictures of a form."""
    from sluice.render import sketch as sketches

    graph, (theme, language, output, reverse) = graphs[0], options
    if form == "series":
        return sketches.draw_series(graph, theme, reverse=reverse, language=language)
    if form == "strokes":
        return sketches.draw_stroke_sheet(graph, theme, output=output, language=language)
    if form == "blanks":
        return sketches.draw_blanks(graph, theme, output=output, language=language)
    if form == "unrolled":
        drawn = sketches.draw_unrolled(graph, steps, theme, output=output, language=language)
    elif form == "stack":
        drawn = sketches.draw_stack(
            graph, layers, theme, bidirectional=bidirectional, output=output, language=language
        )
    elif form == "several":
        drawn = sketches.draw_side_by_side(
            graphs, theme, output=output, reverse=reverse, language=language
        )
    else:
        drawn = sketches.draw_sketch(
            graph, theme, output=output, reverse=reverse, language=language
        )
    return [drawn]
