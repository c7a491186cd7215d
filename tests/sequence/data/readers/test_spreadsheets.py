import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests.sequence.data.readers.spreadsheet_files import (
    Date,
    write_ods,
    write_raw_xlsx,
    write_xlsx,
)

from sluice.sequence import DataError, Series, load_data

TABLE = [["time", "level", "ok"], [Date(45293), 2.5, True], [Date(45292.5), 1.5, False]]


def read(path: Path, **options: object) -> Series:
    series = load_data(path, **options)
    assert isinstance(series, Series)
    return series


def test_dates_numbers_and_truth_are_typed(tmp_path: Path) -> None:
    series = read(write_xlsx(tmp_path / "a.xlsx", {"May": TABLE, "empty": []}))
    assert series.features == ("level", "ok")
    assert series.values[0].tolist() == [[1.5, 0], [2.5, 1]]  # in order of time
    assert series.times is not None
    expected = np.array(["2024-01-01T12:00", "2024-01-02T00:00"], "datetime64[us]")
    assert (series.times[0] == expected).all()
    assert "Sheet: May." in series.report()


def test_a_sheet_is_chosen(tmp_path: Path) -> None:
    other = [["a"], [1.0], [None], [3.0]]
    path = write_xlsx(tmp_path / "a.xlsx", {"May": TABLE, "June": other})
    assert read(path, sheet="June").values[0].tolist() == [[1], [3]]
    with pytest.raises(DataError, match="has several sheets: May, June; choose with sheet="):
        load_data(path)
    with pytest.raises(DataError, match="sheet= must be one of May, June, got 'July'"):
        load_data(path, sheet="July")


def test_text_among_numbers_is_skipped_with_its_row(tmp_path: Path) -> None:
    rows = [["a"], *([float(one)] for one in range(20)), ["broken"], [5.0]]
    series = read(write_xlsx(tmp_path / "a.xlsx", {"s": rows}))
    assert [(one.line, one.reason) for one in series.skipped_items] == [
        (22, "column 'a' has 'broken', expected a number")
    ]


def test_an_index_and_units_are_seen_as_in_csv(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"s": [[None, "a"], [0.0, 5.0], [1.0, 6.0]]})
    assert read(path).features == ("a",)
    rows = [["a", "b"], ["s", "kWh"], [1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    with pytest.raises(DataError, match="line 2 holds units"):
        load_data(write_xlsx(tmp_path / "b.xlsx", {"s": rows}))


def test_open_document(tmp_path: Path) -> None:
    word = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    number = '<table:table-cell office:value-type="float" office:value="{}"/>'
    rows = [word.format("a") + word.format("b"), number.format(1) + number.format(2.5)]
    xml = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    xml += '<table:table-row table:number-rows-repeated="1048574"/>'
    assert read(write_ods(tmp_path / "a.ods", xml)).values[0].tolist() == [[1, 2.5]]


def test_what_would_not_fit_in_memory_is_refused(tmp_path: Path) -> None:
    corner = "".join(
        f'<row r="{row}"><c r="{column}{row}"><v>1</v></c></row>'
        for column, row in (("A", 1), ("XFD", 1048576))
    )
    with pytest.raises(DataError, match="spans 17,179,869,184 cells, of which 2 hold something"):
        load_data(write_raw_xlsx(tmp_path / "corner.xlsx", {"s": corner}))
    cell = (
        '<table:table-cell office:value-type="float" office:value="1" '
        'table:number-columns-repeated="1024"/>'
    )
    row = f'<table:table-row table:number-rows-repeated="1000000">{cell}</table:table-row>'
    with pytest.raises(DataError, match="spans 1,024,000,000 cells"):
        load_data(write_ods(tmp_path / "repeated.ods", row))
    bomb = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (1 << 27))
    with pytest.raises(DataError, match="unpacks to 134,217,728 bytes"):
        load_data(bomb)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"text"])
def test_what_is_no_spreadsheet(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.xlsx is not a spreadsheet"):
        load_data(path)
