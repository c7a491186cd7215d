"""The tokens that may follow a state of a tune."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sluice.sequence.vocabulary import END
from sluice.tunes.grammar.alphabet import (
    CLOSE,
    CLOSE_AND_OPEN,
    DOUBLE,
    OPEN,
    PLAIN,
    SECOND_ENDING,
    BarLine,
)
from sluice.tunes.grammar.sections import SectionPhase, SectionState
from sluice.tunes.grammar.state import OpenEvent, Position, TuneState
from sluice.tunes.grammar.transitions import Transitions
from sluice.tunes.theory.durations import UNREACHABLE, BarGoals

MAX_CHORD_NOTES = 4
CACHE_SIZE = 50_000
"""States whose answers are kept; a tune passes through some hundreds."""

Mask = NDArray[np.bool_]


class AllowedTokens:
    """Which tokens may follow: those after which the bar, and so the tune, can still be completed.

    Args:
        transitions: what follows a token.
        lines: the bar lines that may end a bar; all if None.
    """

    def __init__(self, transitions: Transitions, lines: Collection[BarLine] | None = None) -> None:
        self.transitions, self.alphabet = transitions, transitions.alphabet
        self.solver = self.alphabet.solver
        self.end_lines = {
            number: line
            for number, line in self.alphabet.bar_lines.items()
            if lines is None or line in lines
        }
        self.lines = frozenset(self.end_lines.values())
        self._plain_ids = self.alphabet.find_bar_line_ids(PLAIN)
        self._any_pitch = frozenset([next(iter(self.alphabet.ids_by_midi))])
        self._masks = lru_cache(maxsize=CACHE_SIZE)(self._build_mask)
        self._goals = lru_cache(maxsize=CACHE_SIZE)(self._find_goals)
        self._tuplets = lru_cache(maxsize=CACHE_SIZE)(self._find_tuplets)
        self._ends = lru_cache(maxsize=CACHE_SIZE)(self._find_end_lines)

    def mask(self, state: TuneState) -> Mask:
        """Which ids may follow: boolean (vocabulary,), read-only."""
        return self._masks(self.canonicalise(state))

    def canonicalise(self, state: TuneState) -> TuneState:
        """A state that the same tokens may follow, now and until the end, the same for any pitch of
        the unfinished note."""
        event = state.event
        if event is None or event.in_chord or event.is_tied or not event.pitches:
            return state
        event = event._replace(pitches=self._any_pitch)
        return state._replace(event=event, tied_pitches=frozenset())

    def next_tokens(self, state: TuneState) -> Iterable[int]:
        """The ids that may follow."""
        if not state.meter:
            rhythms = () if state.has_rhythm else self.alphabet.rhythms
            return [*rhythms, *self.alphabet.meters]
        if not state.mode:
            return self.alphabet.modes
        if state.event is None:
            return self._next_between_events(state)
        if state.event.in_chord:
            return self._next_in_chord(state.event.pitches, state.tied_pitches)
        return self._next_in_event(state, state.event)

    # Durations

    def get_goals(self, state: TuneState) -> BarGoals:
        """Where this bar may end."""
        return self._goals(state.section, state.meter)

    def find_ticks(self, state: TuneState, goals: BarGoals) -> Mapping[int, int]:
        """The ticks that the next event may last, with how many tokens then complete the bar."""
        return self.solver.next_ticks(state.elapsed, state.tuplet, goals)

    def restrict_ticks(self, state: TuneState, ticks: Mapping[int, int]) -> Mapping[int, int]:
        """Those of `ticks` that the grammar allows: here all."""
        return ticks

    def possible_ticks(self, state: TuneState) -> Mapping[int, int]:
        """As `find_ticks`, to any end of this bar that the grammar allows."""
        return self.restrict_ticks(state, self.find_ticks(state, self.get_goals(state)))

    def _find_goals(self, section: SectionState, meter: str) -> BarGoals:
        full = self.alphabet.bar_ticks(meter)
        return section.find_goals(self.lines, full, self.transitions.min_bars)

    # Tokens

    def _build_mask(self, state: TuneState) -> Mask:
        """Boolean (vocabulary,), read-only."""
        mask = np.zeros(len(self.alphabet.vocabulary), dtype=np.bool_)
        mask[[*self.next_tokens(state)]] = True
        mask.flags.writeable = False
        return mask

    def _next_in_chord(self, pitches: frozenset[int], tied: frozenset[int]) -> list[int]:
        if tied:
            more, is_complete = tied - pitches, pitches == tied
        else:
            known = frozenset(self.alphabet.ids_by_midi)
            more = known - pitches if len(pitches) < MAX_CHORD_NOTES else frozenset()
            is_complete = len(pitches) > 1
        closing = self.alphabet.close_chord_ids if is_complete else []
        return [*self.alphabet.find_pitch_ids(more), *closing]

    def _next_in_event(self, state: TuneState, event: OpenEvent) -> list[int]:
        possible = self.possible_ticks(state)
        found: list[int] = []
        if not event.ticks and not event.is_tied:
            durations = self.alphabet.durations.items()
            found += [number for number, ticks in durations if ticks in possible]
        if event.ticks or self.solver.eighth_ticks in possible:
            found += self._next_between_events(self.transitions.complete_event(state))
            if event.pitches and not event.is_tied and self._may_tie(state, event):
                found += self.alphabet.tie_ids
        return found

    def _may_tie(self, state: TuneState, event: OpenEvent) -> bool:
        tied = state._replace(event=event._replace(is_tied=True))
        after = self.transitions.complete_event(tied)
        if self.possible_ticks(after):
            return True
        if PLAIN not in self.lines:
            return False
        return any(self._can_end_bar(after, line) for line in self._plain_ids)

    def _next_between_events(self, state: TuneState) -> list[int]:
        section, at_line = state.section, state.position == Position.BAR_LINE
        if at_line and section.phase == SectionPhase.SECOND_ENDING_DUE:
            return self._find_second_endings(section)
        found = [END] if at_line and section.may_end and not state.tied_pitches else []
        if section.phase == SectionPhase.OVER:
            return found
        if state.position == Position.BODY_START and self.alphabet.has_counts:
            return self._find_opening_lines()
        return [*found, *self._next_events(state), *self._next_signs(state)]

    def _next_events(self, state: TuneState) -> list[int]:
        """What begins a note, a rest, a chord or a tuplet."""
        found: list[int] = []
        if self.possible_ticks(state):
            found += self._event_starts(state.tied_pitches)
        if state.tuplet is None:
            found += self._tuplets(state.elapsed, state.meter, self.get_goals(state))
        return found

    def _next_signs(self, state: TuneState) -> list[int]:
        """Bar lines, and meters behind them."""
        if state.position == Position.BODY_START:
            return self.alphabet.find_bar_line_ids(OPEN)
        if state.position == Position.BAR_LINE and not state.tied_pitches:
            meters = self.alphabet.meters.items()
            return [number for number, meter in meters if meter != state.meter]
        if state.position == Position.IN_BAR and state.tuplet is None:
            return [*self._ends(_describe_bar(state))]
        return []

    def _find_end_lines(self, state: TuneState) -> list[int]:
        """The lines that may end a bar, given as `_describe_bar` does."""
        return [number for number in self.end_lines if self._can_end_bar(state, number)]

    def _find_opening_lines(self) -> list[int]:
        """The lines that begin a tune by saying how many bars its first section has."""
        opening, counts = self.alphabet.find_bar_line_ids(OPEN), self.alphabet.bar_counts
        return [
            number
            for number in (*opening, *self._plain_ids)
            if counts[number] not in (0, 1)
            and (
                not 0 < counts[number] < self.transitions.min_bars
                or self._can_follow(number in opening)
            )
        ]

    def _can_follow(self, is_repeated: bool) -> bool:
        """Whether the model knows a line that ends a section and begins another."""
        lines = (CLOSE, CLOSE_AND_OPEN) if is_repeated else (OPEN, DOUBLE)
        counts = self.alphabet.bar_counts
        return any(
            counts[number] not in (0, 1)
            for line in lines
            for number in self.alphabet.find_bar_line_ids(line)
        )

    def _find_second_endings(self, section: SectionState) -> list[int]:
        counts = self.alphabet.bar_counts
        lines = self.alphabet.find_bar_line_ids(SECOND_ENDING)
        return [number for number in lines if counts[number] == section.ahead]

    def _event_starts(self, tied: frozenset[int]) -> list[int]:
        """What an event begins with."""
        if len(tied) > 1:
            return self.alphabet.open_chord_ids
        if tied:
            return self.alphabet.find_pitch_ids(tied)
        alphabet = self.alphabet
        return [*alphabet.pitches, *alphabet.rest_ids, *alphabet.open_chord_ids]

    def _find_tuplets(self, elapsed: int, meter: str, goals: BarGoals) -> list[int]:
        """Those that can be completed, and the bar behind them."""
        resolved = {
            number: self.alphabet.resolve_tuplet(number, meter) for number in self.alphabet.tuplets
        }
        return [
            number
            for number, tuplet in resolved.items()
            if tuplet and self.solver.min_tokens(elapsed, tuplet, goals) < UNREACHABLE
        ]

    def _can_end_bar(self, state: TuneState, number: int) -> bool:
        """Whether this bar line may stand here, where events are complete."""
        line = self.alphabet.bar_lines[number]
        if state.tuplet is not None or (line != PLAIN and state.tied_pitches):
            return False
        end = self.transitions.describe_bar_end(state, number)
        pickup = self.solver.can_be_pickup(end.total, end.full)
        if not state.section.can_end_bar(end, self.transitions.min_bars, pickup):
            return False
        after = self.transitions.finish_bar(state, number)
        if after.phase == SectionPhase.SECOND_ENDING_DUE and not self._find_second_endings(after):
            return False
        return after.phase != SectionPhase.OVER or (after.may_end and not state.tied_pitches)


def _describe_bar(state: TuneState) -> TuneState:
    """What counts where a bar may end: not which notes it has."""
    held = frozenset([0]) if state.tied_pitches else frozenset[int]()
    return TuneState(
        meter=state.meter,
        section=state.section,
        elapsed=state.elapsed,
        tied_pitches=held,
        has_note=state.has_note,
    )
