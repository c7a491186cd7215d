"""Bars whose last note is, or is not, the root, and is long or short."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from sluice.sequence import Vocabulary
from sluice.tunes.grammar.allowed import AllowedTokens
from sluice.tunes.grammar.alphabet import BarLine, TuneAlphabet
from sluice.tunes.grammar.bars import TuneGrammar
from sluice.tunes.grammar.completion import ShortestCompletion
from sluice.tunes.grammar.state import OpenEvent, TuneState
from sluice.tunes.grammar.transitions import Transitions

QUARTER_EIGHTHS = 2
"""A long note has two eighths or more."""


class Ending(NamedTuple):
    """How a tune ends; None leaves it to the model.

    Attributes:
        on_tonic: whether the last note is the root, in any octave.
        is_long: whether it lasts a quarter or longer.
    """

    on_tonic: bool | None = None
    is_long: bool | None = None

    def allows_pitch(self, midi: int) -> bool:
        """Whether the last note may be this one."""
        return self.on_tonic is None or self.on_tonic == (midi % 12 == 0)


FREE_ENDING, ON_TONIC = Ending(), Ending(on_tonic=True)


class CadenceTokens(AllowedTokens):
    """As `AllowedTokens`, but the last note of a bar is as an `Ending` says."""

    def __init__(
        self, transitions: Transitions, lines: Collection[BarLine] | None, ending: Ending
    ) -> None:
        super().__init__(transitions, lines)
        self.ending = ending
        self._quarter = QUARTER_EIGHTHS * self.solver.eighth_ticks
        self._room = self._quarter if ending.is_long else self.solver.eighth_ticks
        self.last_ids = find_last_ids(self.alphabet, ending)

    def canonicalise(self, state: TuneState) -> TuneState:
        """The state itself: what may follow here depends on the pitch."""
        return state

    def next_tokens(self, state: TuneState) -> Iterable[int]:
        """The ids that may follow."""
        found = super().next_tokens(state)
        if not state.mode or (state.event is not None and state.event.in_chord):
            return found
        refused = {*self.alphabet.tuplets}  # one at the end of a bar could not end as it should
        if state.event is not None and not self._may_be_last(state.event):
            refused.update(self.alphabet.tie_ids)
        if self._must_be_last(state):
            refused.update(self._event_starts(frozenset()))
            refused.difference_update(self.last_ids)
        return [token for token in found if token not in refused]

    def restrict_ticks(self, state: TuneState, ticks: Mapping[int, int]) -> Mapping[int, int]:
        """Those after which the bar ends as it should, or leaves time for its last note; all where
        there is no such way."""
        if state.event is None:
            return ticks
        allowed = self._leave_time(state, ticks)
        if self._may_be_last(state.event):
            allowed |= self._end_bar(state, ticks)
        return allowed or ticks

    def _may_be_last(self, event: OpenEvent) -> bool:
        """Whether the bar may end with this event's pitches."""
        return bool(event.pitches) and all(map(self.ending.allows_pitch, event.pitches))

    def _must_be_last(self, state: TuneState) -> bool:
        """Whether the next event leaves no time for another one."""
        here = state if state.event is None else self.transitions.complete_event(state)
        return not self._leave_time(here, self.find_ticks(here, self.get_goals(here)))

    def _leave_time(self, state: TuneState, possible: Mapping[int, int]) -> dict[int, int]:
        """The ticks that leave time for a last note."""
        end = max(self.get_goals(state).totals, default=0)
        longest = end - self._room - state.elapsed
        return {
            ticks: count for ticks, count in possible.items() if _scale(state, ticks) <= longest
        }

    def _end_bar(self, state: TuneState, possible: Mapping[int, int]) -> dict[int, int]:
        """The ticks that end the bar, of a length that its last note may have."""
        totals, is_long = self.get_goals(state).totals, self.ending.is_long
        lasting = {ticks: _scale(state, ticks) for ticks in possible}
        return {
            ticks: count
            for ticks, count in possible.items()
            if state.elapsed + lasting[ticks] in totals
            and (is_long is None or is_long == (lasting[ticks] >= self._quarter))
        }


class CadenceCompletion(ShortestCompletion):
    """As `ShortestCompletion`, with a note that may be the last as the next one."""

    def rank_tokens(self, state: TuneState) -> list[int]:
        """The tokens to prefer where they are allowed, the best first."""
        if state.event is not None or not isinstance(self.allowed, CadenceTokens):
            return []
        return [*self.allowed.last_ids, *super().rank_tokens(state)]


class CadenceGrammar(TuneGrammar):
    """As `TuneGrammar`, but every bar ends with a note as `ending` says; others leave time for it.

    For bars that are not the first of a section, where a pickup might end anywhere.
    """

    completion_type = CadenceCompletion

    def __init__(
        self,
        vocabulary: Vocabulary,
        min_bars: int = 4,
        lines: Collection[BarLine] | None = None,
        ending: Ending = ON_TONIC,
    ) -> None:
        self.ending = ending
        super().__init__(vocabulary, min_bars, lines)

    def make_allowed_tokens(
        self, transitions: Transitions, lines: Collection[BarLine] | None
    ) -> AllowedTokens:
        return CadenceTokens(transitions, lines, self.ending)


def find_last_ids(alphabet: TuneAlphabet, ending: Ending) -> list[int]:
    """The ids of the notes that may end a tune so."""
    return [number for number, midi in alphabet.pitches.items() if ending.allows_pitch(midi)]


def _scale(state: TuneState, ticks: int) -> int:
    return ticks if state.tuplet is None else state.tuplet.scale(ticks)
