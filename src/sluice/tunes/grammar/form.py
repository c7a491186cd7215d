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
from sluice.tunes.errors import TuneError
from sluice.tunes.grammar.alphabet import BarLine
from sluice.tunes.grammar.bars import Mask, TuneGrammar
from sluice.tunes.grammar.bars import TuneState as Inner
from sluice.tunes.grammar.cadence import CadenceGrammar
from sluice.tunes.grammar.sections import CLOSE, PLAIN
from sluice.tunes.notation.score import Bar
from sluice.tunes.theory.durations import MAX_TUPLET_EVENTS
from sluice.tunes.tune import Tune

BARS_PER_SECTION = 8
"""Of a part, its pickup not counted."""

_LONGEST_COPY = 24
"""In tokens; a longer bar does not come back, so that tunes end in time."""

_NO_END = 1 << 20
_CACHE_SIZE = 20_000


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
"""The 40 commonest plans of the three collections (`collections.load_collections()`).

Of their 4,135 tunes 1,859 have such parts, after 885 plans; 655 of them have one of these. On
average 77% of a plan's bars differ, of all 885 plans 71%.
"""


def draw_plan(seed: int) -> str:
    """One of `PLANS`, as often as it was met; the same for the same seed."""
    chance = random.Random(f"form {seed}")
    return chance.choices([*PLANS], [*PLANS.values()])[0]


TONIC_ENDINGS = (1552, 1859)
"""Of the tunes that `measured` counts, how many end on the root (`measures.measure`'s
`on_tonic`), and how many there are."""


def draw_tonic_ending(seed: int) -> bool:
    """Whether a tune must end on the root, as often as by `HOME`; the same for the same seed."""
    return random.Random(f"home {seed}").randrange(TONIC_ENDINGS[1]) < TONIC_ENDINGS[0]


class FormState(NamedTuple):
    """Between two tokens.

    Attributes:
        inner: that of the bars' grammar, which counts no bars.
        bar: how many complete bars there are.
        now: the tokens of this bar.
        written: those of the complete bars, without their lines.
        left: what is to come of the bar that comes back, its line excluded; None: none does.
    """

    tune_state: Inner
    num_bars: int = 0
    current_bar: tuple[int, ...] = ()
    complete_bars: tuple[tuple[int, ...], ...] = ()
    remaining_tokens: tuple[int, ...] | None = None


