"""Options that several commands share, each declared once: one name, one type, one meaning."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_type_hints

import typer

from sluice.cli.completion import complete_cell
from sluice.cli.errors import fail

Value = TypeVar("Value")
ThemeName = Literal["light", "dark"]
Tokenization = Literal["chars", "words", "subwords"]
Precision = Literal["float32", "bfloat16", "int8"]
TrainingPrecision = Literal["float32", "bfloat16"]

CellArgument = Annotated[
    str,
    typer.Argument(
        metavar="CELL",
        help="Cell: a name such as lstm, or path/to/file.py:ClassName.",
        autocompletion=complete_cell,
    ),
]
CellsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="CELL...",
        help="Cells: names such as lstm, or path/to/file.py:ClassName.",
        autocompletion=complete_cell,
    ),
]
CheckpointArgument = Annotated[
    Path, typer.Argument(metavar="CHECKPOINT", help="Model file, as written by `sluice train`.")
]
LanguageName = Literal["en", "de"]
Theme = Annotated[ThemeName, typer.Option(help="Colours of the picture.", rich_help_panel="Output")]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1, max=4096, help="Number of CPU threads; default 1.", rich_help_panel="Hardware"
    ),
]
InferencePrecision = Annotated[
    Precision,
    typer.Option(help="Precision of the matrix products.", rich_help_panel="Hardware"),
]

Beam = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Width of a beam search; default none.",
        rich_help_panel="Beam search",
    ),
]
LengthPenalty = Annotated[
    float | None,
    typer.Option(
        help="Power of the length that a beam's log-probability is divided by; default 1. "
        "0 favours short texts.",
        rich_help_panel="Beam search",
    ),
]


def value_or(value: Value | None, default: Value) -> Value:
    """A value, or the default if it is None."""
    return default if value is None else value


def choose_length_penalty(given: float | None, beam: int | None) -> float:
    """The power that was given, which needs a beam, or 1."""
    if given is not None and beam is None:
        fail("--length-penalty compares the sequences of a beam; give --beam too")
    return value_or(given, 1.0)


def parse_units(text: str) -> int | None:
    """The value of `--units`: None for "all".

    >>> parse_units("12"), parse_units("all")
    (12, None)
    """
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        fail(f"--units must be a number of at least 1, or 'all', got {text!r}")
    return int(text)


def spread_options(function: Callable[..., None]) -> Callable[..., None]:
    """Turn a function's parameter `options`, a dataclass, into one parameter per field.

    Typer reads the options of a command off its signature; so they are declared once, as the
    dataclass's fields.
    """
    kind = get_type_hints(function)["options"]
    hints = get_type_hints(kind, include_extras=True)
    names = [one.name for one in fields(kind)]
    spread = [
        inspect.Parameter(
            one.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if one.default is MISSING else one.default,
            annotation=hints[one.name],
        )
        for one in fields(kind)
    ]
    others = [
        one.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for one in inspect.signature(function, eval_str=True).parameters.values()
        if one.name != "options"
    ]

    @wraps(function)
    def command(**values: object) -> None:
        chosen = {name: values.pop(name) for name in names}
        function(options=kind(**chosen), **values)

    parameters = [*spread, *others]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    vars(command)["__signature__"] = inspect.Signature(parameters)
    return command
