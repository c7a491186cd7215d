"""Statistics of composed tunes and of the corpus, for comparison."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import fmean

from sluice.tunes.corpus import parts
from sluice.tunes.corpus.index import TuneIndex
from sluice.tunes.errors import InvalidTokensError, TuneError
from sluice.tunes.notation.score import Bar, Score
from sluice.tunes.theory.dances import classify_rhythm, normalise_dance
from sluice.tunes.tune import Tune


@dataclass(frozen=True)
class TuneStatistics:
    """Means over the tunes for which each is defined; None where there is no such tune.

    Attributes:
        exact_bars: Of the inner bars (not first or last, nor at a repeat, a double bar or an
            ending, where upbeats are made up for), the part whose notes fill the meter exactly.
        on_tonic: The part of the tunes whose last note is the root.
        unique_bars: Different bars over all bars.
        copied: The longest run of tokens, without meter and mode, that some training tune has too.
        copied_part: That run as a part of the tune's tokens.
        long_endings: The part of the tunes whose last note is a quarter or longer.
        broken_turns: Of tunes of two parts without endings, those in which the last bar of the
            first part and the pickup of the second do not add up to a bar.
        long_pickups: Of the same tunes, those with a pickup longer than half a bar.
        unopened_repeats: Of tunes whose repeats go on after the first part, those in which one of
            the later is closed but never opened.
    """

    exact_bars: float | None
    on_tonic: float | None
    unique_bars: float | None
    copied: float | None = None
    copied_part: float | None = None
    long_endings: float | None = None
    broken_turns: float | None = None
    long_pickups: float | None = None
    unopened_repeats: float | None = None


def compute_statistics(tunes: Sequence[Tune], index: TuneIndex) -> TuneStatistics:
    """The statistics of `tunes`, with copies of the tunes in `index` if it holds any.

    Raises:
        TuneError: no tunes.
    """
    if not tunes:
        raise TuneError("There are no tunes to measure; compose or read at least one.")
    measured = [_measure_score(tune, tune.score) for tune in tunes]
    figures = {name: _compute_mean(each[name] for each in measured) for name in _MEASURES}
    runs = [_find_longest_run(tune, index) for tune in tunes] if index.has_tunes else []
    return TuneStatistics(
        **figures,
        copied=_compute_mean(runs),
        copied_part=_compute_mean(
            run / (len(tune.tokens) - 2) for run, tune in zip(runs, tunes, strict=False)
        ),
    )


def compute_dance_statistics(tunes: Sequence[Tune], index: TuneIndex) -> dict[str, TuneStatistics]:
    """The statistics of the tunes of each dance (`dances.classify_rhythm`), the commonest first.

    A dance of another name is one of its own; tunes of none are left out.

    >>> jig = Tune(tuple("M:6/8 K:Cmaj c 3 e 3 | c 6 |".split()), rhythm="double jig")
    >>> compute_dance_statistics([jig], TuneIndex([]))["jig"].long_endings
    1.0
    """
    groups: dict[str, list[Tune]] = defaultdict(list)
    for tune in tunes:
        groups[classify_rhythm(tune.rhythm) or normalise_dance(tune.rhythm)].append(tune)
    groups.pop("", None)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    return {dance: compute_statistics(group, index) for dance, group in ordered}


def measure_tune(tune: Tune) -> dict[str, float]:
    """The measures of one tune that are defined, without copies; empty if it is no valid tune.

    >>> measure_tune(Tune(tuple("M:2/4 K:Cmaj c 4 | d 4 | c 4 |".split())))
    {'exact_bars': 1.0, 'on_tonic': 1.0, 'unique_bars': 0.6666666666666666, 'long_endings': 1.0}
    """
    try:
        score = tune.score
    except InvalidTokensError:
        return {}
    measured = _measure_score(tune, score)
    return {name: value for name, value in measured.items() if value is not None}


def _exact_bar_fraction(tune: Tune, score: Score) -> float:
    inner = [
        bar
        for before, bar, after in zip(score.bars, score.bars[1:], score.bars[2:], strict=False)
        if not _is_at_section_end(before, bar, after)
    ]
    return fmean(bar.duration == bar.length for bar in inner) if inner else 1.0


def _is_at_section_end(before: Bar, bar: Bar, after: Bar) -> bool:
    opens, closes = bar.opens or after.opens, bar.closes or before.closes
    return opens or closes or bar.is_double or before.is_double or bool(bar.ending)


def count_endings(tunes: Sequence[Tune]) -> dict[str, dict[str, int]]:
    """How many tunes of each dance, and of `all`, end on the root and on a long note.

    >>> count_endings([Tune(tuple("M:6/8 K:Cmaj c 6 |".split()), rhythm="jig")])
    {'all': {'tonic long': 1}, 'jig': {'tonic long': 1}}
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for tune in tunes:
        score = tune.score
        note = "tonic" if _ends_on_tonic(tune, score) else "other"
        ending = f"{note} {'long' if parts.ends_long(score) else 'short'}"
        for name in dict.fromkeys(["all", normalise_dance(tune.rhythm) or "all"]):
            counts[name][ending] += 1
    return {name: dict(some) for name, some in counts.items()}


def _ends_on_tonic(tune: Tune, score: Score) -> bool:
    last = next(event for event in reversed(score.events) if event.pitches)
    return last.pitches[0] % 12 == 0


def _unique_bar_fraction(tune: Tune, score: Score) -> float:
    spelt = [tune.tokens[bar.start : bar.stop] for bar in score.bars]
    return len(set(spelt)) / len(spelt)


_MEASURES: Mapping[str, Callable[[Tune, Score], float | None]] = {
    "exact_bars": _exact_bar_fraction,
    "on_tonic": _ends_on_tonic,
    "unique_bars": _unique_bar_fraction,
    "long_endings": lambda tune, score: parts.ends_long(score),
    "broken_turns": lambda tune, score: parts.is_turn_broken(score),
    "long_pickups": lambda tune, score: parts.has_long_pickup(score),
    "unopened_repeats": lambda tune, score: parts.has_unopened_repeat(score),
}


def _measure_score(tune: Tune, score: Score) -> dict[str, float | None]:
    measured = {name: measure(tune, score) for name, measure in _MEASURES.items()}
    return {name: None if value is None else float(value) for name, value in measured.items()}


def _find_longest_run(tune: Tune, index: TuneIndex) -> int:
    nearest = index.find_nearest(tune.tokens[2:])
    return nearest.run if nearest else 0


def _compute_mean(values: Iterable[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return fmean(defined) if defined else None


def is_valid_tune(tune: Tune) -> bool:
    """Whether the tokens can be read as music."""
    try:
        return bool(tune.score.bars)
    except InvalidTokensError:
        return False


def to_dict(statistics: TuneStatistics) -> dict[str, float]:
    """The measures that are defined as plain numbers, for a file."""
    return {name: value for name, value in asdict(statistics).items() if value is not None}


def from_dict(figures: Mapping[str, float]) -> TuneStatistics:
    """What `to_dict` gave; a measure that an older file does not hold is None.

    Raises:
        TuneError: the first three are missing, or some are no numbers.
    """
    known = [field.name for field in fields(TuneStatistics) if field.name in figures]
    try:
        return TuneStatistics(**{name: float(figures[name]) for name in known})
    except (TypeError, ValueError):
        raise TuneError(
            "This model file carries no measures of its training tunes; train again."
        ) from None
