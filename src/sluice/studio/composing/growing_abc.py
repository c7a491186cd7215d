"""The ABC of a tune that grows, written bar by bar."""

from __future__ import annotations

from dataclasses import replace

from sluice.tunes.errors import InvalidTokensError
from sluice.tunes.notation import score
from sluice.tunes.tune import Tune

_BARS_PER_LINE = 4
_NOTE = "c"
"""Stands in front of a bar that is written by itself, which might have no note."""


class GrowingAbc:
    """What `TuneGrown.abc` gives at a bar line, without reading the whole tune each time.

    Accidentals and beams end with a bar, so each is written by itself.

    Args:
        tune: as it begins: its name, key, meter and mode.
    """

    def __init__(self, tune: Tune) -> None:
        self._tune, self._meter = tune, tune.meter
        self._head = self._write([f"M:{tune.meter}", f"K:C{tune.mode}", _NOTE])
        self._head = self._head[: self._head.rstrip("\n").rindex("\n") + 1]
        self._lines, self._bars = [""], 0
        self._bar: list[str] = []
        self._line, self._is_opening = "", True
        self._has_note, self._is_broken = False, False
        self._lengths: dict[tuple[str, str], int] = {}

    @property
    def text(self) -> str:
        """The tune up to its last bar line; nothing before its first note."""
        return self._head + "\n".join(self._lines) + "\n" if self._has_note else ""

    def add(self, token: str) -> bool:
        """Take a token of the body; whether `text` has changed."""
        if self._is_broken:
            return False
        is_line = score.BAR_LINE.fullmatch(token) is not None
        if not is_line and not self._bar and not self._is_opening:
            self._begin_bar()
        self._bar.append(token)
        if not is_line:
            self._is_opening = False
            return False
        return self._finish_bar(token)

    def _begin_bar(self) -> None:
        """Four bars stand in a line."""
        self._bars += 1
        if self._bars >= _BARS_PER_LINE and not self._line[-1].isdigit():
            self._lines.append("")
            self._bars = 0

    def _finish_bar(self, line: str) -> bool:
        head = [f"M:{self._meter}", f"K:C{self._tune.mode}", _NOTE, self._line or "|"]
        place = (self._meter, self._line)
        try:
            if place not in self._lengths:
                self._lengths[place] = len(self._write(head)) - 1
            bar = self._write([*head, *self._bar])[self._lengths[place] : -1]
        except InvalidTokensError:
            self._is_broken = True
            return False
        self._lines[-1] += bar
        self._meter = next(
            (t.removeprefix("M:") for t in reversed(self._bar) if t.startswith("M:")), self._meter
        )
        self._has_note = self._has_note or any(t[0] in "^_=" or t[0].isalpha() for t in self._bar)
        self._bar, self._line = [], line
        return self._has_note

    def _write(self, tokens: list[str]) -> str:
        return replace(self._tune, tokens=tuple(tokens)).abc()