class BarGrammars:
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
        self.tonic = homes if homes[0].has_root else self.free
        self.alphabet, self.size = self.free[0].alphabet, len(vocabulary)
        known = [*self.alphabet.bar_lines.values()]
        for line, name in ((BarLine(opens=True), "|:"), (CLOSE, ":|")):
            if line not in known:
                raise TuneError(f"Parts are repeated by {name!r}, but the model does not know it.")
        self.opening_ids = self._find_ids(BarLine(opens=True))
        self.plain_id, self.close_id = self._find_ids(PLAIN)[0], self._find_ids(CLOSE)[0]
        self.tie_ids, self.rest_ids = self.alphabet.find_ids("-"), self.alphabet.find_ids("z")
        self.accepts = lru_cache(maxsize=_CACHE_SIZE)(self._accepts)

    def _find_ids(self, line: BarLine) -> list[int]:
        return [number for number, known in self.alphabet.bar_lines.items() if known == line]

    def _accepts(self, grammar: TuneGrammar, inner: Inner, bar: tuple[int, ...]) -> bool:
        """Whether these tokens, the bar line included, are a bar here."""
        for token in bar:
            if not grammar.get_allowed_tokens(inner)[token]:
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
    >>> grammar = FormGrammar(BarGrammars(vocabulary), "aaaaaaaa aaaaaaab")
    >>> state = grammar.start()
    >>> for token in vocabulary.encode("M:1/4 K:Cmaj |: c e |".split()):
    ...     state = grammar.advance(state, token)
    >>> vocabulary.decode(grammar.get_allowed_tokens(state).nonzero()[0].tolist())
    ['c']
    """

    def __init__(
        self,
        grammars: BarGrammars,
        plan: str,
        prompt_bars: int = 0,
        starts_with_repeat: bool = True,
        ends_on_tonic: bool = False,
    ) -> None:
        self.grammars, self.prompt_bars, self.starts_with_repeat = (
            grammars,
            prompt_bars,
            starts_with_repeat,
        )
        letters = plan.replace(" ", "")
        self._sources = [letters.index(letter) for letter in letters]
        last = self._sources[-1]
        alike = [
            bar
            for bar, source in enumerate(self._sources)
            if source == last and bar % BARS_PER_SECTION
        ]
        self._tonic_bars = frozenset(alike if ends_on_tonic and last % BARS_PER_SECTION else ())
        self._distances = lru_cache(maxsize=_CACHE_SIZE)(self._compute_distance)

    # What the protocol asks for

    def start(self) -> FormState:
        return FormState(self.grammars.free[0].start())

    def get_allowed_tokens(self, state: FormState) -> Mask:
        """Boolean (vocabulary,)."""
        if state.num_bars == len(self._sources):
            return self._build_mask([END])
        if state.remaining_tokens is not None:
            return self._build_mask(
                [
                    state.remaining_tokens[0]
                    if state.remaining_tokens
                    else self._find_end_line(state)
                ]
            )
        mask = self._select_grammar(state).get_allowed_tokens(state.tune_state).copy()
        if not state.tune_state.mode:
            return mask
        if state.tune_state.position == "start":
            if self.starts_with_repeat:
                return self._build_mask(self.grammars.opening_ids)
            mask[self.grammars.opening_ids] = False
        mask[END] = False
        mask[[*self.grammars.alphabet.meters]] = False
        if not state.tune_state.has_note:
            mask[self.grammars.rest_ids] = False
        if mask[[*self.grammars.alphabet.bar_lines]].any():
            mask[self.grammars.tie_ids] = False
        return mask

    def advance(self, state: FormState, token: int) -> FormState:
        """After a token that was allowed."""
        if token == END:
            return state
        inner = self._select_grammar(state).advance(state.tune_state, token)
        if token in self.grammars.alphabet.modes or token in self.grammars.alphabet.meters:
            return state._replace(tune_state=inner)
        if state.tune_state.position == "start" and token in self.grammars.opening_ids:
            return state._replace(tune_state=inner)
        if token in self.grammars.alphabet.bar_lines:
            return self._finish_bar(state, inner, state.current_bar)
        left = None if state.remaining_tokens is None else state.remaining_tokens[1:]
        return state._replace(
            tune_state=inner, current_bar=(*state.current_bar, token), remaining_tokens=left
        )

    def distance_to_end(self, state: FormState) -> int:
        """How many tokens are enough to end from here, `END` included."""
        return self._distances(state)

    @cached_property
    def max_distance(self) -> int:
        words = self.grammars.alphabet
        new = 1 + words.solver.max_tokens_to_fill(max(map(words.bar_ticks, words.meters.values())))
        came_back = sum(source < bar for bar, source in enumerate(self._sources))
        own = len(self._sources) - came_back
        return 5 + 3 * MAX_TUPLET_EVENTS + (own + 1) * new + came_back * max(new, _LONGEST_COPY + 1)

    # How it is done

    def _build_mask(self, tokens: Iterable[int]) -> Mask:
        mask = np.zeros(self.grammars.size, dtype=np.bool_)
        mask[[*tokens]] = True
        return mask

    def _is_last_bar(self, state: FormState) -> bool:
        return state.num_bars % BARS_PER_SECTION == BARS_PER_SECTION - 1

    def _find_end_line(self, state: FormState) -> int:
        """By which line this bar ends if it comes back."""
        return self.grammars.close_id if self._is_last_bar(state) else self.grammars.plain_id

    def _select_grammar(self, state: FormState) -> TuneGrammar:
        grammars = self.grammars.tonic if state.num_bars in self._tonic_bars else self.grammars.free
        return grammars[self._is_last_bar(state) + (state.num_bars == len(self._sources) - 1)]

    def _finish_bar(self, state: FormState, inner: Inner, bar: tuple[int, ...]) -> FormState:
        """After the line behind a bar: the next one begins, new or as an earlier one."""
        pickup = state.tune_state.section.is_first_bar and inner.section.pickup > 0
        written = state.complete_bars if pickup else (*state.complete_bars, bar)
        inner = inner._replace(section=inner.section._replace(num_bars=0))
        after = FormState(inner, state.num_bars + (not pickup), complete_bars=written)
        return after._replace(remaining_tokens=self._find_repeated_bar(after))

    def _find_repeated_bar(self, state: FormState) -> tuple[int, ...] | None:
        """The tokens of the bar that the plan repeats here, if it fits."""
        here = state.num_bars
        if not self.prompt_bars <= here < len(self._sources) or self._sources[here] == here:
            return None
        bar = state.complete_bars[self._sources[here]]
        whole = (*bar, self._find_end_line(state))
        fits = self.grammars.accepts(self._select_grammar(state), state.tune_state, whole)
        return bar if len(bar) <= _LONGEST_COPY and fits else None

    def _compute_distance(self, state: FormState) -> int:
        """How many tokens a way to the end takes, bar by bar."""
        count = 1
        while state.num_bars < len(self._sources):
            if not state.tune_state.mode or (
                state.tune_state.position == "start" and self.starts_with_repeat
            ):
                tokens: tuple[int, ...] = (int(self.get_allowed_tokens(state).argmax()),)
                state = self.advance(state, tokens[0])
            elif state.remaining_tokens is not None:
                tokens = (*state.remaining_tokens, self._find_end_line(state))
                for token in tokens:
                    state = self.advance(state, token)
            else:
                tokens, inner = self._select_grammar(state).path_to_bar_line(state.tune_state)
                state = self._finish_bar(state, inner, (*state.current_bar, *tokens[:-1]))
            count += len(tokens)
        return count
