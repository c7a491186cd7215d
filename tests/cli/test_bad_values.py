"""Numbers that no option of a model can have: one sentence that names the option."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from command import run, sentence
from last_value_model import build_checkpoint
from sluice.cli import app
from sluice.sequence import DataError, load_data

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


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--horizon", 10**9, "must be below the 60 steps of the longest series"),
        ("--period", 10**18, "must be below the 60 steps of the longest series"),
        ("--linear-lags", 10**9, "must be below the 60 steps of the longest series"),
        ("--hidden", 10**5, " GB of memory to train, but there are "),
        ("--hidden", 10**9, " GB of memory to train, but there are "),
        ("--hidden", 10**18, " GB of memory to train, but there are "),
        ("--layers", 10**9, "must be at most 1,000"),
        ("--layers", 10**18, "must be at most 1,000"),
    ],
)
def test_sizes_are_refused_before_memory_is_taken(
    option: str, value: int, said: str, table: Path, tmp_path: Path
) -> None:
    for command in ("train", "search"):
        error = sentence(run(command, table, "--out", tmp_path / "o", "--steps", 1, option, value))
        assert option in error and said in error, error
        assert not (tmp_path / "o" / "model.safetensors").exists()


def test_sizes_of_models_of_texts(tmp_path: Path) -> None:
    text, pairs = tmp_path / "a.txt", tmp_path / "a.tsv"
    text.write_text("Tyger tyger, burning bright " * 40)
    pairs.write_text("".join(f"one {n}\ttwo {n}\n" for n in range(40)))
    out = ("--out", tmp_path / "o", "--steps", 1)
    assert "--hidden" in sentence(run("train", text, *out, "--hidden", 10**9))
    for architecture in ("recurrent", "convs2s", "transformer"):
        error = sentence(
            run("train", pairs, *out, "--architecture", architecture, "--hidden", 2**30)
        )
        assert " GB of memory to train" in error, error


def test_more_processes_than_a_machine_bears(table: Path, tmp_path: Path) -> None:
    error = sentence(run("search", table, "--out", tmp_path / "o", "--processes", 10**9))
    assert "--processes must be at most" in error


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


def test_of_a_vocabulary(tmp_path: Path) -> None:
    text, pairs, labels = (tmp_path / f"{name}.tsv" for name in ("text", "pairs", "labels"))
    text.write_text("Tyger tyger, burning bright " * 40)
    pairs.write_text("".join(f"one {n}\ttwo {n}\n" for n in range(40)))
    labels.write_text("".join(f"good {n}\tpos\nbad {n}\tneg\n" for n in range(30)))
    for value in (-1, 0, 10**9, 10**18):
        said = sentence(
            run("train", pairs, "--out", tmp_path / "o", "--steps", 1, "--vocabulary-size", value)
        )
        assert "--vocabulary-size" in said and (value < 1 or "must be 1 to 1,000,000" in said)
        for path, kind in ((text, "text"), (pairs, "pairs"), (labels, "labels")):
            with pytest.raises(DataError, match="vocabulary_size= must be 1 to"):
                load_data(path, kind=kind, unit="words", vocabulary_size=value)
