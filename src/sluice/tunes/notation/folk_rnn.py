"""Tunes as folk-rnn's data sets and programs write them: tokens with blanks between.

A tune is `M:`, `K:` and tokens such as `c 3 d c 2 B G |`, on lines of their own or on one; some
files add `X:`, `T:` or `L:`, others stand between `<s>` and `</s>` (Sturm et al. 2016, "Music
transcription modelling and composition using deep learning").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sluice.tunes.notation.abc_lines import Line

_MARK = re.compile(r"</?s>")
_ANY_FIELD = re.compile(r"\s*[A-Za-z]:")
_FIELD_TOKEN = r"[LMK]:[^\s:|]+"
_FIELD_TOKENS = re.compile(rf"\s*({_FIELD_TOKEN}(?:\s+{_FIELD_TOKEN})+)(?=\s|$)(.*)")
_NOTE = r"[_^=]*[A-Ga-gxz][,']*"
_SPACED_LENGTH = re.compile(rf"(?<![^\s\[])({_NOTE}|\])[ \t]+(\d+(?:/\d*)?|/+\d*)(?![^\s|:\]])")
_JOINED_LENGTH = re.compile(rf"{_NOTE}[\d/]")
_MODE_ALONE = re.compile(r"K:\s*(maj|min|dor|mix|lyd|phr|loc)\s*")


def split_tokens(lines: Sequence[Line]) -> list[Line]:
    """Lines of ABC: an empty one for `<s>` and `</s>`, and one for each field.

    >>> [line.text for line in split_tokens([Line(1, "<s> M:6/8 K:Cmaj |: c 3 </s>")])]
    ['', 'M:6/8', 'K:Cmaj', ' |: c 3 ', '']
    """
    return [Line(line.number, text) for line in lines for text in _split_line(line.text)]


def _split_line(text: str) -> Iterator[str]:
    if _ANY_FIELD.match(text) and not _FIELD_TOKENS.match(text):
        yield text  # as in T:<s>A title</s>
        return
    for place, piece in enumerate(_MARK.split(text)):
        if place:
            yield ""
        match = _FIELD_TOKENS.match(piece)
        if match is not None:
            yield from match[1].split()
            piece = match[2]
        if piece.strip() or (match is None and piece == text):
            yield piece


def join_lengths(lines: Sequence[Line]) -> list[Line]:
    """A tune's lines as ABC, if they are tokens: each length after its note, the unit an eighth.

    They are tokens if some length stands apart from its note, and none is joined to one.

    >>> tune = [Line(1, "M:4/4"), Line(2, "K:Cmaj"), Line(3, "c 3 d [ c e ] /2 G|")]
    >>> [line.text for line in join_lengths(tune)]
    ['M:4/4', 'L:1/8', 'K:Cmaj', 'c3 d [ c e ]/2 G|']
    """
    music = [line.text for line in lines if line.field is None]
    if any(map(_JOINED_LENGTH.search, music)) or not any(map(_SPACED_LENGTH.search, music)):
        return list(lines)
    has_unit = any(line.field is not None and line.field[0] == "L" for line in lines)
    joined: list[Line] = []
    for line in lines:
        if line.field is None:
            joined.append(Line(line.number, _SPACED_LENGTH.sub(r"\1\2", line.text)))
            continue
        if line.field[0] == "K" and not has_unit:
            joined.append(Line(line.number, "L:1/8"))
            has_unit = True
        joined.append(Line(line.number, _MODE_ALONE.sub(r"K:C\1", line.text)))
    return joined
