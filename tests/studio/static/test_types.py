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
def test_typescript_finds_no_fault_but_one_that_is_there(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.js"
    wrong.write_text("/** @type {number} */\nexport const words = 'no number';\n")
    workers = sorted(OWN.rglob("*-worker.js"))
    pages = sorted({*OWN.rglob("*.js")} - {*workers})
    for library, files in (PAGE, pages), (WORKER, workers):
        faults = find_faults(library, [*files, wrong])
        assert len(faults) == 1 and "wrong.js" in faults[0], "\n".join(faults)


def find_faults(library: str, files: list[Path]) -> list[str]:
    command = [str(NPX), "--yes", "--prefer-offline", "--package", "typescript@5.9.3", "tsc"]
    command += [*OPTIONS.split(), library, *map(str, files)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if "npm error" in found.stderr:
        pytest.skip("npm could not fetch typescript 5.9.3")
    return [line for line in found.stdout.splitlines() if "error TS" in line]
