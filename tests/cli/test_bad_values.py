"""Numbers that no option of a model can have: one sentence that names the option."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from command import run
from last_value_model import build_checkpoint
from sluice.cli import app

ROOT: Any = get_command(app)
BAD = ("-1", "0", "nan", "1000000000")


def list_numbers(command: str) -> list[Any]:
    params = ROOT.commands[command].params
    return [one for one in params if one.type_descriptor.annotation in (int, float)]


def assert_names_options(said: Any, given: str) -> None:
    """A sentence, without any spelling of Python's for what an option is called."""
    assert said.exit_code in (0, 2), (given, said.output, said.exception)
    if said.exit_code == 0:
        return
    text = said.stderr
    assert text.startswith("sluice: ") and text.count("\n") == 1 and "Traceback" not in text, text
    assert not re.search(r"\b[a-z]+_[a-z_]+\b", text), (given, text)
    option = given.partition(" ")[0]
    assert option in text, (given, text)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "d.csv"
    path.write_text("\n".join(["level", *(str(n % 7 + n / 10) for n in range(60))]) + "\n")
    return path


@pytest.mark.parametrize("command", ["forecast", "evaluate"])
def test_of_a_model(command: str, table: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.safetensors"
    build_checkpoint().save(model)
    for option in list_numbers(command):
        for value in BAD:
            name = option.opts[0]
            out = ["--out", tmp_path / "o"] if command == "forecast" else []
            said = run(command, model, table, *out, name, value)
            assert_names_options(said, f"{name} {value}")
