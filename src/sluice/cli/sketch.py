"""The command that draws a cell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.cli.errors import fail, report_errors
from sluice.cli.load_cell import load_cell
from sluice.cli.options import CellArgument, Theme, ThemeName
from sluice.cli.usage import refuse_unused

if TYPE_CHECKING:
    from sluice.cells import Cell

_RECORDING = "Recorded values"


def sketch(
    context: typer.Context,
    cell: CellArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output file: a .svg, .png or .pdf; default CELL.svg.",
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
    """Draw a cell from its equations: whole, step by step, or coloured by recorded values."""
    from sluice.errors import SluiceError
    from sluice.files import write_atomically
    from sluice.insight import sketch_saved_recording
    from sluice.render import picture

    refuse_unused(context, "plain" if recording is None else "recording")
    if series and animate:
        fail("--series and --animate exclude each other; choose one")
    found = load_cell(cell)
    path = out or Path(f"{found.graph.name}.svg")
    with report_errors(SluiceError, ValueError, IndexError):
        ending = picture.parse_format(path)
        if animate and ending != "svg":
            fail(f"--animate writes .svg files only, got {path.name!r}")
        if recording is not None:
            drawn = sketch_saved_recording(
                found.graph,
                recording,
                layer,
                step=step,
                sequence=sequence,
                unit=unit,
                theme=theme,
            )
            whole = [picture.encode_figure(drawn, ending)]
        else:
            whole = _draw_sketches(found, ending, theme, series, animate)
        for number, content in enumerate(whole, 1):
            place = path.with_stem(f"{path.stem}-{number}") if series else path
            write_atomically(place, content)
            typer.echo(place)


def _draw_sketches(
    found: Cell, ending: str, theme: ThemeName, series: bool, animate: bool
) -> list[bytes]:
    from sluice.render import sketch as sketches
    from sluice.render.picture import encode_figure

    if animate:
        return [sketches.animate_sketch(found.graph, theme)]
    if series:
        return [encode_figure(one, ending) for one in sketches.draw_series(found.graph, theme)]
    return [encode_figure(sketches.draw_sketch(found.graph, theme), ending)]
