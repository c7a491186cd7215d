"""Fields of a tune that are text for people: composer, source, history, words. Kept as written."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sluice.tunes.errors import TuneError
from sluice.tunes.notation.text_escapes import decode_text, encode_text

Fields = tuple[tuple[str, str], ...]
"""Letters and values, in order."""

KEPT_LETTERS = "ABCDFGHNOSTUWZr"
"""Area, book, composer, discography, file, group, history, notes, origin, source, further titles,
user-defined symbols, words after the tune, transcriber, remark."""
_PERCENT = re.compile(r"(?<!\\)%")


def select_fields(
    lines: Iterable[tuple[str, str]], defaults: Iterable[tuple[str, str]] = ()
) -> Fields:
    """The fields to keep of a tune: those of the file that it does not override, and its own.

    The first title is not among them, nor is an empty field, save where it parts verses (`W:`).

    >>> select_fields([("T", "Jig"), ("T", "Gigue"), ("C", "Me"), ("K", "D")], [("S", "a book")])
    (('S', 'a book'), ('T', 'Gigue'), ('C', 'Me'))
    """
    kept = [field for field in lines if field[0] in KEPT_LETTERS]
    own = [_decode_field(*field) for field in kept if field[1] or field[0] == "W"]
    letters = {letter for letter, _ in own} | set("TW")
    given = [
        _decode_field(letter, value)
        for letter, value in defaults
        if letter in KEPT_LETTERS and letter not in letters and value
    ]
    titles = [place for place, (letter, _) in enumerate(own) if letter == "T"]
    fields = [*given, *(field for place, field in enumerate(own) if place not in titles[:1])]
    # Words after the tune stand after it, wherever other fields are.
    return tuple(sorted(fields, key=lambda field: field[0] == "W"))


def _decode_field(letter: str, value: str) -> tuple[str, str]:
    """A field with its escapes resolved (`text_escapes`); user-defined symbols are no text."""
    return letter, value if letter == "U" else decode_text(value)


def write_field(letter: str, value: str) -> str:
    """A field as a line of ABC; line breaks in it become spaces, so that it stays one field.

    Raises:
        TuneError: a letter that is no text field's.
    """
    if len(letter) != 1 or letter not in KEPT_LETTERS:
        raise TuneError(f"{letter!r} is no field of text; those are {', '.join(KEPT_LETTERS)}.")
    return f"{letter}:{join_lines(value) if letter == 'U' else encode_text(value)}"


def join_lines(text: str) -> str:
    """Text as one line of ABC in which nothing is a comment.

    >>> join_lines("100% wool\\nK:C")
    '100\\\\% wool K:C'
    """
    return _PERCENT.sub(r"\\%", " ".join(part.strip() for part in text.splitlines()))


def find_values(fields: Fields, letter: str) -> list[str]:
    """The values of all fields of a letter."""
    return [value for name, value in fields if name == letter]
