"""Times as text."""

from __future__ import annotations

import numpy as np

from sluice.sequence.data.clocks import format_time
from sluice.sequence.data.ragged import Array


def format_times(times: Array, like: Array, zone: str = "", form: str = "") -> list[str]:
    """Times as text: in a form of `strftime`, else in the shortest ISO form that fits `like` too.

    >>> days = np.array(["2024-01-30", "2024-01-31"], "datetime64[ms]")
    >>> format_times(days + np.timedelta64(2, "D"), days)
    ['2024-02-01', '2024-02-02']
    """
    if times.dtype.kind != "M" or zone or form:
        return [format_time(one, zone, form) for one in times]
    for unit in ("D", "m", "s", "ms"):
        shorter = f"datetime64[{unit}]"
        if all((one == one.astype(shorter)).all() for one in (times, like)):
            return [str(one) for one in np.datetime_as_string(times, unit=unit)]
    return [str(one) for one in np.datetime_as_string(times, unit="us")]
