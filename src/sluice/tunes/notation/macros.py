"""Macros (`m:`): abbreviations that stand for other ABC (ABC 2.1, section 9)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from sluice.tunes.errors import AbcSyntaxError

_LITERAL = re.compile(r"(\"[^\"]*\"|![^!|:\s]*!|\[[A-Za-z]:[^\]]*\])")
_MAX_LINE = 10_000


class Macro(NamedTuple):
    """What is written, and what it stands for."""

    target: str
    replacement: str


def parse_macro(value: str, line: int) -> Macro:
    """A static macro, as in `m: ~G3 = G{A}G{F}G`.

    Raises:
        AbcSyntaxError: no macro, or a transposing one (`n` for any note), which is unsupported.
    """
    target, sign, replacement = (part.strip() for part in value.partition("="))
    if not sign or not target:
        raise AbcSyntaxError(f"m:{value} is no macro (as in m: ~G2 = {{A}}G2)", line)
    if "n" in re.sub(_LITERAL, "", target):
        raise AbcSyntaxError(f"a transposing macro (m:{value}), which is unsupported", line)
    return Macro(target, replacement)


def expand_macros(text: str, macros: Iterable[Macro], line: int) -> str:
    """A line of music with its macros replaced, the longest first; texts in it are left alone.

    Raises:
        AbcSyntaxError: what it stands for is longer than a line may be.
    """
    pieces = _LITERAL.split(text)
    for target, replacement in sorted(macros, key=lambda macro: -len(macro.target)):
        pieces[::2] = [piece.replace(target, replacement) for piece in pieces[::2]]
        if sum(map(len, pieces)) > _MAX_LINE + len(text):
            raise AbcSyntaxError("macros (m:) that make this line too long", line)
    return "".join(pieces)
