"""Small tables with times as people write them, each with its right order, or with its refusal.

The column `x` counts the rows in their right order from 0; `times` are the first times, in UTC if
there is a zone. All were worked out by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class NastyTimes:
    """A table's header, rows without `x`, its first times or its refusal, and what it says."""

    name: str
    header: str
    rows: Sequence[str]
    expected: Sequence[str] | str | None
    says: tuple[str, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    order: Sequence[int] | None = None


DAY = ["2024-01-01T00:00", "2024-01-02T00:00"]
HOUR = ["2024-01-01T00:00", "2024-01-01T01:00"]
HOURS = [f"{day},{hour}" for day in ("2024-01-01", "2024-01-02") for hour in range(24)]
SLASHED = [f"{day:02d}/01/2024" for day in range(11, 21)]

NASTY_TIMES = [
    # Several columns
    NastyTimes("date and hour", "date,time", HOURS, HOUR, ("Ordered by: date, time",)),
    NastyTimes(
        "hours 1 to 24",
        "Date,Hour",
        [f"{day},{hour}" for day in ("2024-01-01", "2024-01-02") for hour in range(1, 25)],
        ["2024-01-01T01:00", "2024-01-01T02:00"],
        ("24 is midnight at the end",),
    ),
    NastyTimes("clock", "date,time", ["2024-01-01,00:00", "2024-01-01,1:00"], HOUR),
    NastyTimes("hhmm", "date,time", ["2024-01-01,0000", "2024-01-01,0100"], HOUR),
    NastyTimes(
        "half hours", "date,time", [f"2024-01-01,{i}" for i in range(48)], "may be one time"
    ),
    NastyTimes(
        "12-hour clock beside a date",
        "date,time",
        ["2024-01-01,11:00 PM", "2024-01-01,11:30 PM"],
        r"time='date,time' and time_format='%Y-%m-%d %I:%M %p'",
    ),
    NastyTimes(
        "12-hour clock, asked for",
        "date,time",
        ["1/1/2024,12:00 AM", "1/1/2024,1:00 AM"],
        HOUR,
        options={"time": "date,time", "time_format": "%d/%m/%Y %I:%M %p"},
    ),
    NastyTimes("parts", "year,month,day", ["2024,1,1", "2024,1,2"], DAY, ("Usual step: 1 day",)),
    NastyTimes("parts to hours", "year,month,day,hour", ["2024,1,1,0", "2024,1,1,1"], HOUR),
    NastyTimes(
        "year and month", "yr,mo", ["2023,12", "2024,1"], ["2023-12-01T00", "2024-01-01T00"]
    ),
    NastyTimes("year and day of year", "year,doy", ["2024,1", "2024,2"], DAY),
    NastyTimes(
        "years of two digits", "year,month,day", ["24,1,1", "24,1,2"], "years of two digits"
    ),
    NastyTimes(
        "month and day alone", "month,day", ["1,1", "1,2"], None, ("rows keep their order",)
    ),
    NastyTimes(
        "a finer time beside a date", "date,ds", [f"{one[:10]},{one}" for one in HOUR], HOUR
    ),
    NastyTimes(
        "two orders",
        "date,ds",
        ["2024-01-01,2024-02-02", "2024-01-02,2024-02-01"],
        "different orders",
    ),
    # Formats
    NastyTimes("months", "Month", ["1949-01", "1949-02"], ["1949-01-01T00", "1949-02-01T00"]),
    NastyTimes("years", "year", ["1949", "1950"], ["1949-01-01T00", "1950-01-01T00"]),
    NastyTimes("weeks", "week", ["1949-W05", "1949-W06"], ["1949-01-31T00", "1949-02-07T00"]),
    NastyTimes("days of the year", "date", ["2024-001", "2024-002"], DAY),
    NastyTimes("quarters", "quarter", ["2024Q1", "2024Q2"], ["2024-01-01T00", "2024-04-01T00"]),
    NastyTimes("no marks", "date", ["20240101", "20240102"], DAY),
    NastyTimes(
        "fractions",
        "time",
        ["2024-01-01 00:00:00.250", "2024-01-01 00:00:00.5"],
        ["2024-01-01T00:00:00.250"],
    ),
    NastyTimes(
        "24:00",
        "time",
        ["2024-01-01T23:00", "2024-01-01T24:00"],
        ["2024-01-01T23:00", "2024-01-02T00:00"],
    ),
    NastyTimes("day first without marks", "date", ["31012024", "01022024"], "time_format='%d%m%Y'"),
    NastyTimes("a lost zero", "date", ["31012024", "1022024"], "lost their leading zero"),
    NastyTimes("day first", "date", SLASHED, r"all 10 fit %d/%m/%Y: say time_format='%d/%m/%Y'"),
    NastyTimes(
        "day or month first",
        "date",
        ["01/02/2024", "02/02/2024"],
        r"'%d/%m/%Y' or time_format='%m/%d/%Y'",
    ),
    NastyTimes(
        "month first, asked for",
        "date",
        ["01/31/2024", "02/01/2024"],
        ["2024-01-31T00", "2024-02-01T00"],
        options={"time_format": "%m/%d/%Y"},
    ),
    NastyTimes("dots", "Date Time", ["31.12.2024 23:00:00"], r"%d\.%m\.%Y %H:%M:%S"),
    NastyTimes("month names", "date", ["Jan 1949", "Feb 1949"], "time_format='%b %Y'"),
    NastyTimes(
        "month names, asked for",
        "date",
        ["1 September 2024", "2 Sept 2024"],
        ["2024-09-01T00", "2024-09-02T00"],
        options={"time_format": "%d %B %Y"},
    ),
    NastyTimes("two digits", "date", ["31/12/24", "01/01/25"], "time_format='%d/%m/%y'"),
    NastyTimes(
        "a wrong format", "date", ["31/12/2024"], "does not fit", options={"time_format": "%Y-%m"}
    ),
    NastyTimes("no year", "date", ["31/12"], "has no year", options={"time_format": "%d/%m"}),
    NastyTimes(
        "no directive", "date", ["31/12"], "'%Q' is no directive", options={"time_format": "%Q"}
    ),
    # Numbers
    NastyTimes(
        "unix, as numbers",
        "timestamp",
        ["1704067200", "1704070800"],
        None,
        ("time_format='unix' reads",),
    ),
    NastyTimes(
        "unix", "timestamp", ["1704067200", "1704070800"], HOUR, options={"time_format": "unix"}
    ),
    NastyTimes(
        "unix-ms",
        "ts",
        ["1704067200000", "1704070800000"],
        HOUR,
        options={"time": "ts", "time_format": "unix-ms"},
    ),
    NastyTimes("excel", "date", ["45292", "45293"], DAY, options={"time_format": "excel"}),
    NastyTimes(
        "excel, as numbers", "date", ["45292", "45293"], None, ("time_format='excel' reads",)
    ),
    # Zones
    NastyTimes(
        "offsets at the end of summer",
        "time",
        [f"2024-10-27T0{hour}:00+0{zone}:00" for hour, zone in ((1, 2), (2, 2), (2, 1), (3, 1))],
        ["2024-10-26T23:00", "2024-10-27T00:00", "2024-10-27T01:00", "2024-10-27T02:00"],
        ("+01:00, +02:00", "Usual step: 1 hour."),
    ),
    NastyTimes("Z", "time", ["2024-01-01T00:00Z", "2024-01-01T01:00Z"], HOUR, ("offset UTC",)),
    NastyTimes(
        "an offset in some", "time", ["2024-01-01T00:00Z", "2024-01-01T01:00"], "others without"
    ),
    NastyTimes(
        "a local hour twice",
        "time",
        [f"2024-10-27 {hour}:00" for hour in ("01", "02", "02", "03")],
        ["2024-10-27T01:00"],
        ("1 row with the time of the row before, the first at 2024-10-27 02:00",),
    ),
    # Order
    NastyTimes(
        "the hour alone", "time", [str(i % 24) for i in range(48)], r"back and forth \(0 after 23\)"
    ),
    NastyTimes(
        "the clock alone", "time", [f"{i % 24:02d}:00" for i in range(48)], "without a date"
    ),
    NastyTimes("words", "time", ["early", "late"], "'early' is neither a number nor an ISO date"),
    NastyTimes("words, kept", "time", ["b", "a"], None, ("as asked",), {"no_time": True}),
    NastyTimes("no time at all", "y", ["2", "1"], None, ("No column of times",)),
    NastyTimes("a date of another name", "Datum", DAY, None, ("time='Datum' orders by its dates",)),
    NastyTimes(
        "a date of another name and form",
        "Datum",
        ["13.01.2024", "02.02.2024"],
        None,
        ("rows keep their order (time='Datum' with time_format='%d.%m.%Y' orders by its dates)",),
    ),
    NastyTimes(
        "a date of another name and of two forms",
        "Jour",
        ["01/02/2024", "03/02/2024"],
        None,
        ("time='Jour' with time_format='%d/%m/%Y' or time_format='%m/%d/%Y' orders",),
    ),
    NastyTimes("words of another name", "Datum", ["May", "1. of June"], None, ("their order.",)),
    NastyTimes("an index of dates", "", DAY, DAY, ("Ordered by: column 1",)),
    NastyTimes(
        "years that are no time", "year", ["1999", "1990", "1999"], None, ("keep their order",)
    ),
    NastyTimes(
        "rows out of order",
        "date",
        ["2024-01-03", "2024-01-01", "2024-01-02"],
        DAY,
        ("2 rows stood after later ones, the first at 2024-01-01",),
        order=[1, 2, 0],
    ),
    NastyTimes(
        "two series, one after the other",
        "date",
        [f"2024-01-0{i % 5 + 1}" for i in range(10)],
        "name their column",
    ),
    NastyTimes(
        "two series, side by side",
        "date",
        [f"2024-01-0{i // 2 + 1}" for i in range(10)],
        ["2024-01-01T00", "2024-01-01T00"],
        ("5 rows with the time of the row before", "id= names several series"),
    ),
    NastyTimes(
        "gaps",
        "date",
        [f"2024-01-0{day}" for day in (1, 2, 3, 6, 7)],
        DAY,
        ("1 gap, 2 steps missing, the first after 2024-01-03",),
    ),
]
