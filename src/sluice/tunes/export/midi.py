"""Tunes as MIDI: repeats and endings played, at the tempo of their dance."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from sluice.extras import MissingExtraError
from sluice.tunes.export.harmony import find_chords
from sluice.tunes.export.instruments import find_instrument
from sluice.tunes.export.swing import swing_score
from sluice.tunes.notation.parts import order_bars
from sluice.tunes.notation.score import Event
from sluice.tunes.notation.transcription import Transcription
from sluice.tunes.theory.dances import FREE_METER, beat_length

TICKS_PER_QUARTER = 480
"""Ticks in a quarter note; an eighth has half."""
_MELODY_VELOCITY = 84
_GUITAR_PROGRAM = 25
_GUITAR_VELOCITY = 48


def microseconds_per_quarter(tune: Transcription) -> int:
    """Microseconds in a quarter note, as MIDI has it."""
    quarters = beat_length(tune.meter) / 2
    return round(60_000_000 / (tune.beats_per_minute * quarters))


class Note(NamedTuple):
    """A note as it sounds: start and length in eighths, and MIDI number."""

    start: Fraction
    length: Fraction
    pitch: int


def build_melody(tune: Transcription) -> list[Note]:
    """The notes of a tune in its key and swing, repeats and endings played, tied notes as one.

    Raises:
        InvalidTokensError: the tokens are no valid tune.
        TuneError: a swing out of range.
    """
    _, semitones = tune.interval
    bars = order_bars(swing_score(tune).bars, tune.parts, tune.part_order)
    events = [event for bar in bars for event in bar.events]
    return [note._replace(pitch=note.pitch + semitones) for note in _join_ties(events)]


def build_accompaniment(tune: Transcription) -> list[Note]:
    """What a guitar plays to it, on each beat: the bass of the chord, then the rest of it.

    Its own chord symbols, or else those of `harmonise`.
    """
    _, semitones = tune.interval
    score, step = tune.score, beat_length(tune.meter)
    chords = find_chords(score, tune)
    places = {bar.start: place for place, bar in enumerate(score.bars)}
    found: list[Note] = []
    now = Fraction(0)
    for bar in tune.played_bars:
        here = chords.get(places[bar.start], [])
        ends = [*(begin for begin, _ in here[1:]), bar.duration]
        for (begin, chord), end in zip(here, ends, strict=False):
            if chord is None:
                continue
            pitches = [(pitch + semitones) % 12 for pitch in chord.pitch_classes]
            bass = (chord.bass_pitch_class + semitones) % 12
            at = begin
            while at < end:
                length = min(step - at % step, end - at)
                found += _strum([bass] if at == begin else pitches, now + at, length)
                at += length
        now += bar.duration
    return found


def _strum(pitches: Sequence[int], start: Fraction, length: Fraction) -> list[Note]:
    """The bass alone, between E2 and D♯3, or the chord between D3 and C♯4."""
    if len(pitches) == 1:
        return [Note(start, length, 40 + (pitches[0] - 40) % 12)]
    return [Note(start, length, 50 + (pitch - 50) % 12) for pitch in pitches]


def _join_ties(events: Sequence[Event]) -> Iterator[Note]:
    """Start, length (in eighths) and MIDI number of every note, tied notes as one."""
    now, held = Fraction(0), dict[int, tuple[Fraction, Fraction]]()
    for event in events:
        going_on: dict[int, tuple[Fraction, Fraction]] = {}
        for pitch in dict.fromkeys(event.pitches):
            start, length = held.pop(pitch, (now, Fraction(0)))
            going_on[pitch] = (start, length + event.duration)
        for pitch, (start, length) in (*held.items(), *going_on.items()):
            if pitch not in going_on or pitch not in event.tied_pitches:
                yield Note(start, length, pitch)
        held = {pitch: going_on[pitch] for pitch in event.tied_pitches}
        now += event.duration
    yield from (Note(start, length, pitch) for pitch, (start, length) in held.items())


def to_midi(tune: Transcription) -> bytes:
    """A tune as a MIDI file of one track, on its instrument, with a soft guitar if it has chords.

    Raises:
        MissingExtraError: the library mido is not installed.
        TuneError: an unknown instrument, or a swing out of range.
        InvalidTokensError: the tokens are no valid tune.
    """
    try:
        import mido
    except ImportError:
        raise MissingExtraError("mido", "tunes") from None
    file, track = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_QUARTER), mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.MetaMessage("track_name", name=_to_latin1(tune.title)))
    track.append(mido.MetaMessage("set_tempo", tempo=microseconds_per_quarter(tune)))
    if tune.meter != FREE_METER:
        above, below = map(int, tune.meter.split("/"))
        if below & (below - 1) == 0:
            track.append(mido.MetaMessage("time_signature", numerator=above, denominator=below))
    program = find_instrument(tune.instrument).program
    voices = [(build_melody(tune), program, _MELODY_VELOCITY)]
    voices += (
        [(build_accompaniment(tune), _GUITAR_PROGRAM, _GUITAR_VELOCITY)] if tune.chords else []
    )
    changes: list[tuple[int, int, int, int, int]] = []
    for channel, (notes, program, velocity) in enumerate(voices):
        track.append(mido.Message("program_change", program=program, channel=channel))
        changes += _build_messages(notes, channel, velocity)
    now = 0
    for at, on, channel, pitch, velocity in sorted(changes):
        kind = "note_on" if on else "note_off"
        message = mido.Message(kind, note=pitch, velocity=velocity, channel=channel, time=at - now)
        track.append(message)
        now = at
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _build_messages(
    notes: Sequence[Note], channel: int, velocity: int
) -> Iterator[tuple[int, int, int, int, int]]:
    """When what goes on or off: ticks, whether on, channel, number, velocity."""
    for start, length, pitch in notes:
        first, last = _to_ticks(start), _to_ticks(start + length)
        yield first, 1, channel, pitch, velocity
        yield max(last, first + 1), 0, channel, pitch, 0


def _to_ticks(eighths: Fraction) -> int:
    return round(eighths * TICKS_PER_QUARTER / 2)


def _to_latin1(title: str) -> str:
    """MIDI's names are Latin-1."""
    return title.encode("latin-1", "replace").decode("latin-1")
