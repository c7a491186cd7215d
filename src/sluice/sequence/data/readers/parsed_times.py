"""The times of the rows of a table, once they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sluice.sequence.data.ragged import Array


@dataclass(frozen=True)
class ParsedTimes:
    """The times of the rows of a table.

    Attributes:
        values: (rows,) datetime64[us], or [ns] where cells are that precise, in UTC if there is a
            zone; or numbers, int64 if all are whole, else float64. Without meaning in bad rows.
        bad: why a row has no time, by its number.
        zone: the zone of dates: empty if cells name none, UTC, an offset such as +01:00, or a name.
        pattern: how dates are written, as in `format_time`; empty for ISO 8601.
        notes: what was assumed, as sentences.
    """

    values: Array
    bad: Mapping[int, str] = field(default_factory=dict)
    zone: str = ""
    pattern: str = ""
    notes: tuple[str, ...] = ()
