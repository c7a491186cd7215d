"""The options on how a table is written, the same for every command that reads one."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

HasHeader = Literal["yes", "no"]


_PANEL = "How a table is written"

Delimiter = Annotated[
    str | None,
    typer.Option(
        help="Separator of cells; default: the one of , ; tab | that fits. 'tab' is a tab.",
        rich_help_panel=_PANEL,
    ),
]
Decimal = Annotated[
    str | None,
    typer.Option(
        help="Mark before decimals, '.' or ','; default: the one that the cells show.",
        rich_help_panel=_PANEL,
    ),
]
Thousands = Annotated[
    str | None,
    typer.Option(
        help="Mark between groups of three digits: , . ' a blank, or '' for none; default: the "
        "one that the cells show.",
        rich_help_panel=_PANEL,
    ),
]
Comment = Annotated[
    str | None,
    typer.Option(
        help="Start of lines to leave out, '' for none; default # or %, where lines show it.",
        rich_help_panel=_PANEL,
    ),
]
Header = Annotated[
    HasHeader | None,
    typer.Option(
        help="Whether the first row names the columns, yes or no; default: yes, unless it holds "
        "numbers.",
        rich_help_panel=_PANEL,
    ),
]
Missing = Annotated[
    list[str] | None,
    typer.Option(
        help="Word for a missing value, beside NA and its like; repeatable.",
        rich_help_panel=_PANEL,
    ),
]
Categories = Annotated[
    list[str] | None,
    typer.Option(
        help="Column of text to read as inputs of 0 and 1, one for each value; repeatable.",
        rich_help_panel=_PANEL,
    ),
]
DropUnits = Annotated[
    bool | None,
    typer.Option("--drop-units", help="Read '12 kWh' as 12.", rich_help_panel=_PANEL),
]
Sheet = Annotated[
    str | None,
    typer.Option(
        help="Sheet of a spreadsheet; default: the only one that holds something.",
        rich_help_panel=_PANEL,
    ),
]

TimeFormat = Annotated[
    str | None,
    typer.Option(
        help="How dates are written, as '%d.%m.%Y %H:%M' (default ISO 8601); or unix, unix-ms, "
        "unix-us or excel for numbers that count from a date.",
        rich_help_panel=_PANEL,
    ),
]
TimeZone = Annotated[
    str | None,
    typer.Option(
        help="Time zone of dates without an offset, such as Europe/Berlin; default: none.",
        rich_help_panel=_PANEL,
    ),
]
NoTime = Annotated[
    bool | None,
    typer.Option("--no-time", help="Keep the rows in their order.", rich_help_panel=_PANEL),
]
Regular = Annotated[
    str | None,
    typer.Option(
        help="Make the times regular by a rule: a step, how rows in one step are joined, what "
        "empty steps hold, as 'hour:mean,fill=interpolate'.",
        rich_help_panel=_PANEL,
    ),
]

TABLE_FLAGS = (
    "time_format",
    "time_zone",
    "no_time",
    "regular",
    "decimal",
    "thousands",
    "missing",
    "categories",
    "drop_units",
)
"""Those for every format of tables."""
CSV_FLAGS = ("delimiter", "comment", "header", "encoding")
SPREADSHEET_FLAGS = ("sheet", "header")
