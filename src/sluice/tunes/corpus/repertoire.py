"""Which dances, meters and modes a collection has enough tunes of to learn them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sluice.tunes.theory.dances import normalise_dance
from sluice.tunes.tune import Tune

TuneCounts = Mapping[str, Mapping[str, int]]
"""Of `dances`, `meters` and `modes`: how many tunes each has."""

_MAX_REQUIRED, _MIN_REQUIRED, _REQUIRED_SHARE = 25, 5, 0.02


def count_tunes(tunes: Sequence[Tune]) -> dict[str, dict[str, int]]:
    """How many tunes there are of each dance, meter and mode, and of all.

    >>> tune = Tune(tuple("M:6/8 K:Cmaj c 6 |".split()), rhythm="Double Jig")
    >>> count_tunes([tune, tune])
    {'all': {'tunes': 2}, 'dances': {'jig': 2}, 'meters': {'6/8': 2}, 'modes': {'maj': 2}}
    """
    dances = Counter(normalise_dance(tune.rhythm) for tune in tunes if tune.rhythm)
    return {
        "all": {"tunes": len(tunes)},
        "dances": dict(dances.most_common()),
        "meters": dict(Counter(tune.meter for tune in tunes).most_common()),
        "modes": dict(Counter(tune.mode for tune in tunes).most_common()),
    }


def list_learnt(counts: TuneCounts, what: str) -> list[str]:
    """The dances, meters or modes that enough tunes have: 2% of all, at least 5, and 25 suffice."""
    share = round(_REQUIRED_SHARE * counts["all"]["tunes"])
    required = max(_MIN_REQUIRED, min(_MAX_REQUIRED, share))
    return [name for name, count in counts[what].items() if count >= required]
