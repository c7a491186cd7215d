"""Tunes in parts of eight bars, each repeated, in which bars come back by a plan."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from functools import cached_property, lru_cache
from string import ascii_letters
from typing import NamedTuple

import numpy as np

from sluice.sequence import Vocabulary
from sluice.sequence.vocabulary import END
from sluice.tunes.cadence import CadenceGrammar
from sluice.tunes.errors import TuneError
from sluice.tunes.grammar import Mask, TuneGrammar
from sluice.tunes.grammar import State as Inner
from sluice.tunes.lengths import LARGEST_TUPLET
from sluice.tunes.parts import CLOSE, PLAIN
from sluice.tunes.score import Bar
from sluice.tunes.tokens import Tune
from sluice.tunes.words import BarLine

BARS = 8
"""Of a part, its pickup not counted."""

_LONGEST_COPY = 24
"""In tokens; a longer bar does not come back, so that tunes end in time."""

_NO_END = 1 << 20
_REMEMBERED = 20_000


def measured(tunes: Iterable[Tune]) -> Counter[str]:
    """How often which bars are alike in tunes of two or three parts of eight bars.

    A letter stands for a bar, the same for the same tokens; pickups and second endings are left
    out. Tunes of other parts do not count.

    >>> bars = "c 2 | e 2 | c 2 | g 2 | c 2 | e 2 | c 2 | g 2"
    >>> tune = Tune(tuple(f"M:1/4 K:Cmaj |: {bars} :: {bars} :|".split()))
    >>> measured([tune])
    Counter({'abacabac abacabac': 1})
    """
    return Counter(plan for plan in map(_plan, tunes) if plan)


def _plan(tune: Tune) -> str:
    """The plan of one tune, empty if it has other parts."""
    parts = _parts(tune.score.bars)
    if not 2 <= len(parts) <= 3 or any(len(part) != BARS for part in parts):
        return ""
    letters: dict[tuple[str, ...], str] = {}
    words = []
    for part in parts:
        spelt = [tune.tokens[bar.start : bar.stop] for bar in part]
        words.append("".join(letters.setdefault(s, ascii_letters[len(letters)]) for s in spelt))
    return " ".join(words)


def _parts(bars: Iterable[Bar]) -> list[list[Bar]]:
    """The bars between repeat signs, without pickups and second endings."""
    parts: list[list[Bar]] = [[]]
    for bar in bars:
        if bar.opens and parts[-1]:
            parts.append([])
        pickup = not parts[-1] and bar.duration < bar.length
        if not pickup and (not bar.ending or 1 in bar.ending):
            parts[-1].append(bar)
        if bar.closes:
            parts.append([])
    return [part for part in parts if part]


PLANS = {
    "abcdabef ghijklmf": 47,
    "abcdabef ghijghkl": 45,
    "abcdabef ghijklmn": 41,
    "abcdefgh ijklmnop": 38,
    "abcdabef ghijghkf": 34,
    "abcdabef ghijabef": 29,
    "abcdaefg hijklmno": 26,
    "abcdaefg hijklmng": 23,
    "abcdefgh ijklmnoh": 22,
    "abcdabce fghijklm": 21,
    "abcdabef ghijklef": 20,
    "abcdabce fghifgjk": 17,
    "abcdabce fgfhfgij": 16,
    "abcdabef ghijgklf": 15,
    "abcdabef ghijgklm": 15,
    "abcdabce fghifghj": 14,
    "abcdabef ghijghik": 14,
    "abcdefgh ijklmngh": 13,
    "abcdabef ghidabef": 12,
    "abcdaefg hijkhilm": 12,
    "abcdabce fghifjkl": 12,
    "abcdaefg hijkhifg": 11,
    "abcdabef ghijghef": 11,
    "abcdaefg hijkhlfg": 11,
    "abcdaefg hijkaefg": 10,
    "abcdabce fghijkce": 10,
    "abcdefgh ijklefgh": 10,
    "abcdabef ghcighef": 10,
    "abcdefgh ijklijmh": 9,
    "abcdabef ghgighjf": 9,
    "abcdaefg hijkhlmg": 9,
    "abcdabce fghiabce": 8,
    "abacabde fghijkde": 8,
    "abcdefgh ijklimgh": 8,
    "abcdabce fgfhfijk": 8,
    "abcdaefg hijkhlmn": 8,
    "abcdebfg hijklmng": 8,
    "abacabde fghijkle": 7,
    "abcdefgh ijklmfgh": 7,
    "abcdabce fghijkle": 7,
}
"""The 40 commonest plans of the three collections (`corpora`): `measured(corpora.load().tunes)`.

