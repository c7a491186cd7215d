"""Bars that come to rest on the root."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sluice.tunes.grammar.bars import OpenEvent, TuneGrammar, TuneState


class CadenceGrammar(TuneGrammar):
    """As `TuneGrammar`, but every bar ends with a note of the root, in any octave;
    another note leaves time of an eighth or more for it.

    For bars that are no first ones of a part, where a pickup might end anywhere.
    """

    @property
    def has_root(self) -> bool:
        """Whether the vocabulary holds such a note."""
        return bool(self._root_ids())

    def _root_ids(self) -> list[int]:
        return [number for number, midi in self.alphabet.pitches.items() if midi % 12 == 0]

    def _next_tokens(self, state: TuneState) -> Iterable[int]:
        found = [*super()._next_tokens(state)]
        if not state.mode or (state.event is not None and state.event.in_chord):
            return found
        refused: set[int] = set()
        if _is_off_root(state.event):
            refused.update(self._tie_ids)
        here = state if state.event is None else self._complete_event(state)
        if not self._leave_time_for_root(
            here, super()._possible_ticks(here)
        ):  # only the root may come next
            refused.update(self.alphabet.pitches, self._rest_ids, self._open_ids)
            refused.difference_update(self._root_ids())
        return [token for token in found if token not in refused]

    def _possible_ticks(self, state: TuneState) -> Mapping[int, int]:
        ways = super()._possible_ticks(state)
        return self._leave_time_for_root(state, ways) if _is_off_root(state.event) else ways

    def _leave_time_for_root(self, state: TuneState, ways: Mapping[int, int]) -> dict[int, int]:
        """The lengths that leave an eighth or more for the last note."""
        goal = (
            max(self._get_goals(state).totals, default=0)
            - self._solver.eighth_ticks
            - state.elapsed
        )
        tuplet = state.tuplet
        return {
            ticks: more
            for ticks, more in ways.items()
            if (ticks if tuplet is None else tuplet.scale(ticks)) <= goal
        }

    def _choose_ticks(self, state: TuneState) -> int:
        _, goals = self._choose_goals(state)
        ways = self._solver.next_ticks(state.elapsed, state.tuplet, goals)
        ways = self._leave_time_for_root(state, ways) if _is_off_root(state.event) else ways
        ways = ways or self._possible_ticks(state)
        return min(ways, key=lambda ticks: (ways[ticks] + self._solver.costs[ticks], ticks))

    def _rank_tokens(self, state: TuneState) -> list[int]:
        return [*self._root_ids(), *super()._rank_tokens(state)] if state.event is None else []

    def _canonicalise(self, state: TuneState) -> TuneState:
        return state


def _is_off_root(event: OpenEvent | None) -> bool:
    """Whether this is an event that no bar may end with."""
    return event is not None and {pitch % 12 for pitch in event.pitches} != {0}
