"""The collections that music21 brings, and files of one's own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.tunes import corpora
from sluice.tunes.errors import NoTunes, TuneError


def test_the_three_collections_are_all_accounted_for() -> None:
    found = importlib.util.find_spec("music21")
    assert found is not None and found.submodule_search_locations
    corpus = Path(found.submodule_search_locations[0]) / "corpus"
    headers = 0
    for name in ("oneills1850", "ryansMammoth", "airdsAirs"):
        for file in (corpus / name).rglob("*.abc"):
            text = file.read_bytes().decode("latin-1")
            headers += sum(line.startswith("X:") for line in text.splitlines())
    collection = corpora.load()
    assert len(collection.tunes) + len(collection.dropped) == headers
    assert len(collection.tunes) > 4000
    assert all(t.tokens[1].startswith("K:C") for t in collection.tunes)
    assert "music21" in collection.report()


def test_music21_is_not_imported() -> None:
    code = "import sys; from sluice.tunes import corpora; sys.exit('music21' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_broken_tune_is_reported_with_its_line_and_skipped(tmp_path: Path) -> None:
    good = "X:1\nT:Good\nM:2/4\nL:1/8\nK:C\nCDEF|G4|\n\n"
    bad = "X:2\nT:Bad\nM:2/4\nL:1/8\nK:C\nCD?F|\n"
    (tmp_path / "own.abc").write_text(good + bad)
    collection = corpora.load([tmp_path])
    assert [t.title for t in collection.tunes] == ["Good"]
    (dropped,) = collection.dropped
    assert (dropped.title, dropped.line) == ("Bad", 13) and "own.abc:13" in str(dropped)


@pytest.mark.parametrize("content", ["", "hello there\n", "X:1\nT:none\nM:2/4\nK:C\nz4|\n"])
def test_nothing_to_read_is_one_sentence(tmp_path: Path, content: str) -> None:
    file = tmp_path / "f.abc"
    file.write_text(content)
    with pytest.raises(NoTunes):
        corpora.load([file])


def test_missing_files_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(TuneError, match="Cannot read"):
        corpora.load([tmp_path / "nowhere.abc"])
    with pytest.raises(NoTunes, match=r"no \.abc file"):
        corpora.load([tmp_path])
