"""Folders of tunes with all that stands in them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sluice.tunes.corpus.collections import load_collections
from sluice.tunes.corpus.files import find_files
from sluice.tunes.errors import NoTunesError, TuneError

HEAD = "M:4/4\nL:1/8\nK:C\n"
SCALES = ("CDEF|", "DEFG|", "EFGA|", "FGAB|", "GABc|", "ABcd|")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a tune in each form, and files without one."""
    out = tmp_path / "book"
    (out / "below").mkdir(parents=True)
    (out / ".hidden").mkdir()
    (out / "a.abc").write_text(f"X:1\n{HEAD}{SCALES[0]}\n")
    (out / "B.ABC").write_text(f"X:1\n{HEAD}{SCALES[1]}\n")
    (out / "below" / "c.txt").write_text(f"T:No number\n{HEAD}{SCALES[2]}\n")
    (out / "tokens").write_text("M:4/4\nK:Cmaj\nF 2 G A B 2 c 2 |\n")
    row = {"name": "R", "type": "reel", "meter": "4/4", "mode": "Cmajor", "abc": SCALES[4]}
    (out / "tunes.json").write_text(json.dumps([row]))
    (out / "tunes.csv").write_text(f'name,type,meter,mode,abc\nS,reel,4/4,Cmajor,"{SCALES[5]}"\n')
    (out / "include.abc").write_text("%%titlefont Times 20\nM:6/8\n")
    (out / "empty.abc").write_text("")
    (out / "archive.abc").write_bytes(b"PK\x03\x04 and more")
    (out / "song.mp3").write_bytes(b"ID3")
    (out / "score.pdf").write_bytes(b"%PDF")
    (out / ".hidden" / "d.abc").write_text(f"X:1\n{HEAD}cdef|\n")
    (out / "._a.abc").write_bytes(b"\0\5")
    return out


def test_every_form_is_read_and_what_is_left_out_is_named(folder: Path) -> None:
    read = load_collections(folder)
    assert sorted(Path(tune.source).name for tune in read.tunes) == [
        "B.ABC", "a.abc", "c.txt", "tokens", "tunes.csv", "tunes.json",
    ]  # fmt: skip
    skipped = {Path(one.path).name: one.reason for one in read.skipped_files}
    assert skipped.keys() == {"archive.abc", "empty.abc", "include.abc", "book"}
    assert "zip archive" in skipped["archive.abc"] and "empty" in skipped["empty.abc"]
    assert "holds no tune" in skipped["include.abc"]
    assert skipped["book"] == "2 files of another kind (.mp3, .pdf), not opened"
    report = read.report().splitlines()
    assert report[:2] == ["6 of 6 tunes read, 0 dropped.", "Files left out:"]
    assert any("include.abc: holds no tune" in line for line in report)


def test_links_are_followed_once_and_circles_end(folder: Path) -> None:
    (folder / "below" / "up").symlink_to(folder)
    (folder / "below" / "itself").symlink_to(folder / "below" / "itself")
    (folder / "broken.abc").symlink_to(folder / "nowhere.abc")
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "e.abc").write_text(f"X:1\n{HEAD}c2d2|\n")
    (folder / "linked").symlink_to(elsewhere)
    found = find_files(folder)
    assert [path.name for path in found.files].count("a.abc") == 1
    assert "e.abc" in [path.name for path in found.files]
    skipped = {Path(one.path).name: one.reason for one in found.skipped}
    assert skipped["broken.abc"] == skipped["itself"] == "no file that can be opened"


def test_a_pipe_in_a_folder_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.abc")
    assert "pipe.abc" in [Path(one.path).name for one in find_files(folder).skipped]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_left_out(folder: Path) -> None:
    (folder / "a.abc").chmod(0)
    (folder / "below").chmod(0)
    try:
        read = load_collections(folder)
    finally:
        (folder / "below").chmod(0o700)
    reasons = {Path(one.path).name: one.reason for one in read.skipped_files}
    assert "Permission denied" in reasons["a.abc"] and "Permission denied" in reasons["below"]


def test_a_folder_that_cannot_be_listed_is_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("below"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    reasons = {Path(one.path).name: one.reason for one in find_files(folder).skipped}
    assert reasons["below"] == "cannot be opened (Permission denied)"


def test_files_that_are_given_by_name(folder: Path) -> None:
    read = load_collections([folder / "a.abc", folder / "include.abc"])
    assert len(read.tunes) == 1
    assert [Path(one.path).name for one in read.skipped_files] == ["include.abc"]
    with pytest.raises(TuneError, match=r"nowhere\.abc"):
        load_collections([folder / "a.abc", folder / "nowhere.abc"])
    with pytest.raises(NoTunesError, match=r"include\.abc holds no tune"):
        load_collections(folder / "include.abc")


def test_a_folder_without_such_files(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"ID3")
    with pytest.raises(NoTunesError, match=r"no \.abc file"):
        load_collections(tmp_path)
