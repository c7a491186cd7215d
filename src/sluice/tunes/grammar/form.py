"""The grammar of tunes in sections of eight bars, each repeated, in which bars recur by a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from sluice.cached import cached_property
from sluice.sequence import Vocabulary
from sluice.sequence.vocabulary import END
from sluice.tunes.errors import TuneError
from sluice.tunes.grammar.allowed import Mask
from sluice.tunes.grammar.alphabet import (
    CLOSE,
    CLOSE_AND_OPEN,
    OPEN,
    PLAIN,
    UNCOUNTED,
    BarLine,
    TuneAlphabet,
)
from sluice.tunes.grammar.bars import TuneGrammar
from sluice.tunes.grammar.cadence import FREE_ENDING, CadenceGrammar, Ending, find_last_ids
from sluice.tunes.grammar.plans import BARS_PER_SECTION
from sluice.tunes.grammar.state import Position, TuneState
from sluice.tunes.notation.model_tokens import MAX_COUNT
from sluice.tunes.theory.durations import MAX_TUPLET_EVENTS

_LONGEST_COPY = 24
"""In tokens; a longer bar is not repeated, so that tunes end in time."""

_NO_END = 1 << 20
_CACHE_SIZE = 20_000


class FormState(NamedTuple):
    """Between two tokens.

    Attributes:
        tune_state: that of the bars' grammar, which counts no bars.
        num_bars: how many complete bars there are.
        current_bar: the tokens of this bar.
        complete_bars: those of the complete bars, without their lines.
        remaining_tokens: the rest of the bar that is repeated here, its line excluded; None where
            none is repeated.
        ending: how the tune ends, as far as its dance says.
    """

    tune_state: TuneState
    num_bars: int = 0
    current_bar: tuple[int, ...] = ()
    complete_bars: tuple[tuple[int, ...], ...] = ()
    remaining_tokens: tuple[int, ...] | None = None
    ending: Ending = FREE_ENDING


class BarGrammars:
    """The grammars of bars within a part, of its last bar, and of the last bar of all.

    `free` are those that end anyhow, `find_ending` gives those that end as an `Ending` says.

    Raises:
        TuneError: a vocabulary without meters, modes, notes or `|`, or lacks `|:` or `:|`.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        alphabet = TuneAlphabet(vocabulary)
        between = CLOSE_AND_OPEN if alphabet.find_bar_line_ids(CLOSE_AND_OPEN) else CLOSE
        ways = (([PLAIN], _NO_END), ([between], _NO_END), ([CLOSE], 1))
        self.free = [TuneGrammar(vocabulary, least, lines) for lines, least in ways]
        self._vocabulary, self._ways = vocabulary, ways
        self._endings: dict[Ending, list[TuneGrammar]] = {FREE_ENDING: self.free}
        self.alphabet, self.size = self.free[0].alphabet, len(vocabulary)
        known = [*self.alphabet.bar_lines.values()]
        for line, name in ((OPEN, "|:"), (CLOSE, ":|")):
            if line not in known:
                raise TuneError(f"Parts are repeated by {name!r}, but the model does not know it.")
        self.line_ids = [*self.alphabet.bar_lines]
        self.opening_ids = self._find_line_ids(OPEN, BARS_PER_SECTION)
        self.plain_ids = [self._find_line_ids(PLAIN, bars) for bars in range(BARS_PER_SECTION)]
        self.between_ids = self._find_line_ids(between, BARS_PER_SECTION)
        self.close_ids = self._find_line_ids(CLOSE, 0)
        self.accepts = lru_cache(maxsize=_CACHE_SIZE)(self._accepts)

    def find_ending(self, ending: Ending) -> Sequence[TuneGrammar]:
        """The grammars of bars that end so; the free ones where no note can."""
        if ending not in self._endings:
            possible = find_last_ids(self.alphabet, ending)
            self._endings[ending] = (
                [CadenceGrammar(self._vocabulary, n, lines, ending) for lines, n in self._ways]
                if possible
                else self.free
            )
        return self._endings[ending]

    def find_end_lines(self, num_bars: int, all_bars: int) -> list[int]:
        """The ids of the lines that may end a bar when so many bars are complete with it."""
        if num_bars == all_bars:
            return self.close_ids
        if num_bars % BARS_PER_SECTION == 0:
            return self.between_ids
        return self.plain_ids[-num_bars % BARS_PER_SECTION]

    def _find_line_ids(self, line: BarLine, bars: int) -> list[int]:
        """The ids of a line before so many bars of its section.

        Raises:
            TuneError: the vocabulary has none.
        """
        found = self.alphabet.find_bar_line_ids(line, bars if bars <= MAX_COUNT else UNCOUNTED)
        if not found and (bars or line != PLAIN):
            raise TuneError(f"No bar line of the model stands before {bars} bars of a section.")
        return found

    def _accepts(self, grammar: TuneGrammar, inner: TuneState, bar: tuple[int, ...]) -> bool:
        """Whether these tokens, the bar line included, are a bar here."""
        for token in bar:
            if not grammar.get_allowed_tokens(inner)[token]:
                return False
            inner = grammar.advance(inner, token)
        return True


