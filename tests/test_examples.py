"""The examples run, in a small form, and write the pictures that the documentation shows."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_picture_in_the_docs_is_made_by_an_example(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example("vanishing").main(tmp_path, steps=8, hidden=4, updates=3, runs=2)
    assert capsys.readouterr().out.count("after 8 steps") == 4
    example("reading").main(tmp_path, hidden=4, updates=2)
    made = {path.name: path.read_bytes()[:8] for path in tmp_path.iterdir()}
    assert set(made) == {path.name for path in (ROOT / "docs" / "pictures").iterdir()}
    assert set(made.values()) == {b"\x89PNG\r\n\x1a\n"}
