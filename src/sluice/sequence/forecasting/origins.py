"""Rolling origins: the rows of series from which the held-out part is forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sluice.option_names import name_argument
from sluice.sequence.data.ragged import Array, Indices
from sluice.sequence.errors import DataError

_MOST_WINDOWS = 5_000


@dataclass(frozen=True, eq=False)
class Origins:
    """From where to forecast, and what came then.

    Attributes:
        values: each series, (rows, features), float64.
        horizon: steps to forecast.
        first: the first row that is forecast, of each series.
        places: (origins,), the series of each origin.
        rows: (origins,), how many rows are read at each.
    """

    values: Sequence[Array]
    horizon: int
    first: Indices
    places: Indices
    rows: Indices

    def __len__(self) -> int:
        return len(self.places)

    def read_histories(self) -> list[Array]:
        """What may be read at each origin: the rows before it."""
        pairs = zip(self.places.tolist(), self.rows.tolist(), strict=True)
        return [self.values[place][:row] for place, row in pairs]

    def read_following(self, columns: Sequence[int]) -> Array:
        """Some columns of the steps after each origin, (origins, horizon, columns)."""
        ahead = [
            self.values[place][row : row + self.horizon, list(columns)]
            for place, row in zip(self.places.tolist(), self.rows.tolist(), strict=True)
        ]
        return np.stack(ahead)


def choose_origins(
    values: Sequence[Array],
    horizon: int,
    *,
    names: Sequence[str],
    held_out: float,
    origins: int | None,
    stride: int | None,
) -> Origins:
    """Origins in the last part of each series, so that each forecast ends within the series.

    Args:
        values: each series, (rows, features).
        horizon: steps to forecast.
        names: of the series, for messages.
        held_out: the part of each series, at its end, that is forecast.
        origins: at most so many of a series, evenly spread; default 100, fewer with many series.
        stride: every so many rows, in place of `origins`.

    Raises:
        DataError: a setting outside its range; no series is long enough.
    """
    if not 0 < held_out < 1:
        raise DataError(f"{name_argument('held_out')} must be between 0 and 1, got {held_out:g}.")
    for name, value in (("origins", origins), ("stride", stride)):
        if value is not None and value < 1:
            raise DataError(f"{name_argument(name)} must be at least 1, got {value}.")
    most = origins or max(1, min(100, _MOST_WINDOWS // max(1, len(values))))
    first = np.zeros(len(values), np.int64)
    places, rows = list[int](), list[int]()
    for place, one in enumerate(values):
        last = len(one) - horizon
        begin = min(round((1 - held_out) * len(one)), last)  # as a training's split
        first[place] = max(begin, 0)
        if begin < 1:
            continue
        chosen = np.arange(begin, last + 1, stride or 1)
        if stride is None and len(chosen) > most:
            chosen = chosen[np.round(np.linspace(0, len(chosen) - 1, most)).astype(int)]
        places += [place] * len(chosen)
        rows += chosen.tolist()
    if not rows:
        longest = max(map(len, values), default=0)
        raise DataError(
            f"Rolling origins of a horizon of {horizon} steps need at least {horizon + 1} rows, "
            f"but the longest of {', '.join(map(str, names[:3]))} has {longest}; give more data."
        )
    return Origins(values, horizon, first, np.array(places), np.array(rows))
