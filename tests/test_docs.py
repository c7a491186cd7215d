"""The Python in the documentation runs, and so do the examples in docstrings."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import sluice

ROOT = Path(__file__).parent.parent
MODULES = [
    "sluice",
    *(
        module.name
        for module in pkgutil.walk_packages(sluice.__path__, "sluice.")
        if module.name.split(".")[1] not in ("__main__", "_public", "cli")
    ),
]

# Those that train for minutes are left out.
PAGES = """
    cells comparing data drop-in generating lecture looking measures models recording
""".split()


@pytest.mark.parametrize("page", PAGES)
def test_pages_run(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    exec(code, {"__name__": "docs"})
    assert capsys.readouterr().out == code.rpartition("# ")[2]


@pytest.mark.parametrize("page", ["kernels", "training"])
def test_pages_whose_blocks_stand_alone_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / f"{page}.md").read_text(), re.S)
    whole = [code for code in blocks if code.startswith(("import", "from"))]
    assert whole
    for code in whole:
        exec(code, {"__name__": "docs"})


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0
