"""The notes and the score of a tune given as a model's tokens, each with the token it is from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from sluice.extras import MissingExtraError
from sluice.report.music import TokenMusic, TokenNote
from sluice.tunes.errors import InvalidTokensError, TuneError
from sluice.tunes.export.engraving import to_svg
from sluice.tunes.export.midi import microseconds_per_quarter
from sluice.tunes.notation import score
from sluice.tunes.notation.model_tokens import RHYTHM, ModelTokens, split_count
from sluice.tunes.tune import Tune

NARROW_WIDTH = 900
"""Of a page for a telephone, in tenths of a millimetre."""


def read_music(tokens: Sequence[str]) -> TokenMusic | None:
    """What the tokens of a tune sound like, on the root C of their keys.

    A tune that breaks off is read up to its last bar line. None where the tokens are no tune.

    Example:
        >>> music = read_music("R:jig M:6/8 K:Cmaj |{1} c 2 e g 3 :|{0}".split())
        >>> [(note.token, note.stop, note.pitch) for note in music.notes]
        [(4, 6, 72), (6, 7, 76), (7, 9, 79)]
        >>> [round(note.start, 2) for note in music.notes]
        [0.0, 0.36, 0.54]
    """
    rhythm, body = ModelTokens().decode(tokens)
    kept, remark = _cut_to_music(body)
    if not kept:
        return None
    tune = Tune(kept, rhythm=rhythm)
    places = _place_tokens(tokens, len(kept))
    events = [(places[first], places[last] + 1) for first, last in _find_events(kept)]
    drawn, narrow, why = _draw(tune)
    eighth = microseconds_per_quarter(tune) / 2e6
    return TokenMusic(
        list(_list_notes(tune.score, events, eighth)),
        _list_bar_starts(tune.score, eighth),
        drawn,
        narrow,
        {f"e{number}": span for number, span in enumerate(events)} if drawn else {},
        " ".join(filter(None, (remark, why))),
    )


def _cut_to_music(body: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """As much of the tokens as is music, and why that is not all; nothing if none is."""
    try:
        score.parse(body)
    except InvalidTokensError as error:
        stop = min(error.position, len(body))
        lines = [k for k in range(2, stop) if score.BAR_LINE.fullmatch(body[k])]
        for last in reversed(lines):
            try:
                score.parse(body[: last + 1])
            except InvalidTokensError:
                continue
            return tuple(body[: last + 1]), f"The music ends early: {error.reason}."
        return (), ""
    return tuple(body), ""


def _place_tokens(tokens: Sequence[str], count: int) -> list[int]:
    """For each of a tune's own tokens its index among those of the model."""
    head = 1 if tokens and RHYTHM.fullmatch(tokens[0]) else 0
    opened = len(tokens) > head + 2 and split_count(tokens[head + 2])[0] == "|"
    return [head + k + (opened and k >= 2) for k in range(count)]


def _find_events(tokens: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Of each event the indices of its first and of its last token."""
    first = last = -1
    in_chord = False
    for place, token in enumerate(tokens):
        if place < 2:
            continue
        apart = score.BAR_LINE.fullmatch(token) or score.METER.fullmatch(token)
        if apart or score.TUPLET.fullmatch(token):
            continue
        follows = in_chord or token in ("]", "-") or score.DURATION.fullmatch(token)
        if not follows:
            if first >= 0:
                yield first, last
            first = place
        in_chord = (in_chord or token == "[") and token != "]"
        last = place
    if first >= 0:
        yield first, last


def _list_notes(
    music: score.Score, events: Sequence[tuple[int, int]], eighth: float
) -> Iterator[TokenNote]:
    """Every note once, those that are tied as one."""
    held: dict[int, TokenNote] = {}
    now = Fraction(0)
    for (first, stop), event in zip(events, music.events, strict=True):
        start, length = float(now) * eighth, float(event.duration) * eighth
        going_on: dict[int, TokenNote] = {}
        for pitch in dict.fromkeys(event.pitches):
            before = held.pop(pitch, None)
            note = TokenNote(first, stop, start, length, pitch)
            if before is not None:
                note = before._replace(stop=stop, length=before.length + length)
            if pitch in event.tied_pitches:
                going_on[pitch] = note
            else:
                yield note
        yield from held.values()
        held = going_on
        now += event.duration
    yield from held.values()


def _list_bar_starts(music: score.Score, eighth: float) -> list[float]:
    starts, now = [], Fraction(0)
    for bar in music.bars:
        starts.append(float(now) * eighth)
        now += bar.duration
    return starts


def _draw(tune: Tune) -> tuple[str | None, str | None, str]:
    """The score on a wide page and on a narrow one, or why there is none."""
    try:
        return tune.svg(), to_svg(tune, NARROW_WIDTH), ""
    except (MissingExtraError, TuneError) as error:
        return None, None, str(error)
