"""Escapes in ABC's text (ABC 2.1, section 8.2): accents, entities, code points, special signs."""

from __future__ import annotations

import html
import re
import unicodedata

_ACCENTS = {
    "`": "\u0300",
    "'": "\u0301",
    "^": "\u0302",
    "~": "\u0303",
    "=": "\u0304",
    "u": "\u0306",
    ".": "\u0307",
    '"': "\u0308",
    "o": "\u030a",
    "r": "\u030a",
    "H": "\u030b",
    "v": "\u030c",
    ",": "\u0327",
    "c": "\u0327",
    ";": "\u0328",
}
"""The combining character of each sign before a letter."""
_LETTERS = {
    "AA": "Å",
    "aa": "å",
    "AE": "Æ",
    "ae": "æ",
    "OE": "Œ",
    "oe": "œ",
    "ss": "ß",
    "DH": "Ð",
    "dh": "ð",
    "TH": "Þ",
    "th": "þ",
    "/O": "Ø",
    "/o": "ø",
    "/L": "Ł",
    "/l": "ł",
    "/D": "Đ",
    "/d": "đ",
    **{sign: sign for sign in "\\%&-_*|"},
}
_ESCAPE = re.compile(
    r"\\(?:u(?P<short>[0-9a-fA-F]{4})|U(?P<long>000[0-9a-fA-F]{5})"
    rf"|(?P<letter>{'|'.join(re.escape(name) for name in _LETTERS)})"
    rf"|(?P<accent>[{re.escape(''.join(_ACCENTS))}])(?P<base>[A-Za-z]))"
    r"|(?P<entity>&#?\w+;)"
)
_SPECIAL = re.compile(r"[\\%]|&(?=#?\w+;)")


def decode_text(text: str) -> str:
    r"""The text of a field with its escapes resolved; what is no escape stays.

    >>> decode_text(r"\'Elan"), decode_text("&Eacute;lan"), decode_text(r"50\% \u00e9t\'e")
    ('Élan', 'Élan', '50% été')
    """
    return _ESCAPE.sub(_resolve_escape, text)


def encode_text(text: str) -> str:
    r"""Text as one line of ABC that reads as `text`: its signs that mean something escaped.

    >>> encode_text("50% Élan"), decode_text(encode_text(r"a \'e"))
    ('50\\% Élan', "a \\'e")
    """
    line = " ".join(part.strip() for part in text.splitlines())
    return _SPECIAL.sub(lambda match: "\\" + match[0], line.strip())


def _resolve_escape(match: re.Match[str]) -> str:
    if code := match["short"] or match["long"]:
        number = int(code, 16)
        is_character = number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF
        found = chr(number) if is_character else match[0]
    elif match["letter"]:
        return _LETTERS[match["letter"]]
    elif match["entity"]:
        found = html.unescape(match[0])
    else:
        found = unicodedata.normalize("NFC", match["base"] + _ACCENTS[match["accent"]])
        found = found if len(found) == 1 else match[0]
    return found if found.isprintable() else match[0]
