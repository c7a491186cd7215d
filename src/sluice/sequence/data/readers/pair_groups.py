"""Which pairs a split keeps together: those of the same source, the same target, or either."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from sluice.option_names import name_option
from sluice.sequence.errors import DataError

PairSide = Literal["source", "target", "both"]
_MOST = 0.1
"""The share of all pairs that a group of equal sources or targets may have by default; with more,
targets are like labels, and a split by them would leave too little to choose from."""


class PairGroups(NamedTuple):
    """The group of each pair, and sentences on them."""

    groups: tuple[str, ...]
    notes: list[str]


def group_pairs(
    sources: Sequence[str], targets: Sequence[str], by: PairSide | None = None
) -> PairGroups:
    """Groups of pairs for a split: no text of a side stands in two parts.

    By ``"both"`` a pair is in the group of all pairs with its source or its target, and of those
    with their sources and targets, and so on.

    Args:
        sources, targets: the texts; blanks around them do not count.
        by: the side that is compared; None for both, or the source alone if a group would hold more
            than a tenth of all pairs.

    Raises:
        DataError: another side.

    >>> group_pairs(["Hi.", "Hello.", "Run!"], ["Hallo!", "Hallo!", "Lauf!"]).groups
    ('Hi.', 'Hi.', 'Run!')
    """
    if by is not None and by not in get_args(PairSide):
        raise DataError(
            f"{name_option('group_by')} must be one of {', '.join(get_args(PairSide))}, got {by!r}."
        )
    sources, targets = ([text.strip() for text in side] for side in (sources, targets))
    if by in ("source", "target"):
        groups = sources if by == "source" else targets
        return PairGroups(tuple(groups), _describe(sources, targets, by))
    joined = _join(sources, targets)
    largest = max(Counter(joined).values(), default=0)
    if by is None and largest > max(_MOST * len(sources), 2):
        notes = _describe(sources, targets, "source")
        if len(set(targets)) < len(targets):
            notes.append(
                f"Equal targets may stand in several parts of the split, as {largest:,} pairs hang "
                f"together by them; see {name_option('group_by')}."
            )
        return PairGroups(tuple(sources), notes)
    return PairGroups(tuple(joined), _describe(sources, targets, "both"))


def _join(sources: Sequence[str], targets: Sequence[str]) -> list[str]:
    """Of each pair the first source of those that hang together with it."""
    of_source: dict[str, str] = {text: text for text in sources}

    def find(text: str) -> str:
        while of_source[text] != text:
            of_source[text] = of_source[of_source[text]]
            text = of_source[text]
        return text

    of_target: dict[str, str] = {}
    for source, target in zip(sources, targets, strict=True):
        of_source[find(source)] = find(of_target.setdefault(target, source))
    return [find(text) for text in sources]


def _describe(sources: Sequence[str], targets: Sequence[str], by: PairSide) -> list[str]:
    notes = []
    for name, texts in (("source", sources), ("target", targets)):
        several = [number for number in Counter(texts).values() if number > 1]
        if several and by in (name, "both"):
            notes.append(
                f"{len(several):,} {name}s stand in several pairs, {sum(several):,} in all; a "
                "split keeps these together."
            )
    return notes
