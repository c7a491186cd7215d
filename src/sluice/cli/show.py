"""The commands that show a cell: its equations and its sketch."""

from __future__ import annotations

import importlib.util
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluice.cli.errors import fail, report_errors

if TYPE_CHECKING:
    from sluice.cells import Cell

_CELL = typer.Argument(help="A cell of sluice.cells, such as lstm, or path/to/file.py:ClassName.")


class Form(StrEnum):
    equations = "equations"
    latex = "latex"
    graph = "graph"
    llvm = "llvm"


class ThemeName(StrEnum):
    light = "light"
    dark = "dark"


def show(
    cell: Annotated[str, _CELL],
    form: Annotated[Form, typer.Option("--as", help="What to show it as.")] = Form.equations,
    out: Annotated[
        Path | None, typer.Option(help="Typeset the equations in this .svg, .png or .pdf.")
    ] = None,
    theme: Annotated[ThemeName, typer.Option(help="Of the picture.")] = ThemeName.light,
    part: Annotated[
        str,
        typer.Option(help="Of llvm: forward, backward or hoisted (what needs only the input)."),
    ] = "forward",
    double: Annotated[bool, typer.Option("--double", help="Of llvm: in float64.")] = False,
) -> None:
    """Show a cell's update equations: as text, LaTeX, their graph, or what the kernels get."""
    found = load_cell(cell)
    if out is not None:
        if form is not Form.equations:
            fail(f"--out typesets the equations; leave out --as {form}")
        _save_equations(found, out, theme)
    elif form is Form.llvm:
        _show_llvm(cell, found, part, double)
    else:
        typer.echo(_format_cell(found, form))


def _format_cell(found: Cell, form: Form) -> str:
    from sluice.render.latex import format_equations

    if form is Form.graph:
        return found.text.removesuffix("\n")
    lines = format_equations(found.graph)
    return lines.latex() if form is Form.latex else lines.plain()


def _save_equations(found: Cell, out: Path, theme: str) -> None:
    from sluice.errors import SluiceError
    from sluice.render.picture import parse_format, save_figure
    from sluice.render.typeset import typeset_equations

    with report_errors(SluiceError):
        parse_format(out)
        save_figure(typeset_equations(found.graph, theme), out)


def sketch(
    cell: Annotated[str, _CELL],
    out: Annotated[
        Path | None, typer.Option(help="A .svg, .png or .pdf; else CELL.svg, here.")
    ] = None,
    steps: Annotated[
        bool, typer.Option("--steps", help="A series, NAME-1, NAME-2, ..., that reveals it.")
    ] = False,
    animate: Annotated[
        bool, typer.Option("--animate", help="One .svg that reveals it step by step.")
    ] = False,
    theme: Annotated[ThemeName, typer.Option(help="Of the picture.")] = ThemeName.light,
    recording: Annotated[
        Path | None,
        typer.Option(help="Colour it by a recording: a .safetensors file, or a folder."),
    ] = None,
    layer: Annotated[
        str | None, typer.Option(help="Whose values, as encoder.l0; if there are several.")
    ] = None,
    step: Annotated[int, typer.Option(help="Of the recording, counted from 0.")] = 0,
    sequence: Annotated[int, typer.Option(help="Of the recording's batch.")] = 0,
    unit: Annotated[
        list[int] | None, typer.Option(help="Of the layer; several: their mean. Else of all.")
    ] = None,
) -> None:
    """Draw a cell's unit from its equations: whole, step by step, or with recorded values."""
    from sluice.errors import SluiceError
    from sluice.files import write_atomically
    from sluice.render import picture

    if sum((steps, animate, recording is not None)) > 1:
        fail("--steps, --animate and --recording exclude each other; choose one")
    found = load_cell(cell)
    path = out or Path(f"{found.graph.name}.svg")
    with report_errors(SluiceError, ValueError, IndexError):
        ending = picture.parse_format(path)
        if animate and ending != "svg":
            fail(f"only an .svg moves, not {path.name!r}")
        if recording is not None:
            at = {"step": step, "sequence": sequence, "unit": unit}
            whole = [_draw_recorded(found, recording, layer, ending, theme, **at)]
        else:
            whole = _draw_sketches(found, ending, theme, steps, animate)
        for number, content in enumerate(whole, 1):
            place = path.with_stem(f"{path.stem}-{number}") if steps else path
            write_atomically(place, content)
            typer.echo(place)


def _draw_sketches(
    found: Cell, ending: str, theme: str, series: bool, animate: bool
) -> list[bytes]:
    from sluice.render import sketch as sketches
    from sluice.render.picture import encode_figure

    if animate:
        return [sketches.animate_sketch(found.graph, theme)]
    if series:
        return [encode_figure(one, ending) for one in sketches.draw_series(found.graph, theme)]
    return [encode_figure(sketches.draw_sketch(found.graph, theme), ending)]


def _draw_recorded(
    found: Cell, recording: Path, layer: str | None, ending: str, theme: str, **at: Any
) -> bytes:
    from sluice.insight import sketch_saved_recording
    from sluice.render.picture import encode_figure

    return encode_figure(
        sketch_saved_recording(found.graph, recording, layer, theme=theme, **at), ending
    )


def _show_llvm(cell: str, found: Cell, part: str, double: bool) -> None:
    from sluice.codegen import llvm, lower, program

    bodies = program.collect_bodies(lower.lower_graph(found.graph, True))
    chosen = {name: body for name, body in bodies.items() if name.startswith(f"{part}_")}
    if not chosen:
        parts = ", ".join(sorted({name.rpartition("_")[0] for name in bodies}))
        fail(f"{cell} has no body {part!r}; it has {parts}")
    for name, body in chosen.items():
        typer.echo(llvm.emit_function(name, body, 64 if double else 32))


def load_cell(name: str) -> Cell:
    """The cell that a command's argument names, its equations traced; else refuse."""
    from sluice.cells.registry import get_cell

    path, colon, kind = name.rpartition(":")
    with report_errors(ValueError):
        made = _load_user_cell(Path(path), kind) if colon else get_cell(name)
        _ = made.graph
    return made


def _load_user_cell(path: Path, kind: str) -> Cell:
    """A user's own cell: the class ``kind`` (or a cell made there) of a Python file."""
    from sluice.cells import Cell

    if not path.is_file():
        fail(f"there is no file {str(path)!r}; write path/to/file.py:ClassName")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        fail(f"{str(path)!r} is no Python file; write path/to/file.py:ClassName")
    module = importlib.util.module_from_spec(spec)
    with report_errors(Exception):
        spec.loader.exec_module(module)
        found = getattr(module, kind, None)
        if isinstance(found, type) and issubclass(found, Cell):
            found = found()
    if not isinstance(found, Cell):
        cells = [n for n, v in vars(module).items() if _is_cell(v, module.__name__)]
        fail(f"{path} has no cell {kind!r}; its cells are {', '.join(cells) or 'none'}")
    return found


def _is_cell(value: object, module: str) -> bool:
    from sluice.cells import Cell

    if isinstance(value, type):
        return issubclass(value, Cell) and value.__module__ == module
    return isinstance(value, Cell)
