"""A tune's tokens as a model reads them: the dance in front, and bar lines that count.

A bar line with at most `MAX_COUNT` full bars of its section ahead says how many, so that a model
knows how far the end is: `|{4}` stands before the last four bars, `|{1}` before the last one, and
`:|{0}` ends the tune. Sections end at `|:`, `:|`, `::` and `||`; a pickup is not counted. Every
section that ends by `:|` is opened by `|:` or `::`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sluice.sequence import Vocabulary
from sluice.tunes.notation import score
from sluice.tunes.notation.score import Bar
from sluice.tunes.notation.transcription import GAP
from sluice.tunes.theory.dances import normalise_dance

MAX_COUNT = 4
RHYTHM = re.compile(r"R:(.+)")
_COUNTED = re.compile(r"(.+)\{(\d+)\}")
_BOUNDARIES = ("|:", ":|", "::", "||")
_FINAL = {"|:": "||", "::": ":|"}
_OPENED = {"|": "|:", "||": "|:", ":|": "::"}


def split_count(token: str) -> tuple[str, int | None]:
    """A bar line without its count, and the count if it has one.

    >>> split_count("|:{8}"), split_count("|1")
    (('|:', 8), ('|1', None))
    """
    match = _COUNTED.fullmatch(token)
    return (token, None) if match is None else (match[1], int(match[2]))


@dataclass(frozen=True)
class ModelTokens:
    """How tunes are spelt for one model.

    Attributes:
        dances: those that stand in front of a tune.
        has_counts: whether bar lines count; without, the body is the tune's own.

    >>> spelling = ModelTokens(frozenset(["reel"]))
    >>> spelt = spelling.encode("M:2/4 K:Cmaj c 4 | d 4 | e 4 :|".split(), "Reel")
    >>> " ".join(spelt)
    'R:reel M:2/4 K:Cmaj |:{3} c 4 |{2} d 4 |{1} e 4 :|{0}'
    >>> " ".join(spelling.decode(spelt)[1])
    'M:2/4 K:Cmaj |: c 4 | d 4 | e 4 :|'
    """

    dances: frozenset[str] = frozenset()
    has_counts: bool = True

    @classmethod
    def of_vocabulary(cls, vocabulary: Vocabulary) -> ModelTokens:
        """As the tokens of a trained model say."""
        dances = (RHYTHM.fullmatch(token) for token in vocabulary.tokens)
        return cls(frozenset(d[1] for d in dances if d is not None), "|{1}" in vocabulary)

    def encode(self, tokens: Sequence[str], rhythm: str = "") -> tuple[str, ...]:
        """The tokens of a tune as the model reads them.

        Args:
            tokens: meter, mode and body; `*` stands for music that is not there yet.
            rhythm: the dance, left out where the model does not know it.

        Raises:
            InvalidTokensError: the tokens are no valid tune.
        """
        return (*self.encode_head(tokens[:2], rhythm), *self.encode_body(tokens))

    def encode_head(self, head: Iterable[str], rhythm: str) -> tuple[str, ...]:
        """The dance, if the model knows it, the meter and the mode."""
        dance = normalise_dance(rhythm)
        return (*([f"R:{dance}"] if dance in self.dances else []), *head)

    def encode_body(
        self, tokens: Sequence[str], open_bars: int | None = None, may_repeat: bool = True
    ) -> tuple[str, ...]:
        """What follows meter and mode: a bar line that begins the tune, then one token for each
        of `tokens[2:]`.

        Args:
            tokens: as for `encode`.
            open_bars: of a beginning: how many bars its last section will have; as many as there
                are if None, which makes the last bar the end of the tune.
            may_repeat: of a beginning: whether its last section will be repeated, as those before
                it are or where there are none.

        Raises:
            InvalidTokensError: the tokens are no valid tune.
        """
        if not self.has_counts:
            return tuple(tokens[2:])
        return tuple(_count_bars(tokens, open_bars, may_repeat))

    def decode(self, tokens: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        """The dance, or nothing, and the tune's own tokens."""
        match = RHYTHM.fullmatch(tokens[0]) if tokens else None
        head = list(tokens[1:] if match else tokens)
        if len(head) > 2 and split_count(head[2])[0] == "|":
            del head[2]
        return match[1] if match else "", tuple(split_count(token)[0] for token in head)


