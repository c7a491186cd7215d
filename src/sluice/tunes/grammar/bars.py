"""The grammar of tunes: bars add up in their meter, and what opens is closed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from sluice.sequence import Vocabulary
from sluice.sequence.vocabulary import END
from sluice.tunes.errors import TuneError
from sluice.tunes.grammar.allowed import AllowedTokens, Mask
from sluice.tunes.grammar.alphabet import BarLine, TuneAlphabet
from sluice.tunes.grammar.completion import ShortestCompletion
from sluice.tunes.grammar.sections import SectionState
from sluice.tunes.grammar.state import TuneState as TuneState
from sluice.tunes.grammar.transitions import Transitions


class TuneGrammar:
    """A grammar (`sluice.sequence.EndingGrammar`) of well-formed tunes over a vocabulary.

    Meter and mode come first, and before them the dance, if the vocabulary has dances. The rules
    of the body:

    - A bar lasts as long as its meter says, apart from pickups. A section may begin with a pickup;
      the bar before its `:|` is then shorter by it. The last bar of all may be shorter by it or
      complete (complete where a later meter's bars are no longer than the pickup).
    - A section begins with the tune, at `|:`, after `:|`, `::` and `||`, and after a second ending
      that made up for a pickup. A lone pickup before `|:` belongs to the section behind it.
    - A pickup lasts half a bar at most. Later ones complete the last bar of the section before.
    - Repeats hold two bars or more and are closed; `|1` leads over `:|` to `|2`.
    - Tuplets are complete before the bar line. Chords have two to four different notes. Ties lead
      to the same notes, and over plain bar lines only.
    - The meter changes only behind a bar line.
    - The tune has a note, and ends behind `|`, `||` or `:|` after `min_bars` or more.
    - Where bar lines count (`sluice.tunes.notation.model_tokens`), each announces one bar less than
      the line before it, a section has as many bars as its first line says, the line that announces
      none ends the tune, and every repeat is opened.

    Any other token is never allowed.

    Args:
        vocabulary: the model's.
        min_bars: the least number of bars of a tune, pickups counted.
        lines: the bar lines that may end a bar; all if None.

    Raises:
        TuneError: a vocabulary that lacks meters, modes, notes or `|`, or `min_bars` below 1.

    >>> from sluice.sequence import Vocabulary
    >>> words = "M:2/4 K:Cmaj c d 2 3 | :| [ ]".split()
    >>> grammar = TuneGrammar(Vocabulary.of([words]), min_bars=2)
    >>> grammar.find_violation("M:2/4 K:Cmaj c | c 3 d | c 3 :|".split())
    >>> grammar.find_violation("M:2/4 K:Cmaj c | c 3 d | c 2 :|".split())
    10
    """

    completion_type: ClassVar[type[ShortestCompletion]] = ShortestCompletion

    def __init__(
        self,
        vocabulary: Vocabulary,
        min_bars: int = 4,
        lines: Collection[BarLine] | None = None,
    ) -> None:
        if min_bars < 1:
            raise TuneError(f"min_bars must be at least 1, got {min_bars}.")
        self.alphabet = TuneAlphabet(vocabulary)
        self._transitions = Transitions(self.alphabet, min_bars)
        self._allowed = self.make_allowed_tokens(self._transitions, lines)
        self._completion = self.completion_type(self._allowed)

    def make_allowed_tokens(
        self, transitions: Transitions, lines: Collection[BarLine] | None
    ) -> AllowedTokens:
        """What says which tokens may follow a state."""
        return AllowedTokens(transitions, lines)

    def start(self) -> TuneState:
        """Before the first token."""
        return TuneState(section=SectionState(counts_bars=self.alphabet.has_counts))

    def get_allowed_tokens(self, state: TuneState) -> Mask:
        """Boolean (vocabulary,), read-only."""
        return self._allowed.mask(state)

    def advance(self, state: TuneState, token: int) -> TuneState:
        """After a token that was allowed."""
        return self._transitions.advance(state, token)

    def distance_to_end(self, state: TuneState) -> int:
        """How many tokens are enough to end from here, `END` included."""
        return self._completion.distance_to_end(state)

    @property
    def max_distance(self) -> int:
        """The largest distance to the end of any state."""
        return self._completion.max_distance

    def path_to_bar_line(self, state: TuneState) -> tuple[tuple[int, ...], TuneState]:
        """From a state in the body: tokens that end this bar, its line included, and the state
        after them."""
        return self._completion.path_to_bar_line(state)

    def find_violation(self, tokens: Sequence[str]) -> int | None:
        """The place of the first token that is not allowed, `len(tokens)` for the end, or None.

        Raises:
            UnknownTokenError: a token that the vocabulary does not hold.
        """
        state = self.start()
        for place, number in enumerate([*self.alphabet.vocabulary.encode(tokens), END]):
            if not self.get_allowed_tokens(state)[number]:
                return place
            state = self.advance(state, number)
        return None
