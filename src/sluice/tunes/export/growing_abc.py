"""The ABC of a tune that grows, written bar by bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sluice.tunes.errors import InvalidTokensError
from sluice.tunes.export.abc_writer import BARS_PER_LINE, AbcWriter, write_header
from sluice.tunes.notation import score
from sluice.tunes.notation.transcription import Transcription


class GrowingAbc:
    """Writes a tune as `to_abc` does, token by token, as far as its bars are complete.

    Accidentals and beams end with a bar, so each bar is written once, by itself. Chords,
    annotations and words are left out.

    Args:
        tune: as it begins: its name, key, meter and mode.

    >>> grown = GrowingAbc(Transcription(("M:2/4", "K:Cmaj"), "A", tonic="D"))
    >>> [grown.add(token) for token in "c 2 e 2 | g".split()]
    [False, False, False, False, True, False]
    >>> print(grown.text, end="")
    X:1
    T:A
    M:2/4
    L:1/8
    K:Dmaj
    d2 f2|
    """

    def __init__(self, tune: Transcription) -> None:
        self._head = "\n".join(write_header(tune)) + "\n"
        self._meter, self._lines, self._num_bars = tune.meter, [""], 0
        self._bar: list[str] = []
        self._line, self._is_opening = "", True
        self._has_note, self._is_broken = False, False
        bare = replace(tune, annotations={}, lyrics=(), parts=())
        self._writer = AbcWriter(bare, score.Score(tune.meter, tune.mode, ()), {})
        self._written: dict[tuple[str, ...], str] = {}

    @property
    def text(self) -> str:
        """The tune up to its last bar line; nothing before its first note."""
        return self._head + "\n".join(self._lines) + "\n" if self._has_note else ""

    @property
    def text_with_last_bar(self) -> str:
        """As `text`, with what there is of the bar that has begun; without that where its last
        element is not whole."""
        try:
            bar = self._write_bar() if not self._is_broken else ""
        except InvalidTokensError:
            return self.text
        has_note = self._has_note or _has_note(self._bar)
        return self._head + "\n".join(self._lines) + bar + "\n" if has_note else ""

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
        self._num_bars += 1
        if self._num_bars >= BARS_PER_LINE and not self._line[-1].isdigit():
            self._lines.append("")
            self._num_bars = 0

    def _finish_bar(self, line: str) -> bool:
        try:
            self._lines[-1] += self._write_bar()
        except InvalidTokensError:
            self._is_broken = True
            return False
        self._meter = self._writer.meter
        self._has_note = self._has_note or _has_note(self._bar)
        self._bar, self._line = [], line
        return self._has_note

    def _write_bar(self) -> str:
        """The bar that has begun.

        Raises:
            InvalidTokensError: it is no music, or not complete.
        """
        place = (self._meter, self._line, *self._bar)
        if place not in self._written:
            # A note in front, for a bar that has none.
            bars = score.parse([f"M:{self._meter}", "K:Cmaj", "c", "|", *self._bar]).bars
            self._writer.meter = self._meter
            self._writer.begin_bar(event for bar in bars[1:] for event in bar.events)
            before = [self._line, *self._bar]
            self._written[place] = "".join(
                self._writer.write_token(*pair) for pair in zip(before, self._bar, strict=False)
            )
        elif meters := [token for token in self._bar if score.METER.fullmatch(token)]:
            self._writer.meter = meters[-1].removeprefix("M:")
        return self._written[place]


def _has_note(tokens: Sequence[str]) -> bool:
    return any(token[0] in "^_=" or (token[0].isalpha() and token[1:2] != ":") for token in tokens)