class FormGrammar:
    """A grammar (`sluice.sequence.EndingGrammar`) of tunes after a plan of sections and bars.

    Each section has eight complete bars, perhaps after a pickup, and ends by `:|` (or `::`). A bar
    whose letter occurred before repeats that bar, token by token, if it fits there (the last bar of
    a section makes up for the pickup) and is no longer than 24 tokens; the model writes all others,
    as `TuneGrammar` lets it, and bar lines that count tell it how far the end of a section is.
    There are no endings, no ties over bar lines, no change of meter, and no rest before the first
    note.

    Args:
        grammars: of the model's vocabulary.
        plan: a word of eight letters for each section, as in `count_plans`.
        prompt_bars: how many first bars need not follow the plan.
        starts_with_repeat: whether the tune begins with `|:`, else with a note.
        ending: how a tune without a dance in front ends, and so the bars equal to its last one.
        dance_endings: the same by the ids of dances, once the dance is written.

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
        ending: Ending = FREE_ENDING,
        dance_endings: Mapping[int, Ending] = MappingProxyType({}),
    ) -> None:
        self._ending, self._dance_endings = ending, dance_endings
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
        self._last_bars = frozenset(alike if last % BARS_PER_SECTION else ())
        self._distances = lru_cache(maxsize=_CACHE_SIZE)(self._compute_distance)

    def start(self) -> FormState:
        return FormState(self.grammars.free[0].start(), ending=self._ending)

    def get_allowed_tokens(self, state: FormState) -> Mask:
        """Boolean (vocabulary,)."""
        if state.num_bars == len(self._sources):
            return self._build_mask([END])
        if state.remaining_tokens is not None:
            following = (*state.remaining_tokens, self._find_end_line(state))
            return self._build_mask(following[:1])
        mask = self._select_grammar(state).get_allowed_tokens(state.tune_state).copy()
        if not state.tune_state.mode:
            return mask
        if state.tune_state.position == Position.BODY_START:
            if self.starts_with_repeat:
                return self._build_mask(self.grammars.opening_ids)
            mask[self.grammars.opening_ids] = False
        mask[END] = False
        mask[[*self.grammars.alphabet.meters]] = False
        if not state.tune_state.has_note:
            mask[self.grammars.alphabet.rest_ids] = False
        if mask[self.grammars.line_ids].any():
            mask[self.grammars.alphabet.tie_ids] = False
            self._keep_lines(state, mask)
        return mask

    def _keep_lines(self, state: FormState, mask: Mask) -> None:
        """Clear the lines that announce other bars than the form has.

        A pickup and a complete first bar end by the same line, which has no count yet.
        """
        lines = self.grammars.find_end_lines(state.num_bars + 1, len(self._sources))
        kept = mask[lines]
        mask[self.grammars.line_ids] = False
        mask[lines] = kept

    def advance(self, state: FormState, token: int) -> FormState:
        """After a token that was allowed."""
        if token == END:
            return state
        inner = self._select_grammar(state).advance(state.tune_state, token)
        alphabet = self.grammars.alphabet
        if token in alphabet.rhythms:
            ending = self._dance_endings.get(token, self._ending)
            return state._replace(tune_state=inner, ending=ending)
        if token in alphabet.modes or token in alphabet.meters:
            return state._replace(tune_state=inner)
        if state.tune_state.position == Position.BODY_START and token in alphabet.bar_lines:
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

    def _build_mask(self, tokens: Iterable[int]) -> Mask:
        mask = np.zeros(self.grammars.size, dtype=np.bool_)
        mask[[*tokens]] = True
        return mask

    def _is_last_bar(self, state: FormState) -> bool:
        return state.num_bars % BARS_PER_SECTION == BARS_PER_SECTION - 1

    def _find_end_line(self, state: FormState) -> int:
        """The line that ends this bar if it is a repeated one."""
        return self.grammars.find_end_lines(state.num_bars + 1, len(self._sources))[0]

    def _select_grammar(self, state: FormState) -> TuneGrammar:
        is_last = state.num_bars in self._last_bars
        grammars = self.grammars.find_ending(state.ending) if is_last else self.grammars.free
        return grammars[self._is_last_bar(state) + (state.num_bars == len(self._sources) - 1)]

    def _finish_bar(self, state: FormState, inner: TuneState, bar: tuple[int, ...]) -> FormState:
        """After the line behind a bar: the next one begins, new or as an earlier one."""
        pickup = state.tune_state.section.is_first_bar and inner.section.pickup > 0
        written = state.complete_bars if pickup else (*state.complete_bars, bar)
        num_bars = state.num_bars + (not pickup)
        section = inner.section._replace(num_bars=0)
        if self.grammars.alphabet.has_counts:
            ahead = BARS_PER_SECTION - num_bars % BARS_PER_SECTION
            section = section._replace(ahead=ahead if ahead <= MAX_COUNT else UNCOUNTED)
        after = FormState(
            inner._replace(section=section), num_bars, complete_bars=written, ending=state.ending
        )
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
        """The length of a way to the end, bar by bar."""
        count = 1
        while state.num_bars < len(self._sources):
            if not state.tune_state.mode or (
                state.tune_state.position == Position.BODY_START and self.starts_with_repeat
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
