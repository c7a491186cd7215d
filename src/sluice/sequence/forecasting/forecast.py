"""Forecasts of several series: their times, values and quantiles, and their CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sluice.files import StrPath, write_atomically
from sluice.insight.plots.forecasts import plot_forecasts
from sluice.option_names import name_argument
from sluice.sequence.data.report import pluralize
from sluice.sequence.errors import DataError
from sluice.sequence.forecasting.series_forecast import SeriesForecast
from sluice.sequence.forecasting.times import format_times
from sluice.sequence.models.quantiles import list_intervals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PANELS = 12
"""More series and targets than a page shows are left out of a picture."""
SHOWN_INTERVALS = 2
"""Intervals in a picture: the widest ones."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """The forecasts of all series, and what was assumed for them.

    Attributes:
        series: one forecast for each series.
        targets: the names of the columns that are forecast.
        levels: the levels of the quantiles, such as 0.1, 0.5 and 0.9.
        time_name: the name of the column of times; empty if there is none.
        time_zone: in which times are written; as they are if empty.
        time_format: how they are written, in the signs of `strftime`; in ISO form if empty.
        notes: sentences on what was read and assumed.
    """

    series: Sequence[SeriesForecast]
    targets: tuple[str, ...]
    levels: tuple[float, ...] = ()
    time_name: str = ""
    time_zone: str = ""
    time_format: str = ""
    notes: tuple[str, ...] = ()

    @property
    def intervals(self) -> tuple[float, ...]:
        """The percentages of the intervals that the quantiles bound, the narrowest first."""
        return tuple(one.percent for one in list_intervals(self.levels))

    def find_interval(self, percent: float) -> tuple[int, int]:
        """The numbers of the two levels that bound an interval.

        Raises:
            DataError: the model was not trained for this interval.
        """
        found = {one.percent: (one.low, one.high) for one in list_intervals(self.levels)}
        if percent not in found:
            known = ", ".join(f"{one:g}" for one in found)
            raise DataError(
                f"{name_argument('interval')} must be one of {known}, which the model was trained "
                f"for, got {percent:g}."
                if known
                else "This model was trained without intervals; train one with quantiles."
            )
        return found[percent]

    def save_csv(self, path: StrPath, *, interval: float | None = None) -> None:
        """Write a row for each series, step and target: the forecast, and each quantile.

        The columns are series, the times (or step, the number of the row), target, forecast, and
        one for each quantile: q10 is the value that 10 of 100 outcomes stay below. The file is
        written whole or not at all.

        Args:
            path: the file.
            interval: only the two quantiles that bound this percentage; default all.

        Raises:
            DataError: the model was not trained for this interval.
            OSError: the file cannot be written.
        """
        chosen: Sequence[int] = range(len(self.levels))
        if interval is not None:
            chosen = self.find_interval(interval)
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        names = [f"q{np.round(100 * self.levels[place], 6):g}" for place in chosen]
        writer.writerow(("series", self.time_name or "step", "target", "forecast", *names))
        writer.writerows(self._list_rows(chosen))
        write_atomically(path, file.getvalue().encode())

    def _list_rows(self, levels: Sequence[int]) -> Iterator[tuple[object, ...]]:
        for one in self.series:
            for step, time in enumerate(self._write_times(one)):
                for place, target in enumerate(self.targets):
                    found = one.quantiles[step, place, list(levels)].tolist()
                    point = float(one.values[step, place])
                    yield one.name, time, target, *(f"{value:.12g}" for value in (point, *found))

    def plot(
        self,
        *,
        interval: float | None = None,
        title: str | None = None,
        theme: str = "light",
    ) -> Figure:
        """A picture: the end of each history, the forecast and its intervals, a panel each.

        Args:
            interval: show this percentage alone; default the two widest.
            title: above the picture.
            theme: ``"light"`` or ``"dark"``.

        Raises:
            DataError: the model was not trained for this interval.
            MissingExtraError: matplotlib is not installed.
            ValueError: the theme is unknown.
        """
        widest = self.intervals[: -SHOWN_INTERVALS - 1 : -1]
        chosen = widest if interval is None else (interval,)
        bands = [(percent, *self.find_interval(percent)) for percent in chosen]
        panels = [
            one.make_panel(place, target, bands)
            for one in self.series
            for place, target in enumerate(self.targets)
        ]
        name = self.time_name or "row"
        return plot_forecasts(panels[:MOST_PANELS], x=name, title=title, theme=theme)

    def count_hidden_panels(self) -> int:
        """How many series and targets are too many for the picture."""
        return max(0, len(self.series) * len(self.targets) - MOST_PANELS)

    def describe(self) -> str:
        """A sentence: what was forecast, from when to when, with which intervals."""
        ends = {tuple(self._write_times(one)[:: max(1, len(one.times) - 1)]) for one in self.series}
        when = " to ".join(ends.pop()) if len(ends) == 1 else "from the end of each on"
        steps = pluralize(len(self.series[0].times), "step")
        name = self.time_name or "row"
        known = ", ".join(f"{one:g}" for one in self.intervals)
        sure = f"intervals of {known} %" if known else "no intervals, which the model lacks"
        return (
            f"Forecast: {pluralize(len(self.series), 'series')}, {steps} of "
            f"{', '.join(self.targets)} ({name} {when}), {sure}."
        )

    def _write_times(self, one: SeriesForecast) -> list[str]:
        return format_times(one.times, one.history_times, self.time_zone, self.time_format)
