"""The command that shows a cell's equations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sluice.cli.errors import fail, report_known_errors
from sluice.cli.load_cell import load_cell
from sluice.cli.options import CellArgument, Theme, ThemeName
from sluice.cli.usage import refuse_unused

if TYPE_CHECKING:
    from sluice.cells import Cell

Form = Literal["equations", "latex", "graph", "llvm", "triton"]
_KERNELS = "With --as llvm or triton"
_LLVM = "With --as llvm"


def show(
    context: typer.Context,
    cell: CellArgument,
    form: Annotated[
        Form, typer.Option("--as", help="Form of the equations.", rich_help_panel="Output")
    ] = "equations",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output file with the typeset equations: a .svg, .png or .pdf.",
            rich_help_panel="Output",
        ),
    ] = None,
    theme: Theme = "light",
    part: Annotated[
        str,
        typer.Option(
            help="Part of the kernel: forward, backward, or with llvm hoisted "
            "(what depends only on the input).",
            rich_help_panel=_KERNELS,
        ),
    ] = "forward",
    double: Annotated[
        bool,
        typer.Option(
            "--double", help="Print the float64 code instead of float32.", rich_help_panel=_LLVM
        ),
    ] = False,
) -> None:
    """Print a cell's update equations: as text, LaTeX, a graph, or its kernels' code."""
    if out is not None and form != "equations":
        fail(f"--out writes typeset equations and cannot be used with --as {form}; leave one out")
    in_kernels = form if form in ("llvm", "triton") else None
    refuse_unused(context, in_kernels or ("terminal" if out is None else "typeset"))
    found = load_cell(cell)
    if out is not None:
        _save_equations(found, out, theme)
    elif form == "llvm":
        _show_llvm(cell, found, part, double)
    elif form == "triton":
        _show_triton(found, part)
    else:
        typer.echo(_format_cell(found, form))


def _format_cell(found: Cell, form: Form) -> str:
    from sluice.render.latex import format_equations

    if form == "graph":
        return found.text.removesuffix("\n")
    lines = format_equations(found.graph)
    return lines.latex() if form == "latex" else lines.plain()


def _save_equations(found: Cell, out: Path, theme: ThemeName) -> None:
    from sluice.render.picture import parse_format, save_figure
    from sluice.render.typeset import typeset_equations

    with report_known_errors():
        parse_format(out)
        save_figure(typeset_equations(found.graph, theme), out)


def _show_llvm(cell: str, found: Cell, part: str, double: bool) -> None:
    from sluice.codegen import llvm, lower, program

    bodies = program.collect_bodies(lower.lower_graph(found.graph, True))
    chosen = {name: body for name, body in bodies.items() if name.startswith(f"{part}_")}
    if not chosen:
        parts = ", ".join(sorted({name.rpartition("_")[0] for name in bodies}))
        fail(f"--part must be one of {parts} for {cell}, got {part!r}")
    for name, body in chosen.items():
        typer.echo(llvm.emit_function(name, body, 64 if double else 32))


def _show_triton(found: Cell, part: str) -> None:
    from sluice.codegen.gpu.layout import TileShape
    from sluice.equations import Sizes
    from sluice.run.gpu.kernels import KernelKey, load_source

    if part not in ("forward", "backward"):
        fail(f"--part must be forward or backward with --as triton, got {part!r}")
    tile, sizes = TileShape(16, 16, 64, 8, 16384), Sizes(256, 256, 128)
    key = KernelKey(found.graph, sizes, True, (), part, tile, True, True, 2)
    typer.echo(load_source(key).source.rstrip("\n"))
