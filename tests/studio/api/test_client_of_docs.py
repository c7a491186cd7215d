"""The client in the documentation, run against a studio."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "studio.md"


def test_it_composes_and_saves_a_tune(
    live_studio: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("httpx")
    found = re.search(r"<!-- client -->\n```py\n(.*?)```", PAGE.read_text(), re.S)
    assert found is not None
    code = found[1]
    assert code.count("\n") <= 10
    monkeypatch.chdir(tmp_path)
    exec(code.replace("http://127.0.0.1:8000", live_studio), {})
    assert "M:6/8" in capsys.readouterr().out
    assert (tmp_path / "tune.mid").read_bytes().startswith(b"MThd")
