"""Melodies as scale steps, by which they are found in any key.

A contour is a digit from 1 (the tonic) to 7 for each note, whatever its octave, accidental and
length. A note that repeats the one before adds nothing, so that a long note and the same note
played often are alike; rests, grace notes and chord symbols are passed over, and of notes that
sound together the highest counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice

from sluice.studio.errors import StudioError
from sluice.studio.languages import gettext as _
from sluice.tunes.notation.parts import order_bars
from sluice.tunes.notation.score import Bar, Score
from sluice.tunes.notation.transcription import Transcription
from sluice.tunes.theory.keys import LETTERS

MAX_STEPS = 2000
_MAX_BARS = 20_000
MIN_WANTED = 4
MAX_WANTED = 32
MAX_TEXT = 500
"""Of a query, in characters."""

GRAM = 6
"""The notes that a word of the index holds."""
_STRIDE = 2

_LEFT_OUT = re.compile(r'"[^"]*"|\{[^{}]*\}|![^!|\s]*!|\[[A-Za-z]:[^\]]*\]')
_PIECE = re.compile(
    r"(?P<chord>\[[\^_=A-Ga-g,'\d/]+\])|[\^_=]*(?P<note>[A-Ga-g])[,']*"
    r"|(?P<other>[zxZ]|[\d/<>|:\[\]().~\s\-,;LMNOPSTHuv]+)"
)
_STEPS = re.compile(r"[1-7\s,'\-|.]+")


def compute_contour(tune: Transcription) -> str:
    """The contour of a tune as it is played, at most `MAX_STEPS` long.

    >>> from sluice.tunes.tune import Tune
    >>> compute_contour(Tune(tuple("M:4/4 K:Cmaj |: G G c 2 ^f e z :|".split())))
    '51435143'
    """
    steps = _list_steps(tune)
    return "".join(str(step) for step, _same in islice(groupby(steps), MAX_STEPS))


def list_played_bars(tune: Transcription, music: Score) -> list[Bar]:
    """The bars of a tune's score as they sound; as written where their order makes them a flood."""
    order = tune.part_order
    if len(order) * len(music.bars) > _MAX_BARS:
        order = ""
    return order_bars(music.bars, tune.parts, order)


def _list_steps(tune: Transcription) -> Iterator[int]:
    # The tokens stand on a root of C, so that letters alone tell one step from another.
    for bar in list_played_bars(tune, tune.score):
        highest: int | None = None
        in_chord = False
        for token in tune.tokens[bar.start : bar.stop]:
            if token == "[":
                in_chord, highest = True, None
            elif token == "]":
                in_chord = False
                if highest is not None:
                    yield highest % 7 + 1
            elif match := _TOKEN.fullmatch(token):
                step = _count_steps(match)
                if not in_chord:
                    yield step % 7 + 1
                elif highest is None or step > highest:
                    highest = step


_TOKEN = re.compile(r"[\^_=]*([A-Ga-g])([,']*)")


def _count_steps(match: re.Match[str]) -> int:
    """Letters up from middle C."""
    octaves = match[1].islower() + match[2].count("'") - match[2].count(",")
    return LETTERS.index(match[1].upper()) + 7 * octaves


@dataclass(frozen=True)
class NotesQuery:
    """A melody that is searched for.

    Attributes:
        steps: it as a contour, on a tonic of C where it was given in letters.
        is_letters: whether it was, so that any letter may be the tonic.
    """

    steps: str
    is_letters: bool

    def list_contours(self) -> list[tuple[str, str]]:
        """The contours that match, each with the tonic that letters have then, or nothing."""
        if not self.is_letters:
            return [(self.steps, "")]
        return [
            ("".join(str((int(step) - 1 - shift) % 7 + 1) for step in self.steps), tonic)
            for shift, tonic in enumerate(LETTERS)
        ]


def parse_notes(text: str) -> NotesQuery:
    """Read notes that are searched for: letters as in ABC, or steps from 1 to 7.

    >>> parse_notes("GABd"), parse_notes("1 2 3 5").list_contours()
    (NotesQuery(steps='5672', is_letters=True), [('1235', '')])

    Raises:
        StudioError: something that is no note, or fewer than `MIN_WANTED`.
    """
    if len(text) > MAX_TEXT:
        raise StudioError(
            _("The notes have {count} characters; at most {limit} are searched for.").format(
                count=len(text), limit=MAX_TEXT
            ),
            "notes",
        )
    is_letters = _STEPS.fullmatch(text) is None
    steps = _read_letters(text) if is_letters else re.sub(r"\D", "", text)
    steps = "".join(step for step, _same in groupby(steps))[:MAX_WANTED]
    if len(steps) < MIN_WANTED:
        raise StudioError(
            _(
                "Write at least {count} notes, not counting repeated ones: letters as in GABd, or "
                "steps of the scale as in 1235."
            ).format(count=MIN_WANTED),
            "notes",
        )
    return NotesQuery(steps, is_letters)


def _read_letters(text: str) -> str:
    plain = _LEFT_OUT.sub(" ", text)
    steps, place = [], 0
    while place < len(plain):
        match = _PIECE.match(plain, place)
        if match is None:
            raise StudioError(
                _(
                    "“{piece}” is no note. Write letters as in GABd, or steps of the scale as in "
                    "1235."
                ).format(piece=plain[place : place + 10].strip()),
                "notes",
            )
        place = match.end()
        if match["note"]:
            steps.append(LETTERS.index(match["note"].upper()) + 1)
        elif match["chord"]:
            notes = [_count_steps(note) for note in _TOKEN.finditer(match["chord"])]
            steps += [max(notes) % 7 + 1] if notes else []
    return "".join(map(str, steps))


def list_grams(contour: str) -> set[str]:
    """The words under which a contour is found: every six notes, and fewer at its end.

    What it begins with has words of its own, which begin with an s.

    >>> sorted(list_grams("1235321"))
    ['123532', '235321', '35321', '5321', 's12353']
    """
    grams = {
        contour[start : start + GRAM] for start in range(max(len(contour) - MIN_WANTED + 1, 0))
    }
    if grams:
        grams.add(f"s{contour[: GRAM - 1]}")
    return grams


def list_wanted_grams(contour: str) -> list[str]:
    """Some words that a contour must have to hold this one; a short one may be a word's beginning.

    >>> list_wanted_grams("123532143"), list_wanted_grams("1235")
    (['123532', '353214', '532143'], ['1235'])
    """
    last = max(len(contour) - GRAM, 0)
    return [contour[start : start + GRAM] for start in (*range(0, last, _STRIDE), last)]
