"""Tables of composed tunes beside the corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from rich.table import Table

from sluice.tunes.corpus.index import TuneIndex
from sluice.tunes.corpus.statistics import TuneStatistics, compute_statistics
from sluice.tunes.tune import Tune

_ROWS = (
    ("interior bars of exact length", "exact_bars", "{:.0%}"),
    ("ends on the tonic", "on_tonic", "{:.0%}"),
    ("last note a quarter or longer", "long_endings", "{:.0%}"),
    ("end of A and pickup of B make no bar", "broken_turns", "{:.0%}"),
    ("pickup longer than half a bar", "long_pickups", "{:.0%}"),
    ("later repeat never opened", "unopened_repeats", "{:.0%}"),
    ("different bars", "unique_bars", "{:.0%}"),
)
_COPY_ROWS = (
    ("longest copied run, tokens", "copied", "{:.0f}"),
    ("the same, part of the tune", "copied_part", "{:.0%}"),
)


class SupportsStatistics(Protocol):
    """What the table needs: the corpus's own statistics, and an index of the training tunes."""

    @property
    def corpus(self) -> TuneStatistics: ...

    @property
    def index(self) -> TuneIndex: ...


def build_table(composed: Sequence[Tune], composer: SupportsStatistics) -> Table:
    """The measures of composed tunes beside those of the corpus's validation tunes.

    Below stands the nearest training tune: of several composed tunes, that of the longest run; or
    that the composer has no training tunes. A dash stands for a measure that is
    not defined for these tunes, or not in an older model file.
    """
    mine, theirs = compute_statistics(composed, composer.index), composer.corpus
    shown = Table("", "composed", "corpus", title="Measures", title_justify="left", box=None)
    for label, name, form in (*_ROWS, *(_COPY_ROWS if composer.index.has_tunes else ())):
        shown.add_row(label, *(_format(getattr(m, name), form) for m in (mine, theirs)))
    shown.caption = f"Nearest training tune: {_name_nearest(composed, composer.index)}."
    shown.caption_justify = "left"
    return shown


def build_dance_table(
    composed: Mapping[str, TuneStatistics], corpus: Mapping[str, TuneStatistics]
) -> Table:
    """The measures of each dance (`compute_dance_statistics`), composed tunes beside the corpus.

    Dances in the order of `composed`; one that the corpus lacks has dashes there.
    """
    shown = Table("dance", "measure", "composed", "corpus", box=None)
    for dance, mine in composed.items():
        for number, (label, name, form) in enumerate(_ROWS):
            values = (getattr(mine, name), getattr(corpus.get(dance), name, None))
            shown.add_row("" if number else dance, label, *(_format(v, form) for v in values))
    return shown


def _format(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _name_nearest(tunes: Sequence[Tune], index: TuneIndex) -> str:
    if not index.has_tunes:
        return "unknown, since the model file holds none"
    found = [index.find_nearest(tune.tokens[2:]) for tune in tunes]
    nearest = max((one for one in found if one), key=lambda one: one.run, default=None)
    if nearest is None:
        return "none"
    return f"{nearest.title or f'number {nearest.tune + 1}'}, {nearest.run} tokens in a row"
