"""Plans of tunes: which of their bars are alike, as counted in the printed collections."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from string import ascii_letters

from sluice.tunes.grammar.cadence import Ending
from sluice.tunes.notation.score import Bar
from sluice.tunes.tune import Tune

BARS_PER_SECTION = 8
"""Of a section, its pickup not counted."""


def count_plans(tunes: Iterable[Tune]) -> Counter[str]:
    """How often which bars are alike in tunes of two or three parts of eight bars.

    A letter stands for a bar, the same for the same tokens; pickups and second endings are left
    out. Tunes of other parts do not count.

    >>> bars = "c 2 | e 2 | c 2 | g 2 | c 2 | e 2 | c 2 | g 2"
    >>> tune = Tune(tuple(f"M:1/4 K:Cmaj |: {bars} :: {bars} :|".split()))
    >>> count_plans([tune])
    Counter({'abacabac abacabac': 1})
    """
    return Counter(plan for plan in map(_find_plan, tunes) if plan)


def _find_plan(tune: Tune) -> str:
    """The plan of one tune, empty if it has other parts."""
    parts = _split_sections(tune.score.bars)
    if not 2 <= len(parts) <= 3 or any(len(part) != BARS_PER_SECTION for part in parts):
        return ""
    letters: dict[tuple[str, ...], str] = {}
    words = []
    for part in parts:
        spelt = [tune.tokens[bar.start : bar.stop] for bar in part]
        words.append("".join(letters.setdefault(s, ascii_letters[len(letters)]) for s in spelt))
    return " ".join(words)


def _split_sections(bars: Iterable[Bar]) -> list[list[Bar]]:
    """The bars between repeat signs or double bars, without pickups and second endings."""
    parts: list[list[Bar]] = [[]]
    for bar in bars:
        if bar.opens and parts[-1]:
            parts.append([])
        pickup = not parts[-1] and bar.duration < bar.length
        if not pickup and (not bar.ending or 1 in bar.ending):
            parts[-1].append(bar)
        if bar.closes or bar.is_double:
            parts.append([])
    return [part for part in parts if part]


PLANS = {
    "abcdefgh ijklmnop": 73,
    "abcdabef ghijklmf": 50,
    "abcdabef ghijghkl": 50,
    "abcdabef ghijklmn": 49,
    "abcdabef ghijabef": 40,
    "abcdabef ghijghkf": 37,
    "abcdaefg hijklmno": 34,
    "abcdefgh ijklmnoh": 33,
    "abcdaefg hijklmng": 33,
    "abcdefgh ijklmngh": 30,
    "abcdabce fghijklm": 28,
    "abcdabef ghidabef": 25,
    "abcdabef ghijklef": 24,
    "abcdabce fgfhfgij": 23,
    "abcdabce fghifgjk": 23,
    "abcdabef ghijgklm": 21,
    "abcdefgh ijklefgh": 19,
    "abcdaefg hijkaefg": 18,
    "abcdabef ghijghik": 18,
    "abcdabce fghifghj": 18,
    "abcdabce fghifjkl": 18,
    "abcdabef ghijgklf": 16,
    "abcdabce fghijkce": 15,
    "abcdaefg hijkhlmn": 15,
    "abcdabce fgfhfijk": 15,
    "abcdaefg hijklmfg": 14,
    "abcdaefg hijkhlfg": 14,
    "abcdabce fghiabce": 13,
    "abacabad efegefhi": 13,
    "abcdabef ghijkbef": 12,
    "abcdefgh ijklimgh": 12,
    "abcdaefg hijkhifg": 12,
    "abcdaefg hijkhilm": 12,
    "abcdabef ghgighjk": 11,
    "abcdabef ghijghef": 11,
    "abcdabef ghcdabef": 10,
    "abacabde fghijkle": 10,
    "abcdebfg hijklmng": 10,
    "abcdaefg hijkhlmg": 10,
    "abcdefgh ijklijmh": 10,
}
"""The 40 commonest plans of the three collections (`collections.load_collections()`).

Of their 4,155 tunes 2,694 have such parts, after 1,206 plans; 899 of them have one of these. On
average 78% of a plan's bars differ, of all 1,206 plans 71%.
"""


def draw_plan(seed: int) -> str:
    """One of `PLANS`, as often as it occurs; the same for the same seed."""
    chance = random.Random(f"form {seed}")
    return chance.choices([*PLANS], [*PLANS.values()])[0]


_TONIC_ENDINGS = (2202, 2694)
"""Of the tunes that `count_plans` counts, how many end on the root
(`TuneStatistics.on_tonic`), and how many there are."""


def draw_ending(seed: int, counts: Mapping[str, int]) -> Ending:
    """How a tune ends, as often as in a collection; the same for one seed.

    Args:
        seed: of the tune.
        counts: how many tunes of the collection end so (`count_endings`). If empty, only whether
            the tune must end on the root is drawn, as often as in the printed collections.
    """
    chance = random.Random(f"home {seed}")
    if not counts:
        must = chance.randrange(_TONIC_ENDINGS[1]) < _TONIC_ENDINGS[0]
        return Ending(on_tonic=True if must else None)
    name = chance.choices([*counts], [*counts.values()])[0]
    return Ending(on_tonic=name.startswith("tonic"), is_long=name.endswith("long"))
