import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.extras import MissingExtraError
from sluice.tunes.corpus import collections
from sluice.tunes.errors import NoTunesError, TuneError

HEAD = "X:1\nT:{}\nM:4/4\nL:1/8\nK:C\n"


def test_a_folder_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    good, broken = HEAD.format("Good") + "CDEF|\n", HEAD.format("Broken") + "CD(3E|\n"
    again = HEAD.format("Again") + "CDEF|\n"
    (tmp_path / "below" / "a.abc").write_text(f"{good}\n{broken}\n{again}")
    (tmp_path / "b.abc").write_text(HEAD.format("Other") + "GABc|\n")
    (tmp_path / "notes.txt").write_text("not ABC")
    read = collections.load_collections([tmp_path])
    assert sorted(tune.title for tune in read.tunes) == ["Good", "Other"]
    assert [(d.title, d.line) for d in read.skipped_tunes] == [("Broken", 13), ("Again", 15)]
    assert "a.abc:13: Broken: a tuplet with too few notes" in str(read.skipped_tunes[0])
    lines = read.report().splitlines()
    assert lines[0] == "2 of 4 tunes read, 2 dropped."
    assert [re.sub(r"^.*?a\.abc", "a.abc", line) for line in lines[1:]] == [
        "a.abc:13: Broken: a tuplet with too few notes before the bar line",
        "a.abc:15: Again: the same music as an earlier tune (a.abc:1)",
        "Files left out:",
        f"  {tmp_path / 'notes.txt'}: holds no tune",
    ]
    assert read.notice == ""


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(NoTunesError, match=r"no \.abc file"):
        collections.load_collections([tmp_path])
    path = tmp_path / "rests.abc"
    path.write_text(HEAD.format("Silence") + "z4|\n")
    with pytest.raises(NoTunesError, match=r"rests\.abc.*the tune has no notes"):
        collections.load_collections([path])


def test_without_music21(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"music21.*pip install"):
        collections.load_collections()


def test_music21_without_its_corpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_loader("music21", loader=None, is_package=True)
    assert spec is not None and spec.submodule_search_locations is not None
    spec.submodule_search_locations.append(str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(TuneError, match="without its corpus"):
        collections.load_collections()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_every_tune_of_the_three_collections_is_read_or_dropped() -> None:
    found = importlib.util.find_spec("music21")
    assert found is not None and found.origin is not None
    corpus = Path(found.origin).parent / "corpus"
    files = [f for name in collections.COLLECTIONS for f in (corpus / name).rglob("*.abc")]
    written = sum(len(re.findall(rb"^X:", file.read_bytes(), re.MULTILINE)) for file in files)
    read = collections.load_collections()
    assert len(read.tunes) + len(read.skipped_tunes) == written > 4000
    assert len(read.skipped_tunes) < 0.05 * written
    assert collections.NOTICE in read.report()


def test_music21_is_not_imported() -> None:
    code = (
        "import sys; from sluice.tunes.corpus import collections; "
        "collections._list_collection_files(); "
    )
    process = subprocess.run(
        [sys.executable, "-c", code + "print('music21' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    assert process.stdout == "False\n"


def test_a_large_report_counts_by_kind_and_names_one_place(tmp_path: Path) -> None:
    names = [f"{number:03}.abc" for number in range(30)]
    for number, name in enumerate(names):
        note = "CDEFGABc"[number % 8] + "cdef"[number // 8]
        good, broken = HEAD.format("Good") + f"{note}4|\n", HEAD.format("Broken") + "CD(3E|\n"
        (tmp_path / name).write_text(f"hello there\n\n{good}\n{broken}")
    for number in range(25):
        (tmp_path / f"include-{number:02}.abc").write_text("%%staffwidth 10cm\n")
    read = collections.load_collections(tmp_path)
    assert len(read.tunes) == len(read.skipped_tunes) == 30 and len(read.skipped_files) == 25
    first = tmp_path / "000.abc"
    assert read.report().splitlines() == [
        "30 of 60 tunes read, 30 dropped.",
        f"    30  a tuplet with too few notes before the bar line (first: {first}:15)",
        "Files left out:",
        f"    25  holds no tune (first: {tmp_path / 'include-00.abc'})",
        "Left out of tunes and files that were read:",
        f"    30  text above the first tune, left out (first: {first}:1)",
    ]
    every = read.report(verbose=True).splitlines()
    assert len(every) == 1 + 30 + 1 + 25 + 1 + 30
    assert f"  {tmp_path / names[29]}:1: text above the first tune, left out" in every
