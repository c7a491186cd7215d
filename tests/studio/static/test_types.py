"""The scripts' types hold, as their comments state them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import sluice

OWN = Path(sluice.__file__).parent / "studio/static/own"
NPX = shutil.which("npx")
OPTIONS = (
    "--noEmit --allowJs --checkJs --strict --target es2023 --module esnext "
    "--moduleResolution bundler --lib"
)
PAGE, WORKER = "es2023,dom,dom.iterable", "es2023,webworker,webworker.iterable"


@pytest.mark.slow
@pytest.mark.skipif(NPX is None, reason="needs npx: apt-get install npm")
def test_typescript_finds_no_fault(tmp_path: Path) -> None:
    compiler = [str(NPX), "--yes", "--prefer-offline", "--package", "typescript@5.9.3", "tsc"]
    if subprocess.run([*compiler, "--version"], capture_output=True, timeout=120).returncode:
        pytest.skip("npm could not fetch typescript 5.9.3")
    wrong = tmp_path / "wrong.js"
    wrong.write_text("/** @type {number} */\nexport const words = 'no number';\n")
    assert run(compiler, PAGE, [wrong]).returncode != 0, "it sees what is wrong"
    workers = sorted(OWN.rglob("*-worker.js"))
    for library, files in (PAGE, sorted({*OWN.rglob("*.js")} - {*workers})), (WORKER, workers):
        checked = run(compiler, library, files)
        assert checked.returncode == 0, checked.stdout


def run(compiler: list[str], library: str, files: list[Path]) -> subprocess.CompletedProcess[str]:
    command = [*compiler, *OPTIONS.split(), library, *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)
