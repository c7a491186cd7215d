"""The examples run, and the pictures in the documentation are what they make."""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_pictures_of_the_page_are_those_made(tmp_path: Path) -> None:
    runpy.run_path(str(ROOT / "examples" / "sketches.py"))["main"](tmp_path)
    page = (ROOT / "docs" / "equations-and-sketches.md").read_text()
    made = {path.name for path in tmp_path.iterdir()}
    assert set(re.findall(r"\(pictures/([^)]+)\)", page)) == made
    for name in made:
        assert (tmp_path / name).read_bytes() == (ROOT / "docs" / "pictures" / name).read_bytes()
