"""Times of tables: their order, or why there is none; formats against datetime and pandas."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from sequence.data.readers.nasty_times import NASTY_TIMES, NastyTimes
from sluice.sequence import DataError, Series, load_data
from sluice.sequence.data.clocks import format_time
from sluice.sequence.data.readers.time_patterns import ISO, compile_form
from sluice.sequence.data.readers.times import parse_times


def _load(path: Path, **options: object) -> Series:
    series = load_data(path, **options)
    assert isinstance(series, Series)
    return series


@pytest.mark.parametrize("table", NASTY_TIMES, ids=lambda table: table.name)
def test_nasty_times(table: NastyTimes, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    lines = [f"{row},{number}" for number, row in enumerate(table.rows)]
    path.write_text("\n".join([f"{table.header},x", *lines]))
    if isinstance(table.expected, str):
        with pytest.raises(DataError, match=table.expected):
            load_data(path, **table.options)
        return
    series = _load(path, **table.options)
    order = range(len(lines)) if table.order is None else table.order
    assert series.values.flat[:, -1].tolist() == list(order)
    for words in table.says:
        assert words in series.report()
    if table.expected is None:
        assert series.times is None or series.times.flat.dtype.kind != "M"
        return
    assert series.times is not None
    first = np.array(table.expected, "datetime64[us]")
    np.testing.assert_array_equal(series.times.flat[: len(first)], first)
    assert load_data(path, **series.load_options).report() == series.report()


@pytest.mark.parametrize(
    "pattern",
    [
        "%d.%m.%Y %H:%M:%S", "%m/%d/%y %I:%M %p", "%d-%b-%Y", "%A, %d %B %Y", "%Y%j", "%d%m%y%H%M",
        "%G-W%V-%u", "%Y-%m-%dT%H:%M:%S.%f", "%a %d %b %Y %H:%M:%S", "%Y-%m-%d %H:%M %z",
    ],
)  # fmt: skip
def test_patterns_are_those_of_datetime(pattern: str) -> None:
    draw = np.random.default_rng(3)
    seconds = draw.integers(-30_000_000, 1_700_000_000, 300)
    moments = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(one)) for one in seconds]
    cells = [one.strftime(pattern) for one in moments]
    expected = [datetime.strptime(cell, pattern).replace(tzinfo=None) for cell in cells]
    found = compile_form(pattern).read(pa.array(cells))
    assert found.valid.all()
    assert found.local.tolist() == expected


def test_cells_that_are_no_date_are_none() -> None:
    cells = [
        "2023-02-29", "2024-13-01", "2023-366", "2021-W53-1", "2024-01-01T25:00", "2024-1-1 00:60",
        "2024-05:00", "2024-01 10:00", "24-01-01", "2024-01-01 10:00 +25:00", "x", "2024-00-10",
        "2024-W00", "2024Q5", "2024-000", "2024-01-01T24:01", "",
    ]  # fmt: skip
    assert not ISO.read(pa.array(cells)).valid.any()


def test_dates_are_those_of_pandas() -> None:
    whole = pd.date_range("1890-03-01 13:00", periods=400, freq="123h17min")
    cells = pa.array([*whole.strftime("%Y-%m-%dT%H:%M:%S+02:30")])
    times = parse_times({"time": cells})
    expected = whole.tz_localize("+02:30").tz_convert("UTC").tz_localize(None)
    np.testing.assert_array_equal(times.values, expected.to_numpy())
    assert times.zone == "+02:30"
    assert format_time(times.values[7], times.zone, times.pattern) == cells[7].as_py()


def test_nanoseconds_keep_their_order() -> None:
    cells = pa.array(["2024-01-01T00:00:00.000000002", "2024-01-01T00:00:00.000000001"])
    times = parse_times({"time": cells}).values
    assert times.dtype == "datetime64[ns]" and times[1] < times[0]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_typed_times_keep_their_zone(unit: str, tmp_path: Path) -> None:
    instants = pd.date_range("2024-10-26 22:00", periods=6, freq="h")
    column = pa.array(instants, pa.timestamp(unit)).cast(pa.timestamp(unit, "Europe/Berlin"))
    parquet.write_table(pa.table({"time": column, "x": np.arange(6.0)}), tmp_path / "a.parquet")
    series = _load(tmp_path / "a.parquet")
    assert series.times is not None and series.time_zone == "Europe/Berlin"
    np.testing.assert_array_equal(series.times.flat, instants.to_numpy())
    assert "Usual step: 1 hour." in series.report()


def test_typed_dates_and_clocks_are_one_time(tmp_path: Path) -> None:
    columns = {"date": [date(2024, 1, 1)] * 2, "time": [time(9), time(8)], "x": [1.0, 0.0]}
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert _load(tmp_path / "a.parquet").values.flat[:, 0].tolist() == [0.0, 1.0]


def test_a_few_wrong_times_are_skipped_with_their_lines(tmp_path: Path) -> None:
    rows = [f"2024-01-01T{i:02d}:00,{i}" for i in range(24)]
    rows[3], rows[5] = "soon,3", ",5"
    (tmp_path / "a.csv").write_text("\n".join(["time,x", *rows]))
    series = _load(tmp_path / "a.csv")
    assert [(one.line, one.reason) for one in series.skipped_items] == [
        (5, "the time 'soon' is neither a number nor an ISO date"),
        (7, "no time is given"),
    ]


def test_files_of_other_times_are_not_mixed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("time,x\n1,1\n2,2\n")
    (tmp_path / "b.csv").write_text("time,x\n2024-01-01,1\n2024-01-02,2\n")
    with pytest.raises(DataError, match=r"b\.csv has other times"):
        load_data(tmp_path)


def test_rules_make_times_regular_as_pandas_does(tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    minutes = np.sort(draw.choice(60 * 24 * 9, 300, replace=False))
    index = pd.Timestamp("2024-02-26 07:00") + pd.to_timedelta(minutes, "min")
    frame = pd.DataFrame({"x": draw.normal(size=300)}, index=index.rename("time"))
    frame.iloc[::7] = np.nan
    frame.to_csv(tmp_path / "a.csv")
    for rule, frequency in (
        ("hour", "h"),
        ("30 minutes", "30min"),
        ("day", "D"),
        ("week", "W-MON"),
    ):
        for way in ("mean", "sum", "min", "max", "first", "last"):
            found = _load(tmp_path / "a.csv", regular=f"{rule}:{way}")
            sides = {"label": "left", "closed": "left"}
            binned = frame.resample(frequency, **sides)
            expected = binned.sum(min_count=1) if way == "sum" else getattr(binned, way)()
            assert found.times is not None
            np.testing.assert_array_equal(found.times.flat, expected.index.to_numpy())
            np.testing.assert_allclose(found.values.flat, expected.to_numpy(), rtol=1e-12)


def test_steps_without_rows_are_filled_as_asked(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("date,x\n2024-01-31,1\n2024-04-02,4\n2024-05-01,5\n")
    for fill, expected in (
        ("", [1, np.nan, np.nan, 4, 5]),
        (",fill=previous", [1, 1, 1, 4, 5]),
        (",fill=interpolate", [1, 2, 3, 4, 5]),
    ):
        series = _load(tmp_path / "a.csv", regular=f"month{fill}")
        np.testing.assert_array_equal(series.values.flat[:, 0], expected)
        assert "2 steps without a row" in series.report()


def test_days_of_a_zone_have_23_or_25_hours(tmp_path: Path) -> None:
    instants = pd.date_range("2024-10-25 22:00", periods=73, freq="h", tz="UTC")
    column = pa.array(instants.tz_convert("Europe/Berlin"))
    parquet.write_table(pa.table({"time": column, "x": np.ones(73)}), tmp_path / "a.parquet")
    series = _load(tmp_path / "a.parquet", regular="day:sum")
    assert series.values.flat[:, 0].tolist() == [24.0, 25.0, 24.0]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("fortnight", "is no rule; expected a step"),
        ("hour:median", "is no rule"),
        ("0 hours", "is no rule"),
        ("hour,fill=zero", "is no rule"),
        ("day", r"say how to join them, such as regular='day:mean'"),
        ("second:mean", "name a longer step"),
        ("1.0", "the times need"),
    ],
)
def test_rules_that_cannot_be_followed(rule: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("time,x\n2024-01-01 00:00,1\n2024-01-01 00:30,2\n")
    with pytest.raises(DataError, match=said):
        load_data(tmp_path / "a.csv", regular=rule)


def write_times(path: Path, times: list[str]) -> Path:
    path.write_text("time,x\n" + "".join(f"{one},{n}\n" for n, one in enumerate(times)))
    return path


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"])
def test_dates_without_an_offset_are_in_the_zone_that_is_named(zone: str, tmp_path: Path) -> None:
    moments = pd.date_range("2024-01-01", "2024-12-31", freq="30min", tz=zone)
    local = moments.tz_localize(None)
    path = write_times(tmp_path / "a.csv", [one.isoformat() for one in local])
    series = _load(path, time_zone=zone)
    assert series.times is not None and series.time_zone == zone
    expected = moments.tz_convert("UTC").tz_localize(None).as_unit("us")
    np.testing.assert_array_equal(series.times.flat, expected.to_numpy())
    assert f"Dates without an offset are taken as those of {zone}." in series.report()
    assert "show twice, the first 2024-" in series.report()
    assert "Usual step: 30 minutes." in series.report() and "gap" not in series.report()


def test_times_that_clocks_skip_are_said(tmp_path: Path) -> None:
    path = write_times(tmp_path / "a.csv", [f"2024-03-31T0{hour}:30" for hour in (1, 2, 4)])
    series = _load(path, time_zone="Europe/Berlin")
    local = pd.DatetimeIndex(["2024-03-31T01:30", "2024-03-31T02:30", "2024-03-31T04:30"])
    expected = local.tz_localize("Europe/Berlin", nonexistent=pd.Timedelta("1h"))
    assert series.times is not None
    np.testing.assert_array_equal(
        series.times.flat, expected.tz_convert("UTC").tz_localize(None).as_unit("us").to_numpy()
    )
    assert "1 time that the clocks of Europe/Berlin skip, the first 2024-03-31T02:30" in (
        series.report()
    )


def test_moments_are_given_back_in_the_zone_that_is_named(tmp_path: Path) -> None:
    path = write_times(tmp_path / "a.csv", [f"2024-07-01T0{hour}:00:00Z" for hour in (1, 2, 3)])
    series = _load(path, time_zone="Asia/Tokyo")
    assert series.times is not None
    assert series.times.flat[0] == np.datetime64("2024-07-01T01:00")
    assert (series.time_zone, series.time_format[-3:]) == ("Asia/Tokyo", "%:z")
    assert "given back in Asia/Tokyo" in series.report()


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        ("2024-01-01,1\n2024-01-02,2\n", {"time_zone": "Mars/Base"}, "is no time zone"),
        ("1,1\n2,2\n", {"time_zone": "UTC"}, "but the times are numbers; time_format= reads"),
        ("1,1\n2,2\n", {"time_zone": "UTC", "no_time": True}, "there is no column of times"),
        ("January,1\nFebruary,2\n", {}, "months without a year .*time='year,time'"),
        (",1\n" * 3 + "2024-01-01,2\n" * 3, {}, r"lines 2, 3, 4\).*no time is given.*no_time=True"),
    ],
)
def test_times_that_are_refused(
    rows: str, options: dict[str, object], said: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("time,x\n" + rows)
    with pytest.raises(DataError, match=said):
        _load(tmp_path / "a.csv", **options)


def test_an_empty_column_of_times_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("time,x\n,5\n,7\n")
    series = _load(tmp_path / "a.csv")
    assert series.features == ("x",) and series.times is None
    assert "Column 'time' is empty: rows keep their order." in series.report()
    assert "Left out: time, without a value in any row." in series.report()
