"""What the archive knows of a tune from its ABC, which itself is stored as it was typed."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise

from sluice.studio.archive.contours import compute_contour
from sluice.studio.archive.played import compute_played, write_incipit
from sluice.studio.errors import StudioError
from sluice.studio.languages import gettext as _
from sluice.tunes.errors import AbcSyntaxError, TuneError
from sluice.tunes.notation.abc_file import Block, find_blocks, split_lines
from sluice.tunes.notation.remarks import Remark
from sluice.tunes.notation.transcription import transcribe
from sluice.tunes.theory.dances import normalise_dance

MAX_BYTES = 8192
"""Of one tune in UTF-8."""
MAX_TUNES = 200
"""Of one file that is sent."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class TuneFacts:
    """What reading a tune's ABC found.

    Attributes:
        abc: the text, as typed.
        title: the first T: field, or nothing.
        meter, mode, tonic, dance: as `sluice.tunes` names them; empty where it reads none.
        contour: its notes as scale steps (`contours`); empty where it cannot be read.
        incipit: its first bars, in ABC; empty where it cannot be read.
        played: a hash of what sounds, equal for two spellings of the same music.
        words: its fields of text.
        line: where it begins in the text that was sent, from 1.
        problem: what cannot be read, with its line; nothing where all can.
        remarks: what reading left out.
    """

    abc: str
    title: str = ""
    meter: str = ""
    mode: str = ""
    tonic: str = ""
    dance: str = ""
    contour: str = ""
    incipit: str = ""
    played: str = ""
    words: str = ""
    line: int = 1
    problem: str = ""
    remarks: tuple[Remark, ...] = ()


def check_abc(abc: str, field: str = "abc", limit: int = MAX_BYTES) -> str:
    """ABC as it is stored: as typed, but lines end in newlines and none is empty at its end.

    Raises:
        StudioError: it is empty, too long, or has characters that are no text.
    """
    abc = abc.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    if not abc.strip():
        raise StudioError(_("There is no ABC yet; write or paste the tune."), field)
    found = _CONTROL.search(abc)
    if found:
        line = abc.count("\n", 0, found.start()) + 1
        raise StudioError(
            _("Line {line}: the character {code} is no text; please take it out.").format(
                line=line, code=f"U+{ord(found[0]):04X}"
            ),
            field,
        )
    size = len(abc.encode())
    if size > limit:
        raise StudioError(
            _("The ABC has {size} bytes; at most {limit} are taken.").format(
                size=size, limit=limit
            ),
            field,
        )
    return abc


def read_abc(abc: str, field: str = "abc") -> TuneFacts:
    """What one tune's ABC holds; where it cannot be read, `problem` says why.

    Raises:
        StudioError: `check_abc`, or it holds more than one tune.
    """
    abc = check_abc(abc, field)
    blocks = find_blocks(split_lines(abc), "")[0]
    if len(blocks) > 1:
        raise StudioError(
            _("This holds {count} tunes, the second from line {line} on; send one here.").format(
                count=len(blocks), line=blocks[1].line
            ),
            field,
        )
    return _read_block(blocks[0], abc) if blocks else _make_unread(abc)


def read_correct_abc(abc: str, field: str = "abc") -> TuneFacts:
    """What one tune's ABC holds.

    Raises:
        StudioError: `read_abc`, or something in it cannot be read; says what and on which line.
    """
    facts = read_abc(abc, field)
    if facts.problem:
        raise StudioError(facts.problem, field)
    return facts


def read_head(abc: str) -> TuneFacts:
    """Meter, mode, tonic and dance of stored ABC; its notes are not read."""
    blocks = find_blocks(split_lines(abc), "")[0]
    if not blocks:
        return TuneFacts(abc)
    try:
        return _read_header(blocks[0], TuneFacts(abc))
    except TuneError:
        return TuneFacts(abc)


def split_abc(text: str, field: str = "abc") -> list[TuneFacts]:
    """The tunes of a text or file, each with its own ABC.

    Raises:
        StudioError: the text is empty or too long, it has no tune or more than `MAX_TUNES`, or
            one of them has more than `MAX_BYTES`.
    """
    text = check_abc(text, field, MAX_BYTES * MAX_TUNES)
    lines = split_lines(text)
    blocks = find_blocks(lines, "")[0]
    if len(blocks) > MAX_TUNES:
        raise StudioError(
            _("This holds {count} tunes; at most {limit} are taken at a time.").format(
                count=len(blocks), limit=MAX_TUNES
            ),
            field,
        )
    if not blocks:
        return [_make_unread(check_abc(text, field))]
    found = []
    starts = [*(block.line - 1 for block in blocks), len(lines)]
    for block, (start, end) in zip(blocks, pairwise(starts), strict=True):
        own = [line.text for line in lines[start:end]]
        # The fields above the first tune hold for each, which would lose them when it stands alone.
        has_number = own[0].startswith("X:")
        own[has_number:has_number] = [line.text for line in block.defaults]
        abc = "\n".join(own).strip("\n")
        size = len(abc.encode())
        if size > MAX_BYTES:
            raise StudioError(
                _("Line {line}: this tune has {size} bytes; at most {limit} are taken.").format(
                    line=block.line, size=size, limit=MAX_BYTES
                ),
                field,
            )
        found.append(_read_block(block, abc))
    return found


def _make_unread(abc: str) -> TuneFacts:
    return TuneFacts(
        abc, problem=_("There is no tune in this text: no line begins with X: and none with K:.")
    )


def _read_block(block: Block, abc: str) -> TuneFacts:
    title = "" if block.title.startswith("X:") else block.title
    facts = TuneFacts(abc, _clean(title)[:200], words=_read_words(block), line=block.line)
    try:
        facts = _read_header(block, facts)
        tune = transcribe(block)
        return replace(
            facts,
            meter=tune.meter[:16],
            dance=normalise_dance(tune.rhythm)[:40],
            contour=compute_contour(tune),
            incipit=write_incipit(tune),
            played=compute_played(tune),
            remarks=tune.remarks,
        )
    except AbcSyntaxError as error:
        sentence = _("Line {line}: {reason}.").format(line=error.line, reason=error.reason)
    except TuneError as error:
        sentence = str(error)
    return replace(facts, problem=sentence)


def _read_header(block: Block, facts: TuneFacts) -> TuneFacts:
    header = block.parse_header()
    return replace(
        facts,
        meter=header.meter[:16],
        mode=header.sounding_key.mode,
        tonic=header.sounding_key.tonic,
        dance=normalise_dance(header.rhythm)[:40],
    )


def _clean(text: str) -> str:
    return " ".join(text.split())


def _read_words(block: Block) -> str:
    values = [value for letter, value in block.text_fields() if letter != "U"]
    return _clean(" ".join(values))[:4000]
