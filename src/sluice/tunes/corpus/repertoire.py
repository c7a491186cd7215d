"""Which dances, meters and modes a collection has enough tunes of to learn them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sluice.tunes.theory.dances import normalise_dance
from sluice.tunes.tune import Tune

TuneCounts = Mapping[str, Mapping[str, int]]
"""Of `dances`, `meters`, `modes` and `dances in meters`: how many tunes each has."""

_MAX_REQUIRED, MIN_REQUIRED, _REQUIRED_SHARE = 25, 5, 0.02


def count_tunes(tunes: Sequence[Tune]) -> dict[str, dict[str, int]]:
    """How many tunes there are of each dance, meter and mode, and of all.

    >>> tune = Tune(tuple("M:6/8 K:Cmaj c 6 |".split()), rhythm="Double Jig")
    >>> found = count_tunes([tune, tune])
    >>> found["dances"], found["meters"], found["dances in meters"]
    ({'jig': 2}, {'6/8': 2}, {'jig 6/8': 2})
    """
    danced = [(normalise_dance(tune.rhythm), tune.meter) for tune in tunes if tune.rhythm]
    return {
        "all": {"tunes": len(tunes)},
        "dances": dict(Counter(dance for dance, _ in danced).most_common()),
        "dances in meters": dict(Counter(map(" ".join, danced)).most_common()),
        "meters": dict(Counter(tune.meter for tune in tunes).most_common()),
        "modes": dict(Counter(tune.mode for tune in tunes).most_common()),
    }


def list_learnt(counts: TuneCounts, what: str) -> list[str]:
    """The dances, meters or modes that enough tunes have: 2% of all, at least 5, and 25 suffice."""
    share = round(_REQUIRED_SHARE * counts["all"]["tunes"])
    required = max(MIN_REQUIRED, min(_MAX_REQUIRED, share))
    return [name for name, count in counts[what].items() if count >= required]


def add_learnt(counts: TuneCounts, known: TuneCounts) -> dict[str, dict[str, int]]:
    """The counts of a collection, and those that a model had learnt enough of before.

    How many are enough is still a matter of the collection's size.

    >>> known = {"all": {"tunes": 900}, "dances": {"jig": 800, "slide": 2}}
    >>> add_learnt({"all": {"tunes": 30}, "dances": {"polka": 15, "jig": 1}}, known)
    {'all': {'tunes': 30}, 'dances': {'jig': 801, 'polka': 15}}
    """
    found = {"all": dict(counts["all"])}
    for what in [name for name in counts if name != "all"]:
        pairs = what == "dances in meters"
        names = known.get(what, {}) if pairs else list_learnt(known, what)
        before = {name: known[what][name] for name in names}
        found[what] = dict((Counter(before) + Counter(counts[what])).most_common())
    return found
