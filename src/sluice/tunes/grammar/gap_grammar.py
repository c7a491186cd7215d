"""The grammar of a gap: notes that last exactly as long as it does."""

from __future__ import annotations

from fractions import Fraction

from sluice.tunes.errors import TuneError
from sluice.tunes.grammar.allowed import AllowedTokens, Mask
from sluice.tunes.grammar.alphabet import TuneAlphabet
from sluice.tunes.grammar.sections import SectionState
from sluice.tunes.grammar.state import Position, TuneState
from sluice.tunes.grammar.transitions import Transitions
from sluice.tunes.theory.durations import MAX_BAR_EIGHTHS, UNREACHABLE, BarGoals


class _GapTokens(AllowedTokens):
    """Tokens after which a gap of so many ticks can still be filled; no bar line."""

    def __init__(self, transitions: Transitions, ticks: int) -> None:
        self._goal = BarGoals(ticks, frozenset([ticks]), False)
        super().__init__(transitions, lines=())

    def _find_goals(self, section: SectionState, meter: str) -> BarGoals:
        return self._goal


class GapGrammar:
    """Which tokens may fill a gap, and whether it is full.

    Chords, ties and tuplets are as in `TuneGrammar`; none is left open at the end.

    Args:
        alphabet: the model's.
        length: how long the gap is, in eighths.

    Raises:
        TuneError: a length that the model's notes cannot fill.

    >>> from sluice.sequence import Vocabulary
    >>> words = "M:6/8 K:Cmaj c d 2 | :|".split()
    >>> vocabulary = Vocabulary.of([words])
    >>> grammar = GapGrammar(TuneAlphabet(vocabulary), Fraction(2))
    >>> state = grammar.begin("6/8")
    >>> for token in vocabulary.encode("c 2".split()):
    ...     print(bool(grammar.get_allowed_tokens(state)[token]), grammar.is_full(state))
    ...     state = grammar.advance(state, token)
    True False
    True False
    >>> grammar.is_full(state)
    True
    """

    def __init__(self, alphabet: TuneAlphabet, length: Fraction) -> None:
        solver = alphabet.solver
        possible = 0 < length <= MAX_BAR_EIGHTHS and solver.is_exact(length)
        self._ticks = solver.to_ticks(length) if possible else 0
        if not self._ticks or solver.tokens_to_fill(self._ticks) >= UNREACHABLE:
            raise TuneError(
                f"The model knows no notes that fill a gap of {length} eighths; change its bar."
            )
        self._pitches = frozenset(alphabet.ids_by_midi)
        self._transitions = Transitions(alphabet, min_bars=1)
        self._allowed = _GapTokens(self._transitions, self._ticks)

    def begin(self, meter: str, tied_pitches: frozenset[int] = frozenset()) -> TuneState:
        """Before the first token, in a meter and where notes (MIDI numbers) are held into it."""
        return TuneState(
            meter=meter,
            mode=True,
            position=Position.BAR_START,
            tied_pitches=tied_pitches if tied_pitches <= self._pitches else frozenset(),
        )

    def get_allowed_tokens(self, state: TuneState) -> Mask:
        """Boolean (vocabulary,), read-only; none where it can but end."""
        return self._allowed.mask(state)

    def advance(self, state: TuneState, token: int) -> TuneState:
        """After a token that was allowed."""
        return self._transitions.advance(state, token)

    def is_full(self, state: TuneState) -> bool:
        """Whether what stands there fills the gap if no duration or tie follows."""
        event = state.event
        if event is None or event.in_chord or event.is_tied:
            return False
        after = self._transitions.complete_event(state)
        return after.tuplet is None and after.elapsed == self._ticks
