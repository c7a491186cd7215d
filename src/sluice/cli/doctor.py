"""The command that examines this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text


def doctor(
    everything: Annotated[
        bool, typer.Option("--all", help="Print every cell and every library on its own line.")
    ] = False,
) -> None:
    """Show what this machine has and lacks, and which backend runs each cell."""
    from sluice import doctor as library

    console = Console(highlight=False)
    for problem in library.find_problems():
        console.print(Text(f"! {problem}", style="yellow"))
    machine, backends = library.describe_machine(), library.list_backends()
    if everything:
        for lines in (machine, _flatten(library.list_libraries()), backends):
            console.print(_build_table(lines))
            console.print()
    else:
        console.print(_build_table(machine | library.fold_backends(backends)))
    console.print(
        "Backends: fused is the cell's equations compiled, native is torch's own layer,\n"
        "reference is a Python loop of torch operations over time.",
        style="dim",
    )


def _flatten(libraries: Mapping[str, Mapping[str, str | None]]) -> dict[str, str]:
    return {
        f"{extra}: {name}": version or "not installed"
        for extra, of in libraries.items()
        for name, version in of.items()
    }


def _build_table(lines: Mapping[str, str]) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in lines.items():
        table.add_row(name, Text(value))
    return table
