"""Bars that end on the root."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sluice.tunes.grammar.allowed import AllowedTokens
from sluice.tunes.grammar.alphabet import TuneAlphabet
from sluice.tunes.grammar.bars import TuneGrammar
from sluice.tunes.grammar.completion import ShortestCompletion
from sluice.tunes.grammar.state import OpenEvent, TuneState


class CadenceTokens(AllowedTokens):
    """As `AllowedTokens`, but the last note of a bar is the root, in any octave."""

    def next_tokens(self, state: TuneState) -> Iterable[int]:
        """The ids that may follow."""
        found = super().next_tokens(state)
        if not state.mode or (state.event is not None and state.event.in_chord):
            return found
        refused: set[int] = set()
        if _is_off_root(state.event):
            refused.update(self.alphabet.tie_ids)
        if self._must_be_root(state):
            refused.update(self._event_starts(frozenset()))
            refused.difference_update(_find_root_ids(self.alphabet))
        return [token for token in found if token not in refused]

    def restrict_ticks(self, state: TuneState, ticks: Mapping[int, int]) -> Mapping[int, int]:
        """Those that leave time for the root where the unfinished event is another note."""
        return self._leave_time_for_root(state, ticks) if _is_off_root(state.event) else ticks

    def _must_be_root(self, state: TuneState) -> bool:
        """Whether only the root may begin the next event."""
        here = state if state.event is None else self.transitions.complete_event(state)
        return not self._leave_time_for_root(here, self.find_ticks(here, self.get_goals(here)))

    def _leave_time_for_root(self, state: TuneState, possible: Mapping[int, int]) -> dict[int, int]:
        """The ticks that leave an eighth or more for the last note."""
        end = max(self.get_goals(state).totals, default=0)
        longest, tuplet = end - self.solver.eighth_ticks - state.elapsed, state.tuplet
        return {
            ticks: count
            for ticks, count in possible.items()
            if (ticks if tuplet is None else tuplet.scale(ticks)) <= longest
        }


class CadenceCompletion(ShortestCompletion):
    """As `ShortestCompletion`, with the root as the next note."""

    def rank_tokens(self, state: TuneState) -> list[int]:
        """The tokens to prefer where they are allowed, the best first."""
        if state.event is not None:
            return []
        return [*_find_root_ids(self.alphabet), *super().rank_tokens(state)]

    def canonicalise(self, state: TuneState) -> TuneState:
        """The state itself: here the distance depends on the pitch."""
        return state


class CadenceGrammar(TuneGrammar):
    """As `TuneGrammar`, but every bar ends with a note of the root, in any octave;
    another note leaves time of an eighth or more for it.

    For bars that are not the first of a section, where a pickup might end anywhere.
    """

    allowed_type = CadenceTokens
    completion_type = CadenceCompletion

    @property
    def has_root(self) -> bool:
        """Whether the vocabulary holds a note of the root."""
        return bool(_find_root_ids(self.alphabet))


def _find_root_ids(alphabet: TuneAlphabet) -> list[int]:
    return [number for number, midi in alphabet.pitches.items() if midi % 12 == 0]


def _is_off_root(event: OpenEvent | None) -> bool:
    """Whether this is an event that no bar may end with."""
    return event is not None and {pitch % 12 for pitch in event.pitches} != {0}
