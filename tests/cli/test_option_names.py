"""Messages on the command line name its options; those in Python name its arguments."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sluice.cli import app
from sluice.errors import SluiceError
from sluice.sequence import load_data
from sluice.sequence.data.formats import get_formats

OPTIONS = sorted({name for one in get_formats().values() for name in one.options} | {"kind"})
PYTHON = re.compile(rf"\b({'|'.join(OPTIONS)})=")


def make_files(folder: Path) -> dict[str, Path]:
    mixed = folder / "mixed"
    mixed.mkdir()
    (mixed / "a.txt").write_text("hello " * 9)
    (mixed / "b.png").write_bytes(b"\x89PNG\0\0")
    (folder / "unknown.bin").write_bytes(b"\x00\x01ab")
    (folder / "table.csv").write_text("a,b\n1,2\n3,4\n")
    (folder / "text.txt").write_text("to be or not to be\n" * 9)
    (folder / "damaged.txt").write_bytes(b"to be or not to be\n" * 900 + b"\xff")
    return {one.stem: one for one in folder.iterdir()}


@pytest.mark.parametrize(
    ("name", "arguments", "options", "expected"),
    [
        ("mixed", [], {}, "--kind"),
        ("unknown", [], {}, "--kind"),
        ("text", ["--kind", "film"], {"kind": "film"}, "--kind"),
        ("damaged", [], {}, "--encoding"),
        ("text", ["--encoding", "utf-99"], {"encoding": "utf-99"}, "--encoding"),
    ],
)
def test_an_error_names_the_option(
    tmp_path: Path, name: str, arguments: list[str], options: dict[str, str], expected: str
) -> None:
    path = make_files(tmp_path)[name]
    out = str(tmp_path / "out")
    result = CliRunner().invoke(app, ["train", str(path), *arguments, "--out", out])
    assert result.exit_code == 2 and expected in result.stderr
    assert not PYTHON.search(result.stderr.replace(str(tmp_path), "")), result.stderr
    with pytest.raises(SluiceError, match=rf"\b{expected[2:]}=") as refused:
        load_data(path, **options)  # type: ignore[arg-type]
    assert expected not in str(refused.value)
