"""The documentation is correct: its Python runs, its commands parse, its site builds."""

from __future__ import annotations

import ast
import builtins
import doctest
import importlib
import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
import typer

from sampling import thin_out
from sluice import cli

ROOT = Path(__file__).parent.parent
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
RUN_HERE = [name for name, text in PAGES.items() if "```python" in text]
# The lecture's code runs where the site is built.
if importlib.util.find_spec("jupytext"):
    from lecture_export.pages import write_page
    from lecture_export.parts import LANGUAGES, read_parts

    PAGES |= {
        f"lecture/{language}/{part.name}": write_page(part, language).markdown
        for part in read_parts()
        for language in LANGUAGES
    }
WITH_PYTHON = [name for name, text in PAGES.items() if "```python" in text]
WITH_EXAMPLES = [
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "src" / "sluice").rglob("*.py"))
    if ">>> " in path.read_text()
]

SURFACE = (ROOT / "tests" / "public_surface.txt").read_text()
PATHS = re.findall(r"\bsluice(?:\.\w+)*", SURFACE)
PUBLIC_PATHS = {*PATHS, *(path.rpartition(".")[0] for path in PATHS)}
PUBLIC_NAMES = {path.rpartition(".")[2] for path in PUBLIC_PATHS} | set(
    re.findall(r"^    (?:[a-z]+ )*?(?:method|property|attribute) (\w+)", SURFACE, re.M)
)
# What a page's own example names: a gate and a norm of a cell, a layer, a stream.
CALLS_OF_A_READER = {"gate", "norm", "layer", "stream"}
CALLS_OF_KERAS = {
    *("EarlyStopping", "keras.layers.LSTM", "keras.layers.RNN"),
    *("get_weights", "layer.get_weights"),
}
ENTRY_POINTS = {"sluice.formats"}


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.S | re.M)


def _blocks_of_commands(text: str) -> list[str]:
    """What follows `sluice` on the lines of console and shell blocks, and in `code` of the text."""
    blocks = "\n".join(_blocks(text, "console") + _blocks(text, "bash")).replace("\\\n", " ")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    inline = re.findall(r"`sluice ((?:[a-z]+)(?: [^`]*)?)`", prose)
    return re.findall(r"(?:^\$ |-m )sluice (.*)$", blocks, re.M) + inline


def _prose(page: str) -> str:
    return re.sub(r"^```.*?^```", "", PAGES[page], flags=re.S | re.M)


def _exists(path: str) -> bool:
    """Whether a dotted path is a module, or an attribute of a module or class."""
    module, _, rest = path, "", ""
    while importlib.util.find_spec(module.split(".")[0]):
        try:
            found: object = importlib.import_module(module)
        except ModuleNotFoundError:
            module, _, name = module.rpartition(".")
            rest = f"{name}.{rest}" if rest else name
            continue
        for name in filter(None, rest.split(".")):
            if not hasattr(found, name):
                return False
            found = getattr(found, name)
        return True
    return False


def _commands() -> dict[str, typer.core.TyperCommand]:
    group = typer.main.get_command(cli.app)
    assert isinstance(group, typer.core.TyperGroup)
    return group.commands


@pytest.mark.parametrize("page", RUN_HERE)
def test_python_runs_and_prints_what_its_comment_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Blocks of a page run in order and share names; a last comment is what the block prints."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "docs"}
    for code in _blocks(PAGES[page], "python"):
        exec(code, names)
        printed, last = capsys.readouterr().out, code.splitlines()[-1]
        if "print(" in code and "# " in last:
            assert printed == last.rpartition("# ")[2] + "\n"


@pytest.mark.parametrize("page", [name for name in PAGES if _blocks_of_commands(PAGES[name])])
def test_commands_and_their_options_exist(page: str) -> None:
    commands = _commands()
    for line in _blocks_of_commands(PAGES[page]):
        name, *arguments = shlex.split(line, comments=True)
        command = commands[name]
        # Raises where there is no such option; values are not looked at.
        command.make_parser(command.context_class(command)).parse_args(arguments)


