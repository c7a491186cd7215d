"""A release is refused until everything names its version."""

import re
from pathlib import Path

import pytest

import check_release
import sluice

GOOD = {
    "src/sluice/_version.py": '"""The version."""\n\n__version__ = "1.2.0"\n',
    "CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2030-01-31\n\n- New.\n"
    "\n## [1.1.0] - 2029-01-31\n\n- Old.\n",
    "CITATION.cff": "cff-version: 1.2.0\nversion: 1.2.0\n",
}


def write_project(folder: Path, **changes: str) -> Path:
    for name, text in {**GOOD, **changes}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_a_release_whose_files_agree(tmp_path: Path) -> None:
    root = write_project(tmp_path)
    assert check_release.list_faults("v1.2.0", root) == []
    assert check_release.read_notes("1.2.0", root) == ("[1.2.0] - 2030-01-31", "- New.")


@pytest.mark.parametrize(
    ("tag", "file", "before", "after", "fault"),
    [
        ("v1.3.0", "CITATION.cff", "", "", "The tag is v1.3.0"),
        ("v1.2.0", "CITATION.cff", "\nversion: 1.2.0", "\nversion: 1.1.0", "CITATION.cff needs"),
        ("v1.2.0", "CHANGELOG.md", " - 2030-01-31", "", "CHANGELOG.md needs"),
        ("v1.2.0", "CHANGELOG.md", "- New.\n", "", "CHANGELOG.md needs"),
        ("v1.2.0", "CHANGELOG.md", "[Unreleased]\n", "[Unreleased]\n\n- Newer.\n", "Unreleased"),
    ],
)
def test_invalid_files_are_refused(
    tmp_path: Path, tag: str, file: str, before: str, after: str, fault: str
) -> None:
    root = write_project(tmp_path, **{file: GOOD[file].replace(before, after)})
    (found,) = check_release.list_faults(tag, root)
    assert fault in found


def test_this_version_has_notes_and_a_citation() -> None:
    version = sluice.__version__
    assert check_release.read_version() == version
    assert check_release.read_notes(version)[1]
    citation = (check_release.ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(rf"^version: {re.escape(version)}$", citation, re.MULTILINE)
