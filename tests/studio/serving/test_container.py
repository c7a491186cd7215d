"""The container file, as far as that can be tried without a container."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import typer

from sluice import cli

TEXT = (Path(__file__).parents[3] / "Containerfile").read_text().replace("\\\n", " ")


def find_list(word: str) -> list[str]:
    found = re.search(rf"^{word} (?:CMD )?(\[.*\])$", TEXT, re.MULTILINE)
    assert found is not None
    return [str(part) for part in json.loads(found[1])]


def test_it_starts_the_studio_with_options_that_there_are() -> None:
    program, name, *arguments = find_list("ENTRYPOINT")
    assert program.endswith("/sluice")
    group = typer.main.get_command(cli.app)
    assert isinstance(group, typer.core.TyperGroup)
    command = group.commands[name]
    values, rest, _ = command.make_parser(command.context_class(command)).parse_args(arguments)
    assert values["folder"] == "/studio" and values["host"] == "0.0.0.0" and not rest


def test_it_runs_without_rights_and_keeps_one_volume() -> None:
    assert re.findall(r"^USER (.*)$", TEXT, re.MULTILINE) == ["studio"]
    assert re.findall(r"^VOLUME (.*)$", TEXT, re.MULTILINE) == ["/studio"]
    assert TEXT.index("\nUSER") < TEXT.index("\nENTRYPOINT")


def test_its_health_check_is_python() -> None:
    _, option, code = find_list("HEALTHCHECK")
    assert option == "-c" and ast.parse(code)
    assert "/healthz" in code
