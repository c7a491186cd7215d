"""A short way from a state of a tune to its end."""

from __future__ import annotations

from functools import lru_cache

from sluice.sequence.vocabulary import END
from sluice.tunes.grammar.allowed import CACHE_SIZE, MAX_CHORD_NOTES, AllowedTokens
from sluice.tunes.grammar.alphabet import CLOSE, CLOSE_AND_OPEN, PLAIN, BarLine
from sluice.tunes.grammar.sections import SectionPhase
from sluice.tunes.grammar.state import TuneState
from sluice.tunes.notation.model_tokens import MAX_COUNT
from sluice.tunes.theory.durations import MAX_TUPLET_EVENTS, UNREACHABLE, BarGoals

_MUST_CLOSE = (SectionPhase.IN_REPEAT, SectionPhase.FIRST_ENDING)


class ShortestCompletion:
    """Allowed tokens that complete the bar, and then the tune, soon."""

    def __init__(self, allowed: AllowedTokens) -> None:
        self.allowed, self.transitions = allowed, allowed.transitions
        self.alphabet, self.solver = allowed.alphabet, allowed.solver
        self._distances: dict[TuneState, int] = {}
        self.max_distance = self._compute_max_distance()
        self._bar_line_paths = lru_cache(maxsize=CACHE_SIZE)(self._find_path_to_bar_line)

    def distance_to_end(self, state: TuneState) -> int:
        """How many tokens are enough to end from here, `END` included."""
        if len(self._distances) > CACHE_SIZE:
            self._distances.clear()
        path: list[TuneState] = []
        while (state := self.allowed.canonicalise(state)) not in self._distances:
            token = self._choose_token(state)
            if token == END:
                self._distances[state] = 1
                break
            path.append(state)
            state = self.transitions.advance(state, token)
        count = self._distances[state]
        for passed in reversed(path):
            count += 1
            self._distances[passed] = count
        return count

    def path_to_bar_line(self, state: TuneState) -> tuple[tuple[int, ...], TuneState]:
        """From a state in the body: tokens that end this bar, its line included, and the state
        after them."""
        return self._bar_line_paths(self.allowed.canonicalise(state))

    def rank_tokens(self, state: TuneState) -> list[int]:
        """The tokens to prefer where they are allowed, the best first."""
        if state.event is not None or not state.mode:
            return self.alphabet.close_chord_ids
        line, goals = self._choose_goals(state)
        notes = [*self.alphabet.pitches]
        if self.solver.min_tokens(state.elapsed, state.tuplet, goals) == 0:
            return [*self.alphabet.find_bar_line_ids(line), *notes]
        return [*notes, *self.alphabet.find_bar_line_ids(PLAIN)]

    def _choose_token(self, state: TuneState) -> int:
        """An allowed token that leads to the end."""
        event = state.event
        if event is not None and not event.in_chord:
            if not event.ticks and not event.is_tied:
                ticks = self._choose_ticks(state)
                if ticks != self.solver.eighth_ticks:
                    return self.alphabet.duration_ids[ticks]
            state = self.transitions.complete_event(state)
        allowed = self.allowed.mask(state)
        if allowed[END]:
            return END
        preferred = (number for number in self.rank_tokens(state) if allowed[number])
        return next(preferred, int(allowed.argmax()))

    def _find_path_to_bar_line(self, state: TuneState) -> tuple[tuple[int, ...], TuneState]:
        tokens: list[int] = []
        while not tokens or tokens[-1] not in self.allowed.end_lines:
            tokens.append(self._choose_token(state))
            state = self.transitions.advance(state, tokens[-1])
        return tuple(tokens), state

    def _choose_goals(self, state: TuneState) -> tuple[BarLine, BarGoals]:
        """By which line and where this bar should end."""
        section, full = state.section, self.alphabet.bar_ticks(state.meter)
        lines, min_bars = self.allowed.lines, self.transitions.min_bars
        must_close = section.phase in _MUST_CLOSE or PLAIN not in lines
        for line in (CLOSE, CLOSE_AND_OPEN):
            if line in lines and must_close:
                totals = section.find_totals(line, full, min_bars)
                goals = BarGoals(full, frozenset(totals), False)
                if self.solver.min_tokens(state.elapsed, state.tuplet, goals) < UNREACHABLE:
                    return line, goals
        due = section.due_pickup if section.is_first_bar else 0
        return PLAIN, BarGoals(full, frozenset([due if due > 0 else full]), False)

    def _choose_ticks(self, state: TuneState) -> int:
        """The ticks of the unfinished event that bring the bar soonest to where it should end."""
        _, goals = self._choose_goals(state)
        ways = self.allowed.restrict_ticks(state, self.allowed.find_ticks(state, goals))
        ways = ways or self.allowed.possible_ticks(state)
        return min(ways, key=lambda ticks: (ways[ticks] + self.solver.costs[ticks], ticks))

    def _compute_max_distance(self) -> int:
        """An upper bound: the rest of a tuplet and of its bar, and the bars that follow."""
        longest = max(map(self.alphabet.bar_ticks, self.alphabet.meters.values()))
        bar = 1 + self.solver.max_tokens_to_fill(longest)
        bars = self.transitions.min_bars + 4 + (MAX_COUNT if self.alphabet.has_counts else 0)
        return 2 * MAX_TUPLET_EVENTS + MAX_CHORD_NOTES + bars * bar
