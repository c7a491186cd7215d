"""Statistics of composed tunes and of the corpus, for comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from sluice.tunes.errors import InvalidTokensError, TuneError
from sluice.tunes.notation.score import Bar, Score
from sluice.tunes.tune import Tune


@dataclass(frozen=True)
class TuneStatistics:
    """Means over tunes.

    Attributes:
        exact_bars: Of the inner bars (not first or last, nor at a repeat or an
            ending, where upbeats are made up for), the part whose notes fill the meter exactly.
        on_tonic: The part of the tunes whose last note is the root.
        unique_bars: Different bars over all bars.
        copied: The longest run of tokens, without meter and mode, that some training tune has too.
        copied_part: That run as a part of the tune's tokens.
    """

    exact_bars: float
    on_tonic: float
    unique_bars: float
    copied: float
    copied_part: float


_WINDOW_SIZE = 8


def _hash_windows(text: str) -> NDArray[np.uint64]:
    """A number for every `_WINDOW` characters in a row, the same for the same characters."""
    codes = np.array([ord(letter) for letter in text], np.uint64)
    count = max(len(codes) - _WINDOW_SIZE + 1, 0)
    numbers = np.zeros(count, np.uint64)
    for place in range(_WINDOW_SIZE):
        numbers = numbers * np.uint64(1_000_003) + codes[place : place + count]
    return numbers


class NearestTune(NamedTuple):
    """The place of a training tune, and the run of tokens that it shares: its length and where
    it starts in the tokens that were asked about."""

    tune: int
    run: int
    start: int


class TuneIndex:
    """Every run of tokens of the training tunes, to be asked for the longest in common."""

    def __init__(self, tunes: Sequence[Sequence[str]]) -> None:
        codes: dict[str, int] = {}
        for tokens in tunes:
            for token in tokens:
                codes.setdefault(token, len(codes) + 2)
        self.has_tunes = len(tunes) > 0
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

    def find_longest_run(self, tokens: Sequence[str]) -> int:
        """How many tokens in a row some training tune has too."""
        return self.find_nearest(tokens).run

    def find_nearest(self, tokens: Sequence[str]) -> NearestTune:
        """The training tune that shares the longest run of tokens.

        >>> TuneIndex(["c d e f".split(), "g a b".split()]).find_nearest("c g a b d".split())
        NearestTune(tune=1, run=3, start=1)
        """
        text = "".join(self._codes.get(token, "\x01") for token in tokens)
        best, first = 0, 0
        known = self._match_windows(text)
        for start in range(len(text)):
            # All windows of a longer run must be known before it is worth a search.
            if best >= _WINDOW_SIZE and not known[start : start + best + 2 - _WINDOW_SIZE].all():
                continue
            while start + best < len(text) and text[start : start + best + 1] in self._text:
                best, first = best + 1, start
        place = self._text.find(text[first : first + best]) if best else 0
        return NearestTune(max(self._text.count("\x00", 0, place) - 1, 0), best, first)


def compute_statistics(tunes: Sequence[Tune], index: TuneIndex) -> TuneStatistics:
    """The statistics of `tunes`, with copies of the tunes in `index`.

    Raises:
        TuneError: no tunes.
    """
    if not tunes:
        raise TuneError("There are no tunes to measure; compose or read at least one.")
    scores = [tune.score for tune in tunes]
    runs = [index.find_longest_run(tune.tokens[2:]) for tune in tunes]
    parts = [run / (len(tune.tokens) - 2) for run, tune in zip(runs, tunes, strict=True)]
    return TuneStatistics(
        fmean(_exact_bar_fraction(score) for score in scores),
        fmean(_ends_on_tonic(score) for score in scores),
        fmean(_unique_bar_fraction(tune, score) for tune, score in zip(tunes, scores, strict=True)),
        fmean(runs),
        fmean(parts),
    )


def measure_tune(tune: Tune) -> dict[str, float]:
    """The same of one tune, without copies; empty where its tokens are no valid tune.

    >>> measure_tune(Tune(tuple("M:2/4 K:Cmaj c 4 | d 4 | c 4 |".split())))
    {'exact_bars': 1.0, 'on_tonic': 1.0, 'unique_bars': 0.6666666666666666}
    """
    try:
        score = tune.score
    except InvalidTokensError:
        return {}
    return {
        "exact_bars": _exact_bar_fraction(score),
        "on_tonic": float(_ends_on_tonic(score)),
        "unique_bars": _unique_bar_fraction(tune, score),
    }


def _exact_bar_fraction(score: Score) -> float:
    inner = [bar for bar in score.bars[1:-1] if not _is_at_repeat(score.bars, bar)]
    return fmean(bar.duration == bar.length for bar in inner) if inner else 1.0


def _is_at_repeat(bars: Sequence[Bar], bar: Bar) -> bool:
    place = bars.index(bar)
    after = bars[place + 1]
    before = bars[place - 1]
    return bar.opens or bar.closes or bool(bar.ending) or after.opens or before.closes


def _ends_on_tonic(score: Score) -> bool:
    last = next(event for event in reversed(score.events) if event.pitches)
    return last.pitches[0] % 12 == 0


def _unique_bar_fraction(tune: Tune, score: Score) -> float:
    spelt = [tune.tokens[bar.start : bar.stop] for bar in score.bars]
    return len(set(spelt)) / len(spelt)


def is_valid_tune(tune: Tune) -> bool:
    """Whether the tokens can be read as music."""
    try:
        return bool(tune.score.bars)
    except InvalidTokensError:
        return False


def to_dict(statistics: TuneStatistics) -> dict[str, float]:
    """The measures as plain numbers, for a file."""
    return asdict(statistics)


def from_dict(figures: Mapping[str, float]) -> TuneStatistics:
    """What `to_dict` gave. Raises TuneError where some are missing."""
    try:
        return TuneStatistics(
            **{name: float(figures[name]) for name in TuneStatistics.__dataclass_fields__}
        )
    except (KeyError, TypeError, ValueError):
        raise TuneError(
            "This model file carries no measures of its training tunes; train again."
        ) from None


class SupportsStatistics(Protocol):
    """What the table needs: the corpus's own statistics, and an index of the training tunes."""

    @property
    def corpus(self) -> TuneStatistics: ...

    @property
    def index(self) -> TuneIndex: ...


def build_table(composed: Sequence[Tune], composer: SupportsStatistics) -> Table:
    """The measures of composed tunes beside those of the corpus's validation tunes.

    Copies are left out where the composer has no training tunes.
    """
    mine, theirs = compute_statistics(composed, composer.index), composer.corpus
    shown = Table("", "composed", "corpus", title="Measures", title_justify="left", box=None)
    rows = [
        ("interior bars of exact length", "exact_bars", "{:.0%}"),
        ("ends on the tonic", "on_tonic", "{:.0%}"),
        ("different bars", "unique_bars", "{:.0%}"),
    ]
    if composer.index.has_tunes:
        rows += [
            ("longest copied run, tokens", "copied", "{:.0f}"),
            ("the same, part of the tune", "copied_part", "{:.0%}"),
        ]
    for label, name, form in rows:
        shown.add_row(label, *(form.format(getattr(m, name)) for m in (mine, theirs)))
    return shown
