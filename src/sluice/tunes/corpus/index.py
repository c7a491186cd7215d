"""An index of the training tunes, to be searched for copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sluice.tunes.errors import TuneError

_WINDOW_SIZE = 8


def _hash_windows(text: str) -> NDArray[np.uint64]:
    """A number for every `_WINDOW_SIZE` characters in a row, the same for the same characters."""
    codes = np.array([ord(letter) for letter in text], np.uint64)
    count = max(len(codes) - _WINDOW_SIZE + 1, 0)
    numbers = np.zeros(count, np.uint64)
    for place in range(_WINDOW_SIZE):
        numbers = numbers * np.uint64(1_000_003) + codes[place : place + count]
    return numbers


class NearestTune(NamedTuple):
    """A training tune, by place and title (empty if unknown), and the run of tokens that it shares:
    how long, and where it starts in the tokens that were asked about."""

    tune: int
    run: int
    start: int
    title: str = ""


class TuneIndex:
    """Every run of tokens of the training tunes, to be asked for the longest in common.

    Args:
        tunes: the tokens of each, without meter and mode.
        titles: of the same tunes, where they are known.
    """

    def __init__(self, tunes: Sequence[Sequence[str]], titles: Sequence[str] = ()) -> None:
        codes: dict[str, int] = {}
        for tokens in tunes:
            for token in tokens:
                codes.setdefault(token, len(codes) + 2)
        self.has_tunes = len(tunes) > 0
        self._titles = tuple(titles)
        self._codes = {token: chr(code) for token, code in codes.items()}
        self._text = "\x00" + "\x00".join("".join(map(self._codes.get, t)) for t in tunes) + "\x00"  # type: ignore[arg-type]

        self._windows = np.unique(_hash_windows(self._text))

    def _match_windows(self, text: str) -> NDArray[np.bool_]:
        """For each place of `text` whether the window that begins there is a training tune's.

        Rarely true by chance, never falsely false.
        """
        asked = _hash_windows(text)
        if not len(self._windows):
            return np.zeros(len(asked), np.bool_)
        # np.isin would sort all of the windows at every call.
        places = self._windows.searchsorted(asked).clip(max=len(self._windows) - 1)
        return np.asarray(self._windows[places] == asked)

    def find_nearest(self, tokens: Sequence[str]) -> NearestTune | None:
        """The training tune that shares the longest run of tokens; None if all share nothing.

        Raises:
            TuneError: there are no training tunes.

        >>> TuneIndex(["c d e f".split(), "g a b".split()]).find_nearest("c g a b d".split())
        NearestTune(tune=1, run=3, start=1, title='')
        """
        if not self.has_tunes:
            raise TuneError(
                "This model file does not carry its training tunes, so the nearest of them is "
                "unknown; ask a model file that `sluice train tunes` wrote."
            )
        text = "".join(self._codes.get(token, "\x01") for token in tokens)
        best, first = 0, 0
        known = self._match_windows(text)
        for start in range(len(text)):
            # All windows of a longer run must be known before it is worth a search.
            if best >= _WINDOW_SIZE and not known[start : start + best + 2 - _WINDOW_SIZE].all():
                continue
            while start + best < len(text) and text[start : start + best + 1] in self._text:
                best, first = best + 1, start
        if not best:
            return None
        place = self._text.find(text[first : first + best])
        tune = max(self._text.count("\x00", 0, place) - 1, 0)
        title = self._titles[tune] if tune < len(self._titles) else ""
        return NearestTune(tune, best, first, title)
