"""The lines of a tune in an ABC file, without comments and what only concerns its layout."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from sluice.tunes.notation.remarks import Remark

_COMMENT = re.compile(r"(?<!\\)%.*")
_FIELD = re.compile(r"([A-Za-z+]):(.*)", re.DOTALL)
# A line such as `A:| B2` is a note before a repeat sign and not a field.
_NOTE_BEFORE_BAR = re.compile(r"[A-Ga-gxz]:\s*(?:[|:]|\[[|\d])")
_BLOCK_END = re.compile(r"%%end\w+")
_BLOCK_START = re.compile(r"%%\s*begin(\w+)")
_TEXT_FIELDS = "ABCDFGHNORSTWZ"
"""Fields above K: whose value may go on in lines that are no field."""
_TEXTS = re.compile(r"\"[^\"]*\"|![^!|\s]*!|\[[A-Za-z]:[^\]]*\]|\+[a-z]+\+")
_DECORATION = re.compile(r"[H-Wh-w](?=[A-Ga-g^_=\[{(\"])|(?<=[\d)\]A-Ga-g])[HOS](?=\s*[:|])")
_WORD = re.compile(r"[^\W\d_]{3,}")
_LETTERS_OF_MUSIC = frozenset("ABCDEFGabcdefgxyzXZHLMOPSTuv")
_MAX_OTHER_LETTERS = {False: 0.3, True: 0.6}
"""The largest share of other letters in a line of music, by whether it has a bar line."""
_WORDS_OF_SUCH_LETTERS = re.compile(r"\W*(?i:coda|fade|end|da capo)\W*")


class Line(NamedTuple):
    """A line of a file, counted from 1, without its comment."""

    number: int
    text: str

    @property
    def field(self) -> tuple[str, str] | None:
        """The letter and value, where this is a field."""
        match = _FIELD.match(self.text)
        if match is None or _NOTE_BEFORE_BAR.match(self.text):
            return None
        return match[1], match[2].strip()


class TuneLines(NamedTuple):
    """The lines of one tune, and what was left out."""

    lines: tuple[Line, ...]
    remarks: tuple[Remark, ...]


def clean_lines(raw: Sequence[str], start: int, end: int) -> TuneLines:
    """The tune in `raw[start:end]`: up to an empty line after which no music follows.

    Comments, directives (`%%`) and blocks of them are taken out.
    """
    remarks: list[Remark] = []
    lines: list[Line] = []
    for paragraph in _split_paragraphs(raw, start, end):
        found = _strip_comments(paragraph)
        if lines and found.lines:
            if not _goes_on(lines, found.lines):
                remarks.append(Remark("text after a tune, left out", found.lines[0].number))
                break
            remarks.append(Remark("an empty line inside a tune", paragraph[0].number - 1))
        lines += found.lines
        remarks += found.remarks
    return TuneLines(tuple(_join_continuations(lines)), tuple(remarks))


def _join_continuations(lines: Sequence[Line]) -> list[Line]:
    """The lines with `+:`, and text that goes on above K:, joined to the field before."""
    found: list[Line] = []
    in_header = True
    for line in lines:
        letter, value = line.field or ("", line.text.strip())
        before = found[-1].field if found else None
        goes_on = in_header and not letter and before is not None and before[0] in _TEXT_FIELDS
        if goes_on or (letter == "+" and before is not None):
            found[-1] = Line(found[-1].number, f"{found[-1].text.rstrip()} {value}")
        else:
            found.append(line)
        in_header = in_header and letter != "K"
    return found


def _split_paragraphs(raw: Sequence[str], start: int, end: int) -> list[list[Line]]:
    """The lines between empty ones; a block of directives may hold such."""
    found: list[list[Line]] = [[]]
    ends = _find_last_block_ends(raw[start:end], start)
    block_end = ""
    for number in range(start, end):
        text = raw[number]
        if block_end:
            block_end = "" if text.startswith(block_end) else block_end
        elif match := _BLOCK_START.match(text):
            closing = f"%%end{match[1]}"
            block_end = closing if ends.get(closing, start) > number else ""
        elif not text.strip():
            found.append([])
            continue
        found[-1].append(Line(number + 1, text))
    return [paragraph for paragraph in found if paragraph]


def _strip_comments(paragraph: Sequence[Line]) -> TuneLines:
    lines: list[Line] = []
    remarks: list[Remark] = []
    ends = _find_last_block_ends([line.text for line in paragraph], 0)
    block_end, in_directive = "", False
    for place, (number, text) in enumerate(paragraph):
        if in_directive:
            in_directive = text.endswith("\\")
            continue
        if block_end:
            block_end = "" if text.startswith(block_end) else block_end
            continue
        if match := _BLOCK_START.match(text):
            closing = f"%%end{match[1]}"
            if ends.get(closing, -1) > place:
                block_end = closing
            remarks.append(Remark(f"%%begin{match[1]}, left out", number))
            continue
        if text.startswith("%%"):
            remarks.append(Remark("a directive (%%), left out", number))
            in_directive = text.endswith("\\")
            continue
        text = _COMMENT.sub("", text)
        if text.strip():
            lines.append(Line(number, text))
    return TuneLines(tuple(lines), tuple(remarks))


def _find_last_block_ends(texts: Sequence[str], first: int) -> dict[str, int]:
    """The last place of each `%%endNAME`, counted from `first`."""
    return {
        match[0]: place
        for place, text in enumerate(texts, first)
        if (match := _BLOCK_END.match(text))
    }


def _goes_on(lines: Sequence[Line], more: Sequence[Line]) -> bool:
    """Whether a tune goes on with the lines after an empty one: with fields, music or words."""
    if not any(line.field and line.field[0] == "K" for line in lines):
        return more[0].field is not None
    fields = [line.field[0] for line in more if line.field]
    if len(fields) == len(more):
        return all(letter in "wW" for letter in fields)
    music = [line.text for line in more if not line.field]
    return all("|" in text and not _has_words(_TEXTS.sub(" ", text)) for text in music)


def is_prose(text: str) -> bool:
    """Whether a line is words and not music.

    >>> is_prose("D.C. al Fine"), is_prose('"D.C. al Fine" d2|'), is_prose("kBkc k[dF]2H||")
    (True, False, False)
    """
    if _WORDS_OF_SUCH_LETTERS.fullmatch(text):
        return True
    text = _TEXTS.sub(" ", text)
    if "|" in text:
        text = _DECORATION.sub("", text)
    letters = [letter for letter in text if letter.isalpha()]
    other = sum(map(_is_other, letters))
    return other > _MAX_OTHER_LETTERS["|" in text] * len(letters) and _has_words(text)


def _has_words(text: str) -> bool:
    return any(sum(map(_is_other, word)) > 1 for word in _WORD.findall(text))


def _is_other(letter: str) -> bool:
    return letter not in _LETTERS_OF_MUSIC
