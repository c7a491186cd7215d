"""CMake's message without a compiler, and the build with one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
CMAKE, NINJA = (shutil.which(name, path=TOOLS) for name in ("cmake", "ninja"))


def configure(build: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """CMake's first step, with these variables and no CXX of the caller's."""
    variables = {name: value for name, value in os.environ.items() if name not in ("CXX", "CC")}
    return subprocess.run(
        [
            *(str(CMAKE), "-S", ROOT, "-B", build, "-G", "Ninja"),
            *(f"-DCMAKE_MAKE_PROGRAM={NINJA}", f"-DPython_EXECUTABLE={sys.executable}"),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**variables, **environment},
        timeout=600,
    )


@pytest.mark.skipif(not (CMAKE and NINJA), reason="needs cmake and ninja")
@pytest.mark.parametrize("missing", [{"CXX": "/nonexistent"}, {"PATH": "/nonexistent"}])
def test_without_a_compiler_the_build_names_a_remedy(
    missing: dict[str, str], tmp_path: Path
) -> None:
    refused = configure(tmp_path, **missing)
    assert refused.returncode != 0
    message = " ".join(refused.stderr.split())
    assert "need a C++20 compiler such as g++ 12 and none was found: install one, or set" in message
    assert "SLUICE_PURE=1 to install the reference alone" in message
    assert "No CMAKE_CXX_COMPILER could be found" not in message
    if shutil.which("c++"):  # installed now, the same build folder finds it
        assert configure(tmp_path).returncode == 0