Of their 4,135 tunes 1,859 have such parts, after 885 plans; 655 of them have one of these. On
average 77% of a plan's bars differ, of all 885 plans 71%.
"""


def drawn(seed: int) -> str:
    """One of `PLANS`, as often as it was met; the same for the same seed."""
    chance = random.Random(f"form {seed}")
    return chance.choices([*PLANS], [*PLANS.values()])[0]


HOME = (1552, 1859)
"""Of the tunes that `measured` counts, how many end on the root (`measures.measure`'s
`on_tonic`), and how many there are."""


def drawn_home(seed: int) -> bool:
    """Whether a tune must end on the root, as often as by `HOME`; the same for the same seed."""
    return random.Random(f"home {seed}").randrange(HOME[1]) < HOME[0]


class State(NamedTuple):
    """Between two tokens.

    Attributes:
        inner: that of the bars' grammar, which counts no bars.
        bar: how many complete bars there are.
        now: the tokens of this bar.
        written: those of the complete bars, without their lines.
        left: what is to come of the bar that comes back, its line excluded; None: none does.
    """

    inner: Inner
    bar: int = 0
    now: tuple[int, ...] = ()
    written: tuple[tuple[int, ...], ...] = ()
    left: tuple[int, ...] | None = None


class Bars:
    """The grammars of bars within a part, of its last bar, and of the last bar of all.

    `free` are those that end anywhere, `home` those that end on the root, if there is one.

    Raises:
        TuneError: a vocabulary that spells no tune, or lacks `|:` or `:|`.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        both = BarLine(closes=True, opens=True)
        ways = ([PLAIN], [CLOSE, both], [CLOSE])
        self.free = [TuneGrammar(vocabulary, _NO_END, lines) for lines in ways]
        homes = [CadenceGrammar(vocabulary, _NO_END, lines) for lines in ways]
        self.home = homes if homes[0].has_root else self.free
        self.words, self.size = self.free[0].words, len(vocabulary)
        known = [*self.words.lines.values()]
        for line, name in ((BarLine(opens=True), "|:"), (CLOSE, ":|")):
            if line not in known:
                raise TuneError(f"Parts are repeated by {name!r}, but the model does not know it.")
        self.opening = self._ids(BarLine(opens=True))
        self.plain, self.close = self._ids(PLAIN)[0], self._ids(CLOSE)[0]
        self.tie, self.rest = self.words.mark("-"), self.words.mark("z")
        self.copied = lru_cache(maxsize=_REMEMBERED)(self._copied)

    def _ids(self, line: BarLine) -> list[int]:
        return [number for number, known in self.words.lines.items() if known == line]

    def _copied(self, grammar: TuneGrammar, inner: Inner, bar: tuple[int, ...]) -> bool:
        """Whether these tokens, the bar line included, are a bar here."""
        for token in bar:
            if not grammar.allowed(inner)[token]:
                return False
            inner = grammar.advance(inner, token)
        return True


