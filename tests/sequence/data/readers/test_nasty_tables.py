"""Every nasty table is read as it should be, or refused for the reason it should be."""

from pathlib import Path

import numpy as np
import pytest

from sequence.data.readers.nasty_layouts import NASTY_LAYOUTS
from sequence.data.readers.nasty_numbers import NASTY_NUMBERS
from sequence.data.readers.nasty_table import NastyTable, Reading
from sluice.sequence import DataError, Series, load_data

NASTY_TABLES = [*NASTY_NUMBERS, *NASTY_LAYOUTS]


@pytest.mark.parametrize("table", NASTY_TABLES, ids=lambda table: table.name)
def test_a_nasty_table(table: NastyTable, tmp_path: Path) -> None:
    path = tmp_path / f"table{table.suffix}"
    content = table.content
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    if not isinstance(table.expected, Reading):
        with pytest.raises(DataError, match=table.expected):
            load_data(path, **table.options)
        return
    series = load_data(path, **table.options)
    assert isinstance(series, Series)
    found = dict(zip(series.features, series.values.flat.T.tolist(), strict=True))
    assert list(found) == list(table.expected.columns)
    np.testing.assert_array_equal(
        np.array([*found.values()]), np.array([*table.expected.columns.values()])
    )
    for words in table.expected.says:
        assert words in series.report()
    assert tuple(one.line for one in series.skipped_items) == table.expected.skipped


def test_there_are_at_least_sixty_and_all_differ() -> None:
    names = [table.name for table in NASTY_TABLES]
    assert len(names) == len(set(names)) >= 60
