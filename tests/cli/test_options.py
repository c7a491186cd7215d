"""Every option of every command: one name, one type, one meaning; help that fits a terminal."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from types import NoneType, UnionType
from typing import Literal, NamedTuple, Union, get_args, get_origin

import pytest
from typer.models import ArgumentInfo, OptionInfo

from command import run
from sluice.cli import app


class Parameter(NamedTuple):
    """An option or argument as its command declares it."""

    command: str
    name: str
    type: object
    help: str
    panel: str | None


def list_functions() -> Iterator[tuple[str, Callable[..., None]]]:
    """All commands, and those of groups by both names."""
    for info in app.registered_commands:
        assert info.name is not None and info.callback is not None
        yield info.name, info.callback
    for group in app.registered_groups:
        assert group.typer_instance is not None
        main = group.typer_instance.registered_callback
        assert main is not None and main.callback is not None
        yield str(group.name), main.callback
        for info in group.typer_instance.registered_commands:
            assert info.callback is not None
            yield f"{group.name} {info.name}", info.callback


def find_parameters() -> list[Parameter]:
    found = []
    for command, function in list_functions():
        for name, one in inspect.signature(function, eval_str=True).parameters.items():
            if name != "context":
                kind, declared = get_args(one.annotation)
                assert isinstance(declared, OptionInfo | ArgumentInfo)
                if isinstance(declared, ArgumentInfo):
                    shown = str(declared.metavar).strip("[]")
                else:
                    # In `Annotated`, the first name of an option stands in the place of a default.
                    own = declared.default if isinstance(declared.default, str) else None
                    shown = own or f"--{name.replace('_', '-')}"
                if get_origin(kind) in (Union, UnionType):  # with None
                    (kind,) = [one for one in get_args(kind) if one is not NoneType]
                panel = declared.rich_help_panel
                found.append(Parameter(command, shown, kind, str(declared.help), panel))
    return found


PARAMETERS = find_parameters()
COMMANDS = sorted({one.command for one in PARAMETERS})


def find_different(describe: Callable[[Parameter], object]) -> dict[str, object]:
    """The names that `describe` does not describe alike in all commands."""
    found: dict[str, dict[object, list[str]]] = defaultdict(lambda: defaultdict(list))
    for one in PARAMETERS:
        found[one.name][str(describe(one))].append(one.command)
    return {name: dict(kinds) for name, kinds in found.items() if len(kinds) > 1}


def test_all_commands_were_walked() -> None:
    names = (
        "ablate compare compose doctor evaluate export forecast generate look predict search show "
        "sketch studio train"
    )
    assert " ".join(name for name in COMMANDS if " " not in name) == names
    groups = [name for name in COMMANDS if " " in name]
    assert groups == [f"studio {name}" for name in ("backup", "export", "import", "keeper")]
    shared = {one.name for one in PARAMETERS if one.command == "train"}
    shared &= {one.name for one in PARAMETERS if one.command == "compare"}
    assert shared == {"--out", "--threads", "--minutes", "--steps", "--hidden"}


TRAINING_TYPE = Literal["float32", "bfloat16"]
INFERENCE_TYPE = Literal["float32", "bfloat16", "int8"]

MEANINGS_BY_COMMAND = {
    "DATA": {
        "What to train on": ["train", "search"],
        "Held-out data": ["evaluate", "ablate"],
        "What to label": ["predict"],
        "What to read": ["look"],
        "Data to go on from": ["forecast"],
    },
    "--count": {"Number of texts to generate": ["generate"], "Number of pieces": ["compose"]},
    "--prompt": {"Text to continue": ["generate"], "Notes to continue, in ABC": ["compose"]},
    "--steps": {
        "Number of weight updates": ["compare", "train", "search"],
        "Number of steps to forecast": ["forecast"],
        "Maximum number of time steps to show": ["look"],
    },
    "--sequence": {
        "Which sequence of the data": ["look"],
        "Which sequence of the recorded batch": ["sketch"],
    },
    "--units": {
        "Number of units to show": ["ablate"],
        "Number of units to show per layer": ["look"],
    },
    "--out": {
        "Output folder": ["compare", "train", "search", "compose", "ablate"],
        "Output file": ["show", "sketch", "forecast", "evaluate", "predict", "export", "look"],
        "Output text file": ["generate"],
    },
}
"""The names whose meaning depends on the command, and all of their meanings."""


def get_meaning(one: Parameter) -> str:
    """The head of a help text: what stands before its details."""
    details = (
        r"; |: | \(| per run|, (instead|such as|those|counted|of|as written|an HTML)| with the "
    )
    return re.split(details, one.help)[0].rstrip(".")


def test_a_name_has_one_type() -> None:
    assert find_different(lambda one: one.type) == {
        "--precision": {
            str(TRAINING_TYPE): ["train", "search"],
            str(INFERENCE_TYPE): ["generate", "compose"],
        }
    }


def test_a_name_has_one_meaning() -> None:
    assert find_different(get_meaning) == MEANINGS_BY_COMMAND


def test_a_meaning_has_one_name() -> None:
    names = defaultdict(set)
    for one in PARAMETERS:
        names[get_meaning(one)].add(one.name.lstrip("-").lower())
    assert {meaning: of for meaning, of in names.items() if len(of) > 1} == {}


@pytest.mark.parametrize("columns", ["80", "120"])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_fits(
    command: str, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", int(columns))  # read once, at its import
    text = run(*command.split(), "--help").output
    assert f"Example: sluice {command}" in text
    assert max(map(len, text.splitlines())) <= int(columns)
    assert "…" not in text
    assert "<bool>" not in text
    for one in PARAMETERS:
        if one.command == command:
            assert one.name in text
            assert one.panel is None or f" {one.panel} " in text


def test_options_stand_in_groups() -> None:
    loose = [(one.command, one.name) for one in PARAMETERS if one.name[0] == "-" and not one.panel]
    assert loose == [("doctor", "--all")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("trian",), "No such command 'trian'"),
        (("train",), "Missing argument 'DATA'; see python -m sluice train --help"),
        (("train", "a.txt", "--anew"), "No such option: --anew"),
        (("compose", "--precision", "int4"), "'int4' is not one of 'float32', 'bfloat16', 'int8'"),
    ],
)
def test_invalid_command_lines_are_refused_in_one_sentence(
    arguments: tuple[str, ...], message: str
) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "sluice", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr.startswith("sluice: ") and process.stderr.count("\n") == 1
    assert message in process.stderr
