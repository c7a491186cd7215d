"""The tunes of a file or text, in any of the forms that are read.

They are ABC, folk-rnn's tokens (`folk_rnn`), and The Session's JSON and CSV (`the_session`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from sluice.files import StrPath
from sluice.tunes.errors import NoTunesError
from sluice.tunes.notation import folk_rnn, the_session
from sluice.tunes.notation.abc_file import Block, find_blocks, split_lines
from sluice.tunes.notation.encodings import read_text
from sluice.tunes.notation.remarks import Remark


class TuneProblem(NamedTuple):
    """An entry of a table that is no tune: its line and name, and why."""

    line: int
    title: str
    reason: str


class TuneFile(NamedTuple):
    """Tunes that are cut apart and not yet read, entries without one, and what was left out."""

    blocks: list[Block]
    problems: tuple[TuneProblem, ...] = ()
    remarks: tuple[Remark, ...] = ()


def read_file(path: StrPath) -> TuneFile:
    """The tunes of a file.

    Raises:
        NoTunesError: it is empty, is no text, or holds no tune.
        TuneError: it cannot be opened.
    """
    text = read_text(path)
    found = split_tunes(text.characters, str(path))
    return found._replace(remarks=(*text.remarks, *found.remarks))


def split_tunes(text: str, source: str) -> TuneFile:
    """The tunes of a text; `source` names it in what is reported.

    Raises:
        NoTunesError: it holds no tune in any of the forms.
    """
    # A text in a program may be indented as a whole, and one from a file begin with a mark.
    text = textwrap.dedent(text.removeprefix("\ufeff"))
    if the_session.looks_like_json(text):
        return _collect_records(the_session.read_json(text, source), source)
    delimiter = the_session.find_delimiter(text)
    if delimiter is not None:
        return _collect_records(the_session.read_csv(text, delimiter, source), source)
    blocks, remarks = find_blocks(folk_rnn.split_tokens(split_lines(text)), source)
    if not blocks:
        raise NoTunesError(
            f"{source} holds no tune: no line begins with X:, as a tune in ABC does, no music "
            "stands below M: or K:, and it is no table of tunes."
        )
    joined = [replace(one, lines=tuple(folk_rnn.join_lengths(one.lines))) for one in blocks]
    return TuneFile(joined, (), remarks)


def _collect_records(records: Sequence[the_session.Record], source: str) -> TuneFile:
    blocks: list[Block] = []
    problems: list[TuneProblem] = []
    for record in records:
        found, _ = find_blocks(record.lines, source)
        reason = record.problem or "no music in the column abc"
        blocks += found
        problems += [] if found else [TuneProblem(record.line, record.title, reason)]
    if not records:
        raise NoTunesError(f"{source} is a table without tunes; give one with a row for each.")
    if not blocks:
        line, _, reason = problems[0]
        raise NoTunesError(
            f"{source}, line {line}: {reason}; no entry is a tune. {the_session.EXPECTED}."
        )
    return TuneFile(blocks, tuple(problems))
