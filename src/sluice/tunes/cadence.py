"""Bars that come to rest on the root."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sluice.tunes.grammar import Event, State, TuneGrammar


class CadenceGrammar(TuneGrammar):
    """As `TuneGrammar`, but every bar ends with a note of the root, in any octave;
    another note leaves time of an eighth or more for it.

    For bars that are no first ones of a part, where a pickup might end anywhere.
    """

    @property
    def has_root(self) -> bool:
        """Whether the vocabulary holds such a note."""
        return bool(self._roots())

    def _roots(self) -> list[int]:
        return [number for number, midi in self.words.pitches.items() if midi % 12 == 0]

    def _next(self, state: State) -> Iterable[int]:
        found = [*super()._next(state)]
        if not state.mode or (state.event is not None and state.event.in_chord):
            return found
        refused: set[int] = set()
        if _strays(state.event):
            refused.update(self._tie)
        here = state if state.event is None else self._complete(state)
        if not self._straying(here, super()._ways(here)):  # only the root may come next
            refused.update(self.words.pitches, self._rest, self._open)
            refused.difference_update(self._roots())
        return [token for token in found if token not in refused]

    def _ways(self, state: State) -> Mapping[int, int]:
        ways = super()._ways(state)
        return self._straying(state, ways) if _strays(state.event) else ways

    def _straying(self, state: State, ways: Mapping[int, int]) -> dict[int, int]:
        """The lengths that leave an eighth or more for the last note."""
        goal = max(self._goals_here(state).totals, default=0) - self._lengths.eighth - state.passed
        tuplet = state.tuplet
        return {
            ticks: more
            for ticks, more in ways.items()
            if (ticks if tuplet is None else tuplet.scaled(ticks)) <= goal
        }

    def _shortest(self, state: State) -> int:
        _, goals = self._aim(state)
        ways = self._lengths.possible(state.passed, state.tuplet, goals)
        ways = self._straying(state, ways) if _strays(state.event) else ways
        ways = ways or self._ways(state)
        return min(ways, key=lambda ticks: (ways[ticks] + self._lengths.costs[ticks], ticks))

    def _wanted(self, state: State) -> list[int]:
        return [*self._roots(), *super()._wanted(state)] if state.event is None else []

    def _alike(self, state: State) -> State:
        return state


def _strays(event: Event | None) -> bool:
    """Whether this is an event that no bar may end with."""
    return event is not None and {pitch % 12 for pitch in event.pitches} != {0}
