"""Commands run in this process, and the error message of one that fails."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from sluice.cli import app


def run(*arguments: object) -> Result:
    """The result of a command with these arguments."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def sentence(result: Result) -> str:
    """The error message of a failing command: exit code 2, no stdout, one line on stderr."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("sluice: ")
    return result.stderr
