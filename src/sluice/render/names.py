"""Names as symbols: letters in italics, Greek as Greek, other names upright."""

from __future__ import annotations

import re

from sluice.render.math_text import COMMA, MathText

SHORT = {"input": "i", "forget": "f", "output": "o", "reset": "r", "update": "z", "hidden": "h"}
"""The letters that the field uses for gates."""

_GREEK = dict(
    zip(
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho tau "
        "upsilon phi chi psi omega".split(),
        "αβγδεζηθικλμνξπρτυφχψω",
        strict=True,
    )
)
# A plain sigma is the logistic function; lambda is no name in Python.
_SPELLINGS = {"lam": "lambda", "lamda": "lambda", "lambda_": "lambda", "eps": "epsilon"}
_NAMED = {"sigma": MathText(r"\varsigma", "ς"), "dt": MathText(r"\Delta", "Δ")}


_ACCENTS = {"tilde": "\u0303", "hat": "\u0302", "bar": "\u0304"}


def format_letter(name: str) -> MathText | None:
    """A name that is one letter, Latin or Greek; None for any other."""
    name = _SPELLINGS.get(name, name)
    if len(name) == 1:
        return MathText(name, name)
    if name in _GREEK:
        return MathText(f"\\{name}", _GREEK[name])
    return _NAMED.get(name)


def format_upright(name: str) -> MathText:
    """A name as it is spelt, upright."""
    return MathText(rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}", name)


def format_name(name: str) -> MathText:
    """A name as a symbol: `f`, `alpha`, `c2` and `m_slow` as letters, others upright."""
    letter = format_letter(name)
    if letter is not None:
        return letter
    numbered = re.fullmatch(r"([a-zA-Z_]*?[a-zA-Z])(_?)(\d+)", name)
    stem = numbered and format_letter(numbered[1])
    if numbered and (stem or numbered[2]):
        stem = stem or format_upright(numbered[1])
        return stem.with_subscripts(MathText(numbered[3], numbered[3]))
    head, _, tail = name.partition("_")
    if tail in _ACCENTS and (letter := format_letter(head)):
        return letter.with_accent(f"\\{tail}", _ACCENTS[tail])
    letter = format_letter(head)
    if letter is None or not tail.replace("_", ""):
        return format_upright(name)
    marks = [mark for part in tail.split("_") if part for mark in (COMMA, format_mark(part))]
    return letter.with_subscripts(*marks[1:])


def format_mark(part: str) -> MathText:
    """A part of a name as a subscript."""
    if part.isdigit():
        return MathText(part, part)
    return format_letter(part) or format_upright(part)


def is_letter(words: MathText) -> bool:
    """Whether a symbol is one letter without an accent; it may have subscripts."""
    return len((words.stem or words).plain) == 1
