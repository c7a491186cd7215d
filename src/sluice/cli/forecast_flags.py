"""The options on what a model forecasts of a table, for the commands that train one."""

from __future__ import annotations

from typing import Annotated

import typer

from sluice.cli.errors import fail

PANEL = "Columns of a table"

Horizon = Annotated[
    int | None,
    typer.Option(min=1, help="Steps to forecast; default 1.", rich_help_panel=PANEL),
]
Period = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Length of a season in steps (24 for hourly data with a daily pattern); adds the "
        "seasonal naive forecast as a baseline.",
        rich_help_panel=PANEL,
    ),
]
Quantiles = Annotated[
    str | None,
    typer.Option(
        metavar="Q,Q,Q",
        help="Quantiles to forecast, symmetric around 0.5; default "
        "0.025,0.1,0.25,0.5,0.75,0.9,0.975, which gives intervals of 50, 80 and 95 %; 'none' "
        "forecasts points alone.",
        rich_help_panel=PANEL,
    ),
]
Known = Annotated[
    list[str] | None,
    typer.Option(
        help="Column whose values are known for the steps to forecast, such as a price or a "
        "weather forecast; repeatable.",
        rich_help_panel=PANEL,
    ),
]
Calendar = Annotated[
    bool | None,
    typer.Option(
        "--calendar",
        help="Read month, day of the week and hour of the times too, those that fit the step; "
        "they are known ahead.",
        rich_help_panel=PANEL,
    ),
]
LinearLags = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Values that the linear part of a forecast reads, whose error the network learns; "
        "default two periods, at least 24, as far as a window and the rows allow it; 0 for no "
        "linear part.",
        rich_help_panel=PANEL,
    ),
]


def parse_quantiles(text: str | None) -> tuple[float, ...] | None:
    """The numbers of `--quantiles`; none for 'none', None for the default."""
    from sluice.sequence import SequenceError
    from sluice.sequence.models.quantiles import require_quantiles

    if text is None:
        return None
    try:
        return () if text == "none" else require_quantiles([float(one) for one in text.split(",")])
    except (ValueError, SequenceError):
        fail(
            "--quantiles must be numbers that rise between 0 and 1, symmetric around 0.5, as in "
            f"0.1,0.5,0.9, or 'none'; got {text!r}"
        )
