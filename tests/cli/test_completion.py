"""Shell completion: its candidates, without loading torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sampling import thin_out
from sluice.cells.registry import list_cells
from sluice.cli import completion
from sluice.report.tasks import list_tasks

SLUICE = "import sys; sys.argv[0] = 'sluice'; from sluice.cli import main; main()"


def complete(words: str, shell: str = "bash", code: str = SLUICE) -> list[str]:
    """The answer of a shell's completion protocol for a command line."""
    environment = {
        "_SLUICE_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    process = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
        timeout=600,
    )
    assert process.stderr == ""
    return process.stdout.split()


@pytest.mark.parametrize(
    ("words", "candidates"),
    thin_out(
        [
            ("sluice s", ["show", "sketch", "search", "studio"]),
            ("sluice show ", list(completion.CELL_NAMES)),
            ("sluice show ls", ["lstm", "lstm1997"]),
            ("sluice sketch jor", ["jordan"]),
            ("sluice train tu", ["tunes"]),
            ("sluice train a --cell mg", ["mgu"]),
            ("sluice train a --tokenize w", ["words"]),
            ("sluice show gru --theme ", ["light", "dark"]),
            ("sluice sketch gru --se", ["--series", "--sequence"]),
            ("sluice compare --cells gru,el", ["gru,elman"]),
            ("sluice compare --task a", ["adding"]),
        ],
        3,
    ),
)
def test_bash_is_offered(words: str, candidates: list[str]) -> None:
    assert complete(words) == candidates


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_offered_the_same(shell: str) -> None:
    answer = " ".join(complete("sluice show ls", shell))
    assert "lstm" in answer and "lstm1997" in answer and "gru" not in answer


@pytest.mark.parametrize(
    "words",
    thin_out(
        ["sluice look mod", "sluice train nov", "sluice show cells/own", "sluice ablate m te"], 4
    ),
)
def test_files_are_left_to_the_shell(words: str) -> None:
    assert complete(words) == []


def test_bash_completes_files_where_nothing_is_offered(tmp_path: Path) -> None:
    """A real bash, with the script that `--show-completion` prints."""
    command = tmp_path / "sluice"
    command.write_text(f"#!{sys.executable}\n{SLUICE}\n")
    command.chmod(0o755)
    (tmp_path / "novel.txt").write_text("")
    # Typer takes the shell from the processes above it; a CI job may have none there.
    script = subprocess.run(
        [command, "--show-completion", "bash"],
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    ).stdout
    assert "complete -o default" in script and "_SLUICE_COMPLETE=complete_bash" in script
    lines = f"""{script}
        for line in 'sluice show lstm1' 'sluice look nov'; do
            COMP_WORDS=($line); COMP_CWORD=2; COMPREPLY=()
            _sluice_completion {command}
            echo "$line: ${{COMPREPLY[*]}}"
        done"""
    process = subprocess.run(
        ["bash", "-c", lines], capture_output=True, text=True, check=True, timeout=600
    )
    assert process.stdout == "sluice show lstm1: lstm1997\nsluice look nov: \n"


def test_completion_needs_no_torch() -> None:
    code = f"sys = __import__('sys'); sys.modules['torch'] = None; {SLUICE}"
    assert complete("sluice show mg", code=code) == ["mgu"]


def test_names_for_completion_are_the_library_s() -> None:
    assert sorted(name.lower() for name in list_cells()) == list(completion.CELL_NAMES)
    assert tuple(list_tasks()) == completion.TASK_NAMES
