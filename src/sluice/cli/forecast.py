"""The command that forecasts series beyond the end of the data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.cli.errors import fail, report_known_errors
from sluice.cli.options import CheckpointArgument, Theme, Threads

if TYPE_CHECKING:
    from sluice.sequence.forecasting import Forecast

_FORECAST, _OUTPUT = "Forecast", "Output"
_CSV, _PICTURE = "forecast.csv", "forecast.png"


def forecast(
    checkpoint: CheckpointArgument,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Data to go on from: a table with the columns that the model was trained on.",
        ),
    ],
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of steps to forecast; default the horizon of the model.",
            rich_help_panel=_FORECAST,
        ),
    ] = None,
    future: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Table of what is known ahead, after the end of DATA; default the rows of DATA "
            "after the last known target.",
            rich_help_panel=_FORECAST,
        ),
    ] = None,
    interval: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT",
            help="The only interval to write and to draw, such as 80; default all that the model "
            "was trained for.",
            rich_help_panel=_FORECAST,
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            help="A series to forecast; repeat for several; default all.",
            rich_help_panel=_FORECAST,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output file; a .csv, or a folder for forecast.csv and the picture; default the "
            "current folder.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Output picture; a .png, .svg or .pdf; default a .png beside the .csv.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    theme: Theme = "light",
    threads: Threads = None,
) -> None:
    """Forecast series beyond the end of the data, with intervals, to a table and a picture."""
    table, drawn = _choose_files(out, picture)
    with report_known_errors():
        import torch

        from sluice.files import require_writable
        from sluice.render.picture import parse_format
        from sluice.sequence import Checkpoint
        from sluice.sequence.forecasting import forecast_series, select_series
        from sluice.sequence.forecasting.prediction import require_forecaster
        from sluice.sequence.model_series import load_known_ahead, load_model_series

        torch.set_num_threads(threads or 1)
        parse_format(drawn)
        for folder in {table.parent, drawn.parent}:
            require_writable(folder)
        trained = Checkpoint.load(checkpoint)
        require_forecaster(trained)
        read = load_model_series(trained, data)
        if only:
            read = select_series(read, only)
        ahead = None if future is None else load_known_ahead(trained, future)
        found = forecast_series(trained, read, steps=steps, future=ahead)
        if interval is not None:
            found.find_interval(interval)
        typer.echo(read.report())
        for note in (*found.notes, found.describe()):
            typer.echo(note)
        found.save_csv(table, interval=interval)
        typer.echo(f"Written: {table}")
        _draw(found, drawn, interval, theme, asked=picture is not None)


def _choose_files(out: Path | None, picture: Path | None) -> tuple[Path, Path]:
    """The table and the picture."""
    out = out or Path()
    if out.suffix.lower() == ".csv" and not out.is_dir():
        return out, picture or out.with_suffix(".png")
    if out.suffix and not out.is_dir():
        fail(f"--out must be a .csv file or a folder, got {out}")
    return out / _CSV, picture or out / _PICTURE


def _draw(found: Forecast, path: Path, interval: float | None, theme: str, *, asked: bool) -> None:
    """Write the picture; without matplotlib only who asked for it is refused."""
    from sluice.extras import MissingExtraError
    from sluice.render.picture import save_figure

    try:
        figure = found.plot(interval=interval, theme=theme)
    except MissingExtraError as error:
        if asked:
            raise
        typer.echo(f"No picture: {error}")
        return
    save_figure(figure, path)
    hidden = found.count_hidden_panels()
    more = f" (without the last {hidden} of them)" if hidden else ""
    typer.echo(f"Written: {path}{more}")
