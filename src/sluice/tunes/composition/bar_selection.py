"""Tunes without some of their bars: cleared to be filled, or left out to be continued."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sluice.tunes.composition.gaps import find_places
from sluice.tunes.notation import score
from sluice.tunes.notation.annotation_edits import replace_tokens
from sluice.tunes.notation.transcription import GAP
from sluice.tunes.tune import Tune


def clear_bars(tune: Tune, numbers: Sequence[int]) -> Tune:
    """The tune with a gap in place of the music of some bars, for `Composer.fill`.

    What stands around other notes stays.

    Args:
        tune: the tune, which may have gaps in other bars.
        numbers: of the bars as they are written, from 1, pickups counted.

    Raises:
        TuneError: no number, or one that the tune has not.

    >>> tune = Tune(tuple("M:2/4 K:Cmaj c 4 | d 2 e 2 | c 4 |".split()))
    >>> " ".join(clear_bars(tune, [2]).tokens)
    'M:2/4 K:Cmaj c 4 | * | c 4 |'
    """
    bars = score.parse(_fill_with_rests(tune.tokens)).bars
    tokens = list(tune.tokens)
    for place in reversed(find_places(bars, numbers)):
        tokens[bars[place].start : bars[place].stop] = [GAP]
    cleared = replace_tokens(
        replace(tune, tokens=tuple(_fill_with_rests(tune.tokens))), _fill_with_rests(tokens)
    )
    return replace(cleared, tokens=tuple(tokens))


def keep_bars(tune: Tune, number: int) -> Tune:
    """The tune up to the end of a bar, its bar line included, for `Composer.extend`.

    Raises:
        TuneError: the tune has no bar of this number, which counts from 1.

    >>> tune = Tune(tuple("M:2/4 K:Cmaj c 4 | d 2 e 2 | c 4 :|".split()))
    >>> " ".join(keep_bars(tune, 2).tokens)
    'M:2/4 K:Cmaj c 4 | d 2 e 2 |'
    """
    bars = tune.score.bars
    (place,) = find_places(bars, [number])
    stop = bars[place].stop
    return replace_tokens(tune, tune.tokens[: stop + 1])


def _fill_with_rests(tokens: Sequence[str]) -> list[str]:
    return ["z" if token == GAP else token for token in tokens]
