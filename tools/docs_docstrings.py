"""For mkdocs: docstrings with doctests become Markdown that shows them as code."""

from __future__ import annotations

import re
from typing import Any

import griffe


class DoctestFences(griffe.Extension):
    """Fence what starts with ``>>>`` outside an "Examples:" section, and name that section so."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = split_names(fence_code(obj.docstring.value))

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """`from a import b as b` makes b part of the public surface."""
        _export_aliases(pkg)


def fence_code(text: str) -> str:
    """The docstring with its doctests and literal blocks in fences."""
    text = re.sub(r"^(\s*)Example:$", r"\1Examples:", text, flags=re.M)
    lines: list[str] = []
    fenced = in_examples = False
    for line in text.splitlines():
        if line and not line.startswith(" "):
            in_examples = line == "Examples:"
        if not in_examples and line.lstrip().startswith(">>>") and not fenced:
            if lines and lines[-1].strip():
                lines.append("")
            lines.append("```pycon")
            fenced = True
        if fenced and not line.strip():
            lines.append("```")
            fenced = False
        lines.append(line)
    return "\n".join(lines + ["```"] * fenced)


def split_names(text: str) -> str:
    """The docstring with an entry for each of ``a, b: what both are``."""
    entry = re.compile(r"^( +)(\w+(?:, \w+)+): (.*(?:\n\1 +.*)*)", re.M)
    return entry.sub(lambda found: _repeat(*found.groups()), text)


def _repeat(indent: str, names: str, description: str) -> str:
    return "\n".join(f"{indent}{name}: {description}" for name in names.split(", "))


def _export_aliases(module: griffe.Module) -> None:
    for name, member in module.members.items():
        if member.is_alias:
            error = name.endswith("Error")  # errors have a page of their own
            member.public = not name.startswith("_") and not error and module.is_init_module
        elif isinstance(member, griffe.Module):
            _export_aliases(member)
