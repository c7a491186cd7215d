"""Words as search compares them: without case, accents and apostrophes."""

from __future__ import annotations

import re
import unicodedata

MAX_WORD = 64
_WORD = re.compile(r"[^\W_]+")
_APOSTROPHES = re.compile(r"(?<=\w)['’ʼ`´](?=\w)")
_LETTERS = str.maketrans(
    {"ø": "o", "Ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "ß": "ss", "ð": "d", "þ": "th",
     "ı": "i"}
)  # fmt: skip


def fold_words(text: str) -> list[str]:
    """The words of a text.

    >>> fold_words("Séamus Ó Catháin's jig, no. 2")
    ['seamus', 'o', 'cathains', 'jig', 'no', '2']
    """
    text = _APOSTROPHES.sub("", text).casefold().translate(_LETTERS)
    plain = "".join(
        character
        for character in unicodedata.normalize("NFKD", text)
        if not unicodedata.combining(character)
    )
    return [word[:MAX_WORD] for word in _WORD.findall(plain)]


def list_indexed_words(text: str) -> list[str]:
    """The words of a text, those with an apostrophe also as two: `ocarolan`, `o`, `carolan`.

    >>> list_indexed_words("O'Carolan's cup")
    ['ocarolans', 'cup', 'o', 'carolan', 's']
    """
    whole = fold_words(text)
    parts = fold_words(_APOSTROPHES.sub(" ", text))
    return [*whole, *(word for word in parts if word not in set(whole))]
