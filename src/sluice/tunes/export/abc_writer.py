"""Tunes written out in ABC, in their own key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

from sluice.tunes.export.harmony import name_chords
from sluice.tunes.notation import score
from sluice.tunes.notation.annotations import (
    Annotation,
    rewrite_grace,
    split_items,
)
from sluice.tunes.notation.header_fields import join_lines, write_field
from sluice.tunes.notation.lyrics import write_verses
from sluice.tunes.notation.parts import TunePart
from sluice.tunes.notation.score import Bar
from sluice.tunes.notation.text_escapes import encode_text
from sluice.tunes.notation.transcription import Transcription
from sluice.tunes.theory.dances import beam_length, beat_length
from sluice.tunes.theory.keys import AccidentalTracker, Pitch

BARS_PER_LINE = 4


def to_abc(tune: Transcription, number: int = 1) -> str:
    """A tune in ABC, in its key and in eighths, ending in a line break.

    An accidental is written where the key and the bar do not already say it. Reading the text
    gives the tokens back where they are what reading gives (`from_abc`), so that ABC to tokens
    to ABC changes nothing the second time.

    Raises:
        InvalidTokensError: the tokens are no valid tune.
    """
    music = tune.score
    body = AbcWriter(tune, music, name_chords(music, tune)).write_lines()
    words = [write_field(*field) for field in tune.fields if field[0] == "W"]
    return "\n".join([*write_header(tune, number), *body, *words, ""])


def write_header(tune: Transcription, number: int = 1) -> list[str]:
    """The fields in front of a tune's music."""
    head = [f"X:{number}", f"T:{encode_text(tune.title) or 'Untitled'}"]
    head += [write_field(*field) for field in tune.fields if field[0] != "W"]
    head += [f"R:{tune.rhythm}"] if tune.rhythm else []
    head += [f"M:{tune.meter}", "L:1/8"]
    head += [f"Q:{beat_length(tune.meter) / 8}={tune.tempo}"] if tune.tempo else []
    head += [f"P:{tune.part_order}"] if tune.part_order else []
    return [*head, f"K:{tune.tonic}{tune.mode}"]


class AbcWriter:
    """Writes the body of a tune, token by token."""

    def __init__(self, tune: Transcription, music: score.Score, chords: Mapping[int, str]) -> None:
        self.tokens, self.meter = tune.tokens, music.meter
        self.interval, self.chords = tune.interval, chords
        self.annotations, self.lyrics = tune.written_annotations, tune.lyrics
        self.events: Iterator[tuple[int, score.Event]] = enumerate(music.events)
        self.accidentals = AccidentalTracker(tune.key.signature)
        self.labels = self._place_labels(tune.parts, music.bars)
        self.in_chord = False
        self.elapsed = Fraction(0)
        self.after = ""
        self.sung: list[list[int]] = [[]]

    def begin_bar(self, events: Iterable[score.Event]) -> None:
        """Go on with a bar of these events."""
        self.events = enumerate(events)
        self.accidentals.start_bar()
        self.elapsed, self.in_chord = Fraction(0), False

    def write_lines(self) -> list[str]:
        """Four bars to a line, each with the words below it, and each part's label above it."""
        body = ["", *self.tokens[2:], ""]
        lines, bars = [""], 0
        for place, (before, token, after) in enumerate(
            zip(body, body[1:-1], body[2:], strict=False), 2
        ):
            if place in self.labels:
                lines[-1] += self.close_event()
                self._start_line(lines)
                bars = 0
                lines[-1] = "".join(f"P:{label}\n" for label in self.labels[place])
            lines[-1] += self.write_token(before, token)
            if _is_bar_line(token) and before and after and not _is_bar_line(after):
                bars += 1
                if bars >= BARS_PER_LINE and not token[-1].isdigit():
                    self._start_line(lines)
                    bars = 0
        lines[-1] += self.close_event()
        words = write_verses(self.lyrics, self.sung)
        return [text for line, below in zip(lines, words, strict=True) for text in (line, *below)]

    def _start_line(self, lines: list[str]) -> None:
        if lines[-1]:
            lines.append("")
            self.sung.append([])

    def _place_labels(self, parts: Sequence[TunePart], bars: Sequence[Bar]) -> dict[int, list[str]]:
        """The labels of parts by the token before which they stand."""
        found: dict[int, list[str]] = {}
        for label, bar in parts:
            if bar < len(bars):
                start = bars[bar].start
                start -= self.tokens[start - 1] == "|:"
                found.setdefault(start, []).append(join_lines(label))
        return found

    def write_token(self, before: str, token: str) -> str:
        """A token behind another one, after what ends the event in front of it."""
        if token in ("]", "-") or score.DURATION.fullmatch(token):
            self.in_chord = self.in_chord and token != "]"
            return token
        closed = "" if self.in_chord else self.close_event()
        if _is_bar_line(token):
            return closed + self._write_bar_line(before, token)
        if match := score.METER.fullmatch(token):
            self.meter = match[1]
            return f"{closed}[{token}]"
        space = "" if self.in_chord or score.TUPLET.fullmatch(before) else self._write_space()
        return closed + space + self._write_element(token)

    def close_event(self) -> str:
        """What stands after the last event."""
        text, self.after = self.after, ""
        return self._mark_graces(text)

    def _write_bar_line(self, before: str, token: str) -> str:
        self.accidentals.start_bar()
        self.elapsed = Fraction(0)
        if not token[-1].isdigit():
            return token
        return ("[" + token[1:] if _is_bar_line(before) else token) + " "

    def _write_space(self) -> str:
        """Notes are written together within a beat."""
        return " " if self.elapsed and self.elapsed % beam_length(self.meter) == 0 else ""

    def _write_element(self, token: str) -> str:
        if score.TUPLET.fullmatch(token):
            return token
        before = ""
        if not self.in_chord:
            place, event = next(self.events)
            self.elapsed += event.duration
            before = self._begin_event(place, event)
        if token in ("[", "z"):
            self.in_chord = token == "["
            return before + token
        return before + self._write_note(Pitch.parse(token)[0].transpose(*self.interval))

    def _begin_event(self, place: int, event: score.Event) -> str:
        """What stands before an event; what stands after it is kept until it ends."""
        if event.pitches:
            self.sung[-1].append(place)
        before, self.after = self.annotations.get(place, Annotation())
        chord = f'"{self.chords[place]}"' if place in self.chords else ""
        return chord + self._mark_graces(before)

    def _mark_graces(self, text: str) -> str:
        return "".join(
            rewrite_grace(item.text, self._write_grace) if item.kind == "grace" else item.text
            for item in split_items(text)
        )

    def _write_grace(self, pitch: Pitch) -> str:
        sign = pitch.accidental if self.accidentals.needs_grace_sign(pitch) else ""
        return sign + pitch.without_accidental

    def _write_note(self, pitch: Pitch) -> str:
        return (
            pitch.accidental if self.accidentals.needs_sign(pitch) else ""
        ) + pitch.without_accidental


def _is_bar_line(token: str) -> bool:
    return score.BAR_LINE.fullmatch(token) is not None
