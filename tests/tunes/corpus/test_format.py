from pathlib import Path

import pytest

from sluice.sequence import DataError, Tokens, load_data
from sluice.tunes.corpus import collections

TUNES = """X:1
T:One
M:4/4
L:1/8
K:C
CDEF GABc|cBAG FEDC|

X:2
T:One
M:4/4
L:1/8
K:C
CDEF GABc|cBAG FEDE|

X:3
T:Two
M:6/8
L:1/8
K:G
GAB c2d|ded cBA|

X:4
T:Broken
K:C
CDE? [F|
"""


@pytest.mark.parametrize("name", ["a.abc", "a.txt.old"])
def test_load_reads_abc(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(TUNES)
    read = load_data(path)
    assert isinstance(read, Tokens)
    tunes = collections.load_collections([path]).tunes
    assert [read.vocabulary.decode(ids.tolist()) for ids in read.ids] == [
        list(tune.tokens) for tune in tunes
    ]
    assert read.groups == (0, 0, 1)
    assert f"{name}: ABC, 3 tunes in 2 families" in read.report()
    assert [(one.line, one.reason) for one in read.skipped_items] == [
        (25, "Broken: '?', which means nothing here")
    ]
    split = read.split(validation=0.4)
    assert sorted((len(split.train), len(split.validation))) == [1, 2]


def test_nothing_to_read(tmp_path: Path) -> None:
    (tmp_path / "a.abc").write_text("no tune")
    with pytest.raises(DataError, match="holds no tune"):
        load_data(tmp_path / "a.abc")


def test_files_without_a_tune_are_skipped_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.abc").write_text(TUNES)
    (tmp_path / "include.abc").write_text("%%titlefont Times 20\n")
    read = load_data(tmp_path)
    assert isinstance(read, Tokens) and len(read.ids) == 3
    skipped = {Path(one.source).name: (one.line, one.reason) for one in read.skipped_items}
    assert skipped["include.abc"] == (None, "holds no tune")
    assert "include.abc: holds no tune" in read.report()
