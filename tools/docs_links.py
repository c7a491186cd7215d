"""For mkdocs: what a page takes from the repository around it.

A link that leaves docs/ (``../bench/...``) is shown as the file's name. ``<!-- files PATH -->``
becomes a table of the files in that folder, each with the first sentence of its docstring.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page as mkdocs renders it."""
    outside = r"\[([^\]]+)\]\((?:\.\./)+((?:src|bench|examples)/[^)]+)\)"
    markdown = re.sub(outside, r"\1 (`\2`)", markdown)
    return re.sub(r"<!-- files (\S+) -->", lambda found: list_files(ROOT / found[1]), markdown)


def list_files(folder: Path) -> str:
    """A table of the files below a folder: Python's by their docstring, C++'s by their comment."""
    rows = ["| file | what it holds |", "|---|---|"]
    for path in sorted(folder.rglob("*")):
        summary = _first_line(path) if path.suffix in (".py", ".h", ".cpp") else ""
        if summary and path.name != "__init__.py":
            rows.append(f"| `{path.relative_to(folder)}` | {summary} |")
    return "\n".join(rows)


def _first_line(path: Path) -> str:
    text = path.read_text()
    if path.suffix == ".py":
        text = ast.get_docstring(ast.parse(text)) or ""
    else:
        comments = re.match(r"(?://[^\n]*\n)+", text)
        text = re.sub(r"^// ?", "", comments[0], flags=re.M) if comments else ""
    sentence = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=[.])\s", sentence)[0].replace("|", r"\|")