class FormGrammar:
    """A grammar (`sluice.sequence.EndingGrammar`) of tunes after a plan of parts and bars.

    Each part has eight complete bars, perhaps after a pickup, and ends by `:|` (or `::`). A bar
    whose letter came before repeats that bar, token by token, if it fits there (the last bar of a
    part makes up for the pickup) and is no longer than 24 tokens; the model writes all others, as
    `TuneGrammar` lets it. There are no endings, no ties over bar lines, no change of meter, and
    no rest before the first note.

    Args:
        bars: of the model's vocabulary.
        plan: a word of eight letters for each part, as in `measured`.
        given: so many bars come first that need not follow the plan.
        opens: whether the tune begins with `|:`; without it the first part begins with a note.
        home: whether the tune ends on the root, and so the bars like its last one.

    >>> vocabulary = Vocabulary.of(["M:1/4 K:Cmaj c e 2 | |: :|".split()])
    >>> grammar = FormGrammar(Bars(vocabulary), "aaaaaaaa aaaaaaab")
    >>> state = grammar.start()
    >>> for token in vocabulary.encode("M:1/4 K:Cmaj |: c e |".split()):
    ...     state = grammar.advance(state, token)
    >>> [int(token) for token in grammar.allowed(state).nonzero()[0]] == vocabulary.encode(["c"])
    True
    """

    def __init__(
        self, bars: Bars, plan: str, given: int = 0, opens: bool = True, home: bool = False
    ) -> None:
        self.bars, self.given, self.opens = bars, given, opens
        letters = plan.replace(" ", "")
        self._sources = [letters.index(letter) for letter in letters]
        last = self._sources[-1]
        alike = [bar for bar, source in enumerate(self._sources) if source == last and bar % BARS]
        self._homes = frozenset(alike if home and last % BARS else ())
        self._to_end = lru_cache(maxsize=_REMEMBERED)(self._steps)

    # What the protocol asks for

    def start(self) -> State:
        return State(self.bars.free[0].start())

    def allowed(self, state: State) -> Mask:
        """Boolean (vocabulary,)."""
        if state.bar == len(self._sources):
            return self._only([END])
        if state.left is not None:
            return self._only([state.left[0] if state.left else self._line(state)])
        mask = self._grammar(state).allowed(state.inner).copy()
        if not state.inner.mode:
            return mask
        if state.inner.before == "start":
            if self.opens:
                return self._only(self.bars.opening)
            mask[self.bars.opening] = False
        mask[END] = False
        mask[[*self.bars.words.meters]] = False
        if not state.inner.sung:
            mask[self.bars.rest] = False
        if mask[[*self.bars.words.lines]].any():
            mask[self.bars.tie] = False
        return mask

    def advance(self, state: State, token: int) -> State:
        """After a token that was allowed."""
        if token == END:
            return state
        inner = self._grammar(state).advance(state.inner, token)
        if token in self.bars.words.modes or token in self.bars.words.meters:
            return state._replace(inner=inner)
        if state.inner.before == "start" and token in self.bars.opening:
            return state._replace(inner=inner)
        if token in self.bars.words.lines:
            return self._after_bar(state, inner, state.now)
        left = None if state.left is None else state.left[1:]
        return state._replace(inner=inner, now=(*state.now, token), left=left)

    def to_end(self, state: State) -> int:
        """How many tokens are enough to end from here, `END` included."""
        return self._to_end(state)

    @cached_property
    def farthest(self) -> int:
        words = self.bars.words
        new = 1 + words.lengths.slowest(max(map(words.full, words.meters.values())))
        came_back = sum(source < bar for bar, source in enumerate(self._sources))
        own = len(self._sources) - came_back
        return 5 + 3 * LARGEST_TUPLET + (own + 1) * new + came_back * max(new, _LONGEST_COPY + 1)

    # How it is done

    def _only(self, tokens: Iterable[int]) -> Mask:
        mask = np.zeros(self.bars.size, dtype=np.bool_)
        mask[[*tokens]] = True
        return mask

    def _closes(self, state: State) -> bool:
        return state.bar % BARS == BARS - 1

    def _line(self, state: State) -> int:
        """By which line this bar ends if it comes back."""
        return self.bars.close if self._closes(state) else self.bars.plain

    def _grammar(self, state: State) -> TuneGrammar:
        grammars = self.bars.home if state.bar in self._homes else self.bars.free
        return grammars[self._closes(state) + (state.bar == len(self._sources) - 1)]

    def _after_bar(self, state: State, inner: Inner, bar: tuple[int, ...]) -> State:
        """After the line behind a bar: the next one begins, new or as an earlier one."""
        pickup = state.inner.part.fresh and inner.part.pickup > 0
        written = state.written if pickup else (*state.written, bar)
        inner = inner._replace(part=inner.part._replace(bars=0))
        after = State(inner, state.bar + (not pickup), written=written)
        return after._replace(left=self._coming_back(after))

    def _coming_back(self, state: State) -> tuple[int, ...] | None:
        """The tokens of the bar that the plan repeats here, if it fits."""
        here = state.bar
        if not self.given <= here < len(self._sources) or self._sources[here] == here:
            return None
        bar = state.written[self._sources[here]]
        whole = (*bar, self._line(state))
        fits = self.bars.copied(self._grammar(state), state.inner, whole)
        return bar if len(bar) <= _LONGEST_COPY and fits else None

    def _steps(self, state: State) -> int:
        """How many tokens a way to the end takes, bar by bar."""
        count = 1
        while state.bar < len(self._sources):
            if not state.inner.mode or (state.inner.before == "start" and self.opens):
                tokens: tuple[int, ...] = (int(self.allowed(state).argmax()),)
                state = self.advance(state, tokens[0])
            elif state.left is not None:
                tokens = (*state.left, self._line(state))
                for token in tokens:
                    state = self.advance(state, token)
            else:
                tokens, inner = self._grammar(state).to_line(state.inner)
                state = self._after_bar(state, inner, (*state.now, *tokens[:-1]))
            count += len(tokens)
        return count
