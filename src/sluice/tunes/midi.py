"""Tunes as MIDI: repeats and endings played, at the tempo of their dance."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import takewhile

from sluice.tunes.errors import MissingExtra
from sluice.tunes.score import Bar, Event, Score
from sluice.tunes.tokens import Tune

TICKS = 480
"""Ticks in a quarter note; an eighth has half."""
_FLUTE = 73
_VELOCITY = 84
# Beats a minute; a beat is a dotted quarter in compound meters, else a quarter.
_TEMPO = {
    "jig": 116,
    "slip jig": 116,
    "slide": 126,
    "reel": 200,
    "hornpipe": 160,
    "polka": 130,
    "march": 104,
    "waltz": 140,
    "strathspey": 132,
    "air": 84,
}
_USUAL_TEMPO = 112


def is_compound(meter: str) -> bool:
    """Whether a beat of this meter is a dotted note: 6/8, 9/8, 12/8, ..."""
    beats, unit = map(int, meter.split("/"))
    return unit >= 8 and beats > 3 and beats % 3 == 0


def tempo(tune: Tune) -> int:
    """Microseconds in a quarter note, as MIDI has it."""
    dance = next((name for name in _TEMPO if name in tune.rhythm), "")
    if tune.rhythm.startswith("slip"):
        dance = "slip jig"
    beats = _TEMPO.get(dance, _USUAL_TEMPO)
    quarters = Fraction(3, 2) if is_compound(tune.meter) else Fraction(1)
    return round(60_000_000 / (beats * quarters))


def performed(score: Score) -> list[Bar]:
    """The bars in the order in which they sound, repeats and endings played."""
    played: list[Bar] = []
    begin, at, time = 0, 0, 1
    while at < len(score.bars):
        bar = score.bars[at]
        if bar.opens and at != begin:
            begin, time = at, 1
        if bar.ending and time not in bar.ending:
            at += 1
            continue
        played.append(bar)
        if bar.closes and time < _times(score.bars, begin, at):
            at, time = begin, time + 1
            continue
        if bar.closes:
            begin, time = at + 1, 1
        at += 1
    return played


def _times(bars: Sequence[Bar], begin: int, at: int) -> int:
    """How often the part from `begin` to the repeat sign at `at`, and its endings, is played."""
    endings_after = takewhile(lambda bar: bar.ending and not bar.opens, bars[at + 1 :])
    return max([2, *(n for bar in (*bars[begin : at + 1], *endings_after) for n in bar.ending)])


def _notes(events: Sequence[Event]) -> Iterator[tuple[Fraction, Fraction, int]]:
    """Start, length (in eighths) and MIDI number of every note, tied notes as one."""
    now, held = Fraction(0), dict[int, tuple[Fraction, Fraction]]()
    for event in events:
        going_on: dict[int, tuple[Fraction, Fraction]] = {}
        for pitch in dict.fromkeys(event.pitches):
            start, length = held.pop(pitch, (now, Fraction(0)))
            going_on[pitch] = (start, length + event.duration)
        ended = [*held.items(), *([] if event.tied else going_on.items())]
        yield from ((start, length, pitch) for pitch, (start, length) in ended)
        held = going_on if event.tied else {}
        now += event.duration
    yield from ((start, length, pitch) for pitch, (start, length) in held.items())


def to_midi(tune: Tune) -> bytes:
    """A tune as a MIDI file of one track, on a flute.

    Raises:
        MissingExtra: the library mido is not installed.
        BadTokens: the tokens spell no tune.
    """
    try:
        import mido
    except ImportError:
        raise MissingExtra("mido") from None
    score = tune.score
    file, track = mido.MidiFile(type=0, ticks_per_beat=TICKS), mido.MidiTrack()
    file.tracks.append(track)
    above, below = map(int, score.meter.split("/"))
    track.append(mido.MetaMessage("track_name", name=_latin(tune.title)))
    track.append(mido.MetaMessage("set_tempo", tempo=tempo(tune)))
    if below & (below - 1) == 0:
        track.append(mido.MetaMessage("time_signature", numerator=above, denominator=below))
    track.append(mido.Message("program_change", program=_FLUTE))
    changes: list[tuple[int, int, int]] = []
    for start, length, pitch in _notes([e for bar in performed(score) for e in bar.events]):
        first, last = _ticks(start), _ticks(start + length)
        changes += [(first, 1, pitch), (max(last, first + 1), 0, pitch)]
    now = 0
    for at, on, pitch in sorted(changes):
        kind = "note_on" if on else "note_off"
        track.append(mido.Message(kind, note=pitch, velocity=_VELOCITY * on, time=at - now))
        now = at
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _ticks(eighths: Fraction) -> int:
    return round(eighths * TICKS / 2)


def _latin(title: str) -> str:
    """MIDI's names are Latin-1."""
    return title.encode("latin-1", "replace").decode("latin-1")
