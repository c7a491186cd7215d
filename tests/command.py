"""Commands run in this process, and what a failing one says."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from sluice.cli import app


def run(*arguments: object) -> Result:
    """What a command does with these arguments."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def sentence(result: Result) -> str:
    """What a failing command says: exit code 2, nothing on stdout, one line on stderr."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("sluice: ")
    return result.stderr