def suggest_open_bars(tokens: Sequence[str], bars_per_section: int = 8) -> int:
    """How many bars the last section of a beginning may be meant to have: the next multiple of
    eight above those that it has.

    Raises:
        InvalidTokensError: the tokens are no valid tune.
    """
    complete = _find_sections(tokens, None)[-1].count_bars(len(tokens) - 1)
    return bars_per_section * (complete // bars_per_section + 1)


@dataclass(frozen=True)
class _TuneSection:
    """The tokens from one boundary to the next.

    `ends` are the places behind its full bars, `total` how many it has in the end.
    """

    start: int
    stop: int
    ends: tuple[int, ...]
    total: int
    is_repeated: bool
    is_last: bool

    def count_bars(self, place: int) -> int:
        """How many full bars end before the token at `place` or at it."""
        return sum(end <= place for end in self.ends)

    def spell(self, line: str, place: int) -> str:
        """A bar line at `place`, with the number of bars that follow it in this section."""
        if place == self.start and self.is_repeated:
            line = _OPENED.get(line, line)
        elif self.stop == place + 1 and self.is_last:  # nothing follows that could be repeated
            line = _FINAL.get(line, line)
        ahead = max(0, self.total - self.count_bars(place))
        return f"{line}{{{ahead}}}" if ahead <= MAX_COUNT else line


def _count_bars(tokens: Sequence[str], open_bars: int | None, may_repeat: bool) -> Iterator[str]:
    for section in _find_sections(tokens, open_bars, may_repeat):
        if section.start < len(tokens) and tokens[section.start] not in _BOUNDARIES:
            yield section.spell("|", section.start)
        for place in range(section.start, section.stop):
            is_line = score.BAR_LINE.fullmatch(tokens[place])
            yield section.spell(tokens[place], place) if is_line else tokens[place]


def _find_sections(
    tokens: Sequence[str], open_bars: int | None, may_repeat: bool = True
) -> list[_TuneSection]:
    """The sections of a tune; a lone pickup counts the bars of the section behind it."""
    bars = score.parse(["z" if token == GAP else token for token in tokens]).bars
    inner = [place for place in range(3, len(tokens)) if tokens[place] in _BOUNDARIES]
    starts, stops = [2, *inner], [*inner, len(tokens)]
    found: list[_TuneSection] = []
    for start, stop in zip(reversed(starts), reversed(stops), strict=True):
        ends = _find_bar_ends(tokens, [bar for bar in bars if start <= bar.start < stop])
        total = len(ends) or (found[-1].total if found else 0)
        if open_bars is not None and not found:
            total = max(open_bars, total)
        closes = stop < len(tokens) and tokens[stop] in (":|", "::")
        is_ending = start + 1 < len(tokens) and tokens[start + 1].startswith(("|1", "|2"))
        is_last = stop == len(tokens)
        if is_last and open_bars is not None:  # it will close as the sections before it do
            closes = not inner or any(tokens[place] in (":|", "::") for place in inner)
            closes = closes and may_repeat
            is_last = False
        found.append(
            _TuneSection(start, stop, tuple(ends), total, closes and not is_ending, is_last)
        )
    return found[::-1]


def _find_bar_ends(tokens: Sequence[str], bars: Sequence[Bar]) -> list[int]:
    """Where the full bars of a section end; a short first bar is its pickup, but for an ending."""
    is_pickup = bars and not bars[0].ending and bars[0].duration < bars[0].length
    is_pickup = is_pickup and GAP not in tokens[bars[0].start : bars[0].stop]
    return [bar.stop for bar in bars[1 if is_pickup else 0 :]]
