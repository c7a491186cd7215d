"""Lazy imports of `sluice`."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import sluice
from sluice import _public


def run_python(code: str, **environment: str) -> str:
    process = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
        timeout=600,
    )
    return process.stdout


def test_help_needs_no_torch() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from sluice.cli import app\n"
        "for words in (['--help'], ['train', '--help'], ['--version']):\n"
        "    assert CliRunner().invoke(app, words).exit_code == 0\n"
        "print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    assert run_python(code) == "False False\n"


def test_every_public_name_is_reached_from_the_package() -> None:
    names = [name for name in vars(_public) if name[0] != "_" and name != "annotations"]
    assert len(names) > 20
    for name in names:
        assert getattr(sluice, name) is getattr(_public, name)
    assert {*names, "nn", "cells", "insight", "load_checkpoint"} <= {*dir(sluice)}


def test_an_unknown_name_raises() -> None:
    with pytest.raises(AttributeError, match="module 'sluice' has no attribute 'Cel'"):
        _ = sluice.Cel  # type: ignore[attr-defined]
