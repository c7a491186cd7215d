"""The command that lists the cells."""

from __future__ import annotations

import typer


def list_cells() -> None:
    """List the cells that the library has, with their papers and what they are good for."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from sluice.cells import registry

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for kind in registry.list_cells().values():
        found = registry.describe_cell(kind)
        purpose = Text(f"\nGood for {found.purpose}", style="dim") if found.purpose else ""
        table.add_row(found.name, Text.assemble(found.summary, purpose))
    Console().print(table)
    typer.echo("sluice show NAME prints the equations of one, sluice sketch NAME draws it.")