def test_options_named_in_the_text_exist() -> None:
    known = {
        option
        for command in _commands().values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    torchrun, examples = {"--max-restarts"}, {"--period"}
    for page, text in PAGES.items():
        prose = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
        named = set(re.findall(r"`(--[a-z-]+)[^`]*`", prose))
        if not page.startswith("docs/coming-from"):
            assert named <= known | torchrun | examples, page


def _is_known_call(call: str) -> bool:
    """Whether `call` is a public name of sluice, or a function or method of torch or Python."""
    library, _, rest = call.partition(".")
    if library in ("sluice", "torch", "rich") and rest:
        return _exists(call)
    name = call.rpartition(".")[2]
    return (
        name in PUBLIC_NAMES
        or hasattr(torch.Tensor, name)
        or (call == name and hasattr(builtins, name))
    )


@pytest.mark.parametrize("page", PAGES)
def test_calls_in_the_text_are_of_public_names(page: str) -> None:
    calls = {
        call
        for code in re.findall(r"`([^`\n]+)`", _prose(page))
        for call in re.findall(r"(?<!\w)(\.?(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)\(", code)
    }
    unknown = {call for call in calls - CALLS_OF_A_READER if not _is_known_call(call)}
    assert unknown <= (CALLS_OF_KERAS if page == "docs/coming-from/keras.md" else set())


@pytest.mark.parametrize("page", PAGES)
def test_dotted_names_in_the_text_exist(page: str) -> None:
    code = " ".join(re.findall(r"`([^`\n]+)`", _prose(page)))
    named = set(re.findall(r"(?<![\w./])sluice(?:\.[A-Za-z_]\w*)+", code)) - ENTRY_POINTS
    assert not {name for name in named if not _exists(name)}


@pytest.mark.parametrize("page", WITH_PYTHON)
def test_python_imports_public_names(page: str) -> None:
    for code in _blocks(PAGES[page], "python"):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sluice"):
                imported = {f"{node.module}.{alias.name}" for alias in node.names}
                assert imported <= PUBLIC_PATHS


def test_make_targets_exist() -> None:
    rules = re.findall(r"^([a-z0-9 -]+):", (ROOT / "Makefile").read_text(), re.M)
    targets = {target for rule in rules for target in rule.split()}
    for page, text in PAGES.items():
        named = set(re.findall(r"(?:^\$ |`)make ([a-z0-9-]+)", text, re.M))
        assert named <= targets, page


def test_the_packages_of_the_architecture_page_match_the_import_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = contracts["contracts"][0]["layers"]
    rooms = [name for name in layers if name.isalpha()]
    text = PAGES["docs/architecture.md"]
    table = text[text.index("## Rooms") : text.index("## From a step")]
    named = [name for row in re.findall(r"^\| (`.*?) \|", table, re.M) for name in row.split(", ")]
    assert named == [f"`{name}`" for name in rooms]


def test_every_result_of_a_benchmark_has_a_page() -> None:
    results = {path.name for path in (ROOT / "bench" / "results").glob("*.md")}
    pages = {path.name for path in (ROOT / "docs" / "benchmarks").glob("*.md")} - {"index.md"}
    assert pages == results
    for name in results:
        assert PAGES[f"docs/benchmarks/{name}"].endswith(f'\n--8<-- "bench/results/{name}"\n')


@pytest.mark.parametrize("executed", thin_out(["two-states", ""], 2))
def test_the_site_builds_without_a_warning_and_loads_nothing_from_the_network(
    executed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the code of one of the lecture's parts run and signatures on one line; or of all parts,
    which trains for minutes, and each signature laid out by a process of its own."""
    monkeypatch.setenv("SLUICE_LECTURE", executed)
    monkeypatch.setenv("SLUICE_SIGNATURES", str(not executed).lower())
    for library in ("mkdocs", "material", "mkdocstrings", "jupytext", "nbclient", "ipykernel"):
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"needs {library}")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert process.returncode == 0, process.stderr
    for folder in (tmp_path / "lecture", tmp_path / "lecture" / "de"):
        assert (folder / "slides.html").read_text().count('<div class="slide ') > 30
        assert (folder / "sheets" / "lstm-blanks.pdf").read_bytes().startswith(b"%PDF")
    loaded = (
        r"<(?:script|img|iframe|source)[^>]+src=\"(?:https?:)?//|<link[^>]+href=\"(?:https?:)?//"
    )
    for path in tmp_path.rglob("*.html"):
        assert not re.search(loaded, path.read_text()), path.name
    for path in tmp_path.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import )[\"']?(?:https?:)?//", path.read_text()), path.name


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_docstring_examples(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0
