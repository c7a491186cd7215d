"""What reports know of tunes (`sluice.report.domains`): reading, bars, pitch, repeats, figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from torch import Tensor

from sluice.files import StrPath
from sluice.report.domains import NamedSequence, TokenDomain
from sluice.report.properties import (
    Properties,
    compute_properties,
    count_since,
    count_so_far,
    is_next,
    to_classes,
    to_numbers,
)
from sluice.sequence import Vocabulary
from sluice.tunes.corpus import collections
from sluice.tunes.corpus.statistics import measure_tune
from sluice.tunes.corpus.token_music import read_music
from sluice.tunes.notation.model_tokens import ModelTokens, split_count
from sluice.tunes.notation.score import BAR_LINE
from sluice.tunes.theory.keys import Pitch
from sluice.tunes.tune import Tune

_MIDDLE_C = 60


def tune_properties(sequences: Sequence[Sequence[str]]) -> Properties:
    """Of tunes' tokens: bars, pitch, repeats.

    Example:
        >>> found = tune_properties(["M:6/8 K:Cmaj c 2 | d :|".split()])
        >>> found["tokens since the bar line"][0].tolist()
        [1.0, 2.0, 3.0, 4.0, 0.0, 1.0, 0.0]
        >>> found["pitch of the last note (MIDI)"][0].tolist()
        [60.0, 60.0, 72.0, 72.0, 72.0, 74.0, 74.0]
    """
    return compute_properties(
        sequences,
        {
            "tokens since the bar line": lambda s: count_since(s, _is_bar_line),
            "a bar line comes next": lambda s: is_next(s, _is_bar_line),
            "bars since the start": lambda s: to_numbers(count_so_far(s, _is_bar_line)),
            "pitch of the last note (MIDI)": _last_pitches,
            "after the first repeat sign": lambda s: to_classes(
                count > 0 for count in count_so_far(s, _is_repeat)
            ),
        },
    )


def find_bar_starts(tokens: Sequence[str]) -> list[int]:
    """Where each bar begins: at the start, and after every bar line.

    >>> find_bar_starts("M:6/8 K:Cmaj c 2 | d :|".split())
    [0, 5, 7]
    """
    return [0, *(place for place, token in enumerate(tokens, 1) if _is_bar_line(token))]


def read_named_tunes(path: StrPath | None, vocabulary: Vocabulary) -> Iterator[NamedSequence]:
    """The tunes of a file or folder of ABC, or of the printed collections for None, as a model
    with that vocabulary reads them; files are read as far as is asked for.

    Raises:
        TuneError: no tune could be read, or music21 is missing (for the collections).
    """
    spelling = ModelTokens.of_vocabulary(vocabulary)
    for number, tune in enumerate(collections.iterate_collections(path)):
        tokens = spelling.encode(tune.tokens, tune.rhythm)
        yield NamedSequence(tune.title or f"tune {number}", tokens)


def _matches_vocabulary(vocabulary: Vocabulary) -> bool:
    return "K:Cmaj" in vocabulary


def _compute_statistics(tokens: Sequence[str]) -> dict[str, float]:
    return measure_tune(Tune(ModelTokens().decode(tokens)[1]))


def _is_bar_line(token: str) -> bool:
    return BAR_LINE.fullmatch(split_count(token)[0]) is not None


def _is_repeat(token: str) -> bool:
    return split_count(token)[0] in (":|", "::")


def _last_pitches(tokens: Sequence[str]) -> Tensor:
    """MIDI numbers; middle C before the first note."""
    last, found = _MIDDLE_C, []
    for token in tokens:
        with suppress(ValueError):
            last = Pitch.parse(token)[0].midi
        found.append(last)
    return to_numbers(found)


TUNES = TokenDomain(
    name="tunes",
    suffixes=(".abc",),
    read=read_named_tunes,
    matches_vocabulary=_matches_vocabulary,
    compute_properties=tune_properties,
    find_span_starts=find_bar_starts,
    compute_statistics=_compute_statistics,
    read_music=read_music,
)
