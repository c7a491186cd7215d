"""Libraries from elsewhere are the files that their packages hold, with their licences."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

import sluice

FOLDER = Path(sluice.__file__).parent / "studio/static/vendor"
# What `npm pack abcjs@6.7.2` and `npm pack htmx.org@4.0.1` gave.
HASHES = {
    "abcjs-basic-6.7.2.min.js": "3290ef44c918d5e882029d3a47ad3dd63c16c8819da5abe921f3d1e642b4f4f0",
    "htmx-4.0.1.min.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
}


@pytest.mark.parametrize("name", HASHES)
def test_files_are_unchanged_and_their_hashes_written_down(name: str) -> None:
    found = hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()
    assert found == HASHES[name]
    assert f"`{found}`" in (FOLDER / "README.md").read_text()


def test_nothing_else_lies_there_and_every_library_has_its_licence() -> None:
    scripts = {path.name for path in FOLDER.glob("*.js")}
    assert scripts == set(HASHES)
    assert "Permission is hereby granted, free of charge" in read("abcjs.LICENSE.md")
    assert "Zero-Clause BSD" in read("htmx.LICENSE")


def test_own_scripts_name_no_address() -> None:
    for path in (FOLDER.parent / "own").rglob("*.js"):
        addresses = set(re.findall(r"https?://[\w./-]+", path.read_text()))
        assert addresses <= {"http://www.w3.org/2000/svg"}, path


def read(name: str) -> str:
    return (FOLDER / name).read_text()


def test_a_player_asks_for_all_its_modules_at_once() -> None:
    own = FOLDER.parent / "own"
    template = (FOLDER.parents[1] / "templates/player.html").read_text()
    modules = {"score", "texts"} | {
        path.relative_to(own).with_suffix("").as_posix()
        for folder in ("player", "score")
        for path in (own / folder).glob("*.js")
    }
    (asked,) = re.findall(r'{% for name in \[("score".*?)\] %}', template)
    assert set(re.findall(r'"([^"]+)"', asked)) == modules
