"""Tunes written out in ABC, in their own key."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from sluice.tunes import score
from sluice.tunes.chords import by_event
from sluice.tunes.dances import beamed, beat
from sluice.tunes.keys import Accidentals, Pitch
from sluice.tunes.tokens import Tune

_BARS_A_LINE = 4


def to_abc(tune: Tune, number: int = 1) -> str:
    """A tune in ABC, in its key and in eighths, ending in a line break.

    An accidental is written where the key and the bar do not already say it. Reading the text
    gives the tokens back where they are what reading gives (`from_abc`), so that ABC to tokens
    to ABC changes nothing the second time.

    Raises:
        BadTokens: the tokens spell no tune.
    """
    music = tune.score
    head = [f"X:{number}", f"T:{' '.join(tune.title.split()) or 'Untitled'}"]
    head += [f"R:{tune.rhythm}"] if tune.rhythm else []
    head += [f"M:{music.meter}", "L:1/8"]
    head += [f"Q:{beat(music.meter) / 8}={tune.tempo}"] if tune.tempo else []
    head += [f"K:{tune.tonic}{music.mode}"]
    chords = by_event(music, tune) if tune.chords else {}
    return "\n".join([*head, *_Writer(tune, music, chords).lines(), ""])


class _Writer:
    def __init__(self, tune: Tune, music: score.Score, chords: Mapping[int, str]) -> None:
        self.tokens, self.meter = tune.tokens, music.meter
        self.interval, self.chords = tune.interval, chords
        self.events = enumerate(music.events)
        self.accidentals = Accidentals(tune.key.signature)
        self.in_chord = False
        self.passed = Fraction(0)

    def lines(self) -> list[str]:
        """Four bars to a line."""
        body = ["", *self.tokens[2:], ""]
        pieces, bars = [], 0
        for before, token, after in zip(body, body[1:-1], body[2:], strict=False):
            pieces.append(self._piece(before, token))
            if _is_bar(token) and before and after and not _is_bar(after):
                bars += 1
                pieces.append("" if bars % _BARS_A_LINE else "\n")
        return "".join(pieces).split("\n")

    def _piece(self, before: str, token: str) -> str:
        if _is_bar(token):
            return self._bar(before, token)
        if match := score.METER.fullmatch(token):
            self.meter = match[1]
            return f"[{token}]"
        if token in ("]", "-") or score.DURATION.fullmatch(token):
            self.in_chord = self.in_chord and token != "]"
            return token
        space = "" if self.in_chord or score.TUPLET.fullmatch(before) else self._space()
        return space + self._element(token)

    def _bar(self, before: str, token: str) -> str:
        self.accidentals.new_bar()
        self.passed = Fraction(0)
        if not token[-1].isdigit():
            return token
        return ("[" + token[1:] if _is_bar(before) else token) + " "

    def _space(self) -> str:
        """Notes are written together within a beat."""
        return " " if self.passed and self.passed % beamed(self.meter) == 0 else ""

    def _element(self, token: str) -> str:
        if score.TUPLET.fullmatch(token):
            return token
        chord = ""
        if not self.in_chord:
            place, event = next(self.events)
            self.passed += event.duration
            chord = f'"{self.chords[place]}"' if place in self.chords else ""
        if token in ("[", "z"):
            self.in_chord = token == "["
            return chord + token
        return chord + self._note(Pitch.parse(token)[0].moved(*self.interval))

    def _note(self, pitch: Pitch) -> str:
        return (pitch.sign if self.accidentals.needed(pitch) else "") + pitch.bare


def _is_bar(token: str) -> bool:
    return score.BAR_LINE.fullmatch(token) is not None
