"""Which tokens may follow which, so that a tune's bars add up and what opens is closed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sluice.sequence import Vocabulary
from sluice.sequence.vocabulary import END
from sluice.tunes.errors import TuneError
from sluice.tunes.grammar.alphabet import BarLine, TuneAlphabet
from sluice.tunes.grammar.sections import CLOSE, PLAIN, SectionState
from sluice.tunes.grammar.state import OpenEvent as OpenEvent
from sluice.tunes.grammar.state import TuneState as TuneState
from sluice.tunes.theory.durations import MAX_TUPLET_EVENTS, UNREACHABLE, BarGoals

_MAX_CHORD_NOTES = 4

_CACHE_SIZE = 50_000
"""States whose answers are kept; a tune passes through some hundreds."""

_NOTHING: frozenset[int] = frozenset()

Mask = NDArray[np.bool_]


class TuneGrammar:
    """A grammar (`sluice.sequence.EndingGrammar`) of well-formed tunes over a vocabulary.

    Meter and mode come first. Bars last as long as their meter says, but for pickups: a part may
    begin with one, and then the bar before its `:|` is shorter by it, the last bar of all either
    shorter or complete (and complete where a later meter's bars are no longer than the pickup). A
    part begins with the tune, at `|:`, after `:|` and `::`, and after a second ending that made up
    for a pickup; a pickup alone before `|:` belongs to the part behind. Repeats hold two bars or
    more and close, `|1` leads over `:|` to `|2`, tuplets complete before the bar line, chords hold
    two to four different notes, ties lead to the same notes, over plain bar lines only. The meter
    changes only behind a bar line. The tune has a note, and ends behind `|` or `:|` after
    `least_bars` or more. Any other token is never allowed.

    Args:
        vocabulary: the model's.
        min_bars: bars that a tune has at least, pickups counted.
        lines: the bar lines that may end a bar; all if None.

    Raises:
        TuneError: a vocabulary that spells no tune, or `least_bars` below 1.

    >>> from sluice.sequence import Vocabulary
    >>> words = "M:2/4 K:Cmaj c d 2 3 | :| [ ]".split()
    >>> grammar = TuneGrammar(Vocabulary.of([words]), min_bars=2)
    >>> grammar.find_violation("M:2/4 K:Cmaj c | c 3 d | c 3 :|".split())
    >>> grammar.find_violation("M:2/4 K:Cmaj c | c 3 d | c 2 :|".split())
    10
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        min_bars: int = 4,
        lines: Collection[BarLine] | None = None,
    ) -> None:
        if min_bars < 1:
            raise TuneError(f"A tune has at least 1 bar, but least_bars is {min_bars}.")
        self.alphabet, self.min_bars = TuneAlphabet(vocabulary), min_bars
        self._vocabulary, self._size = vocabulary, len(vocabulary)
        self._solver = self.alphabet.solver
        self._end_lines = {
            number: line
            for number, line in self.alphabet.bar_lines.items()
            if lines is None or line in lines
        }
        self._lines = tuple(self._end_lines.values())
        self._rest_ids, self._open_ids = self.alphabet.find_ids("z"), self.alphabet.find_ids("[")
        self._close_ids, self._tie_ids = self.alphabet.find_ids("]"), self.alphabet.find_ids("-")
        if not self._close_ids or len({*self.alphabet.pitches.values()}) < 2:
            self._open_ids = []
        self._duration_ids = {ticks: number for number, ticks in self.alphabet.durations.items()}
        self._ids_by_midi: dict[int, list[int]] = {}
        for number, midi in self.alphabet.pitches.items():
            self._ids_by_midi.setdefault(midi, []).append(number)
        self._any_pitch = frozenset([next(iter(self._ids_by_midi))])
        self._distances: dict[TuneState, int] = {}
        self.max_distance = self._compute_max_distance()
        self._masks = lru_cache(maxsize=_CACHE_SIZE)(self._build_mask)
        self._goals = lru_cache(maxsize=_CACHE_SIZE)(self._find_goals)
        self._tuplets = lru_cache(maxsize=_CACHE_SIZE)(self._find_tuplets)
        self._bar_line_paths = lru_cache(maxsize=_CACHE_SIZE)(self._find_path_to_bar_line)

    # What the protocol asks for

    def start(self) -> TuneState:
        return TuneState()

    def get_allowed_tokens(self, state: TuneState) -> Mask:
        """Boolean (vocabulary,), not to be written to."""
        return self._masks(state)

    def advance(self, state: TuneState, token: int) -> TuneState:
        """After a token that was allowed."""
        event = state.event
        if not state.meter:
            return state._replace(meter=self.alphabet.meters[token])
        if not state.mode:
            return state._replace(mode=True)
        if event is not None:
            if (longer := self._extend_event(event, token)) is not None:
                return state._replace(event=longer)
            state = self._complete_event(state)
        if token == END:
            return state
        if token in self.alphabet.bar_lines:
            return self._cross_bar_line(state, self.alphabet.bar_lines[token])
        if token in self.alphabet.meters:
            return state._replace(meter=self.alphabet.meters[token], position="notes")
        if token in self.alphabet.tuplets:
            return state._replace(
                tuplet=self.alphabet.resolve_tuplet(token, state.meter), position=""
            )
        pitch = self.alphabet.pitches.get(token)
        started = OpenEvent(
            frozenset() if pitch is None else frozenset([pitch]), token in self._open_ids
        )
        return self._begin_bar(state)._replace(event=started)

    def distance_to_end(self, state: TuneState) -> int:
        """How many tokens are enough to end from here, `END` included."""
        if len(self._distances) > _CACHE_SIZE:
            self._distances.clear()
        path: list[TuneState] = []
        while (state := self._canonicalise(state)) not in self._distances:
            token = self._choose_exit_token(state)
            if token == END:
                self._distances[state] = 1
                break
            path.append(state)
            state = self.advance(state, token)
        count = self._distances[state]
        for passed in reversed(path):
            count += 1
            self._distances[passed] = count
        return count

    def path_to_bar_line(self, state: TuneState) -> tuple[tuple[int, ...], TuneState]:
        """From a state in the body: what ends this bar soon, its line included, and what then."""
        return self._bar_line_paths(self._canonicalise(state))

    def find_violation(self, tokens: Sequence[str]) -> int | None:
        """The place of the first token that is not allowed, `len(tokens)` for the end, or None.

        Raises:
            UnknownToken: a token that the vocabulary does not hold.
        """
        state = self.start()
        for place, number in enumerate([*self._vocabulary.encode(tokens), END]):
            if not self.get_allowed_tokens(state)[number]:
                return place
            state = self.advance(state, number)
        return None

    # What may come

    def _build_mask(self, state: TuneState) -> Mask:
        mask = np.zeros(self._size, dtype=np.bool_)
        mask[[*self._next_tokens(state)]] = True
        mask.flags.writeable = False
        return mask

    def _next_tokens(self, state: TuneState) -> Iterable[int]:
        if not state.meter:
            return self.alphabet.meters
        if not state.mode:
            return self.alphabet.modes
        if state.event is None:
            return self._next_between_events(state)
        if state.event.in_chord:
            return self._next_in_chord(state.event.pitches, state.tied_pitches)
        return self._next_in_event(state, state.event)

    def _next_in_chord(self, pitches: frozenset[int], held: frozenset[int]) -> list[int]:
        if held:
            more, full = held - pitches, pitches == held
        else:
            room = len(pitches) < _MAX_CHORD_NOTES
            more = frozenset(self._ids_by_midi) - pitches if room else _NOTHING
            full = len(pitches) > 1
        return [*self._pitch_ids(more), *(self._close_ids if full else ())]

    def _next_in_event(self, state: TuneState, event: OpenEvent) -> list[int]:
        ways = self._possible_ticks(state)
        found: list[int] = []
        if not event.ticks and not event.is_tied:
            found += [number for number, ticks in self.alphabet.durations.items() if ticks in ways]
        if event.ticks or self._solver.eighth_ticks in ways:
            found += self._next_between_events(self._complete_event(state))
            if event.pitches and not event.is_tied and self._may_tie(state, event):
                found += self._tie_ids
        return found

    def _may_tie(self, state: TuneState, event: OpenEvent) -> bool:
        after = self._complete_event(state._replace(event=event._replace(is_tied=True)))
        return bool(self._possible_ticks(after)) or (
            PLAIN in self._lines and self._can_end_bar(after, PLAIN)
        )

    def _next_between_events(self, state: TuneState) -> list[int]:
        part = state.section
        if state.position == "line" and part.second_ending_due:
            return self._bar_line_ids(BarLine(ending=2))
        found = (
            [END] if state.position == "line" and part.may_end and not state.tied_pitches else []
        )
        if part.is_over:
            return found
        if self._possible_ticks(state):
            found += self._event_starts(state.tied_pitches)
        if state.tuplet is None:
            found += self._tuplets(state.elapsed, state.meter, self._get_goals(state))
        if state.position == "start":
            found += self._bar_line_ids(BarLine(opens=True))
        elif state.position == "line" and not state.tied_pitches:
            found += [n for n, meter in self.alphabet.meters.items() if meter != state.meter]
        elif state.position == "" and state.tuplet is None:
            found += [n for n, line in self._end_lines.items() if self._can_end_bar(state, line)]
        return found

    def _event_starts(self, held: frozenset[int]) -> list[int]:
        """What an event begins with."""
        if len(held) > 1:
            return self._open_ids
        if held:
            return [*self._pitch_ids(held)]
        return [*self.alphabet.pitches, *self._rest_ids, *self._open_ids]

    def _pitch_ids(self, pitches: Iterable[int]) -> Iterable[int]:
        for pitch in sorted(pitches):
            yield from self._ids_by_midi[pitch]

    def _bar_line_ids(self, line: BarLine) -> list[int]:
        return [number for number, known in self.alphabet.bar_lines.items() if known == line]

    def _possible_ticks(self, state: TuneState) -> Mapping[int, int]:
        return self._solver.next_ticks(state.elapsed, state.tuplet, self._get_goals(state))

    def _find_tuplets(self, passed: int, meter: str, goals: BarGoals) -> list[int]:
        """Those that can be completed, and the bar behind them."""
        found = {
            number: self.alphabet.resolve_tuplet(number, meter) for number in self.alphabet.tuplets
        }
        return [
            number
            for number, tuplet in found.items()
            if tuplet and self._solver.min_tokens(passed, tuplet, goals) < UNREACHABLE
        ]

    def _can_end_bar(self, state: TuneState, line: BarLine) -> bool:
        """Whether this bar line may stand here, where events are complete."""
        full, part = self.alphabet.bar_ticks(state.meter), state.section
        if state.tuplet is not None or (line != PLAIN and state.tied_pitches):
            return False
        pickup = self._solver.can_be_pickup(state.elapsed, full)
        if not part.can_end_bar(line, state.elapsed, full, self.min_bars, pickup):
            return False
        after = part.advance(line, state.elapsed, full, self.min_bars, state.has_note)
        return not after.is_over or (after.may_end and not state.tied_pitches)

    def _get_goals(self, state: TuneState) -> BarGoals:
        return self._goals(state.section, state.meter)

    def _find_goals(self, part: SectionState, meter: str) -> BarGoals:
        return part.find_goals(self._lines, self.alphabet.bar_ticks(meter), self.min_bars)

    # What comes of a token

    def _extend_event(self, event: OpenEvent, token: int) -> OpenEvent | None:
        """The event with this token, or None if the token belongs to it no longer."""
        if event.in_chord:
            if token in self._close_ids:
                return event._replace(in_chord=False)
            return event._replace(pitches=event.pitches | {self.alphabet.pitches[token]})
        if token in self.alphabet.durations:
            return event._replace(ticks=self.alphabet.durations[token])
        return event._replace(is_tied=True) if token in self._tie_ids else None

    def _complete_event(self, state: TuneState) -> TuneState:
        event, tuplet = state.event, state.tuplet
        assert event is not None
        ticks = event.ticks or self._solver.eighth_ticks
        return state._replace(
            elapsed=state.elapsed + (ticks if tuplet is None else tuplet.scale(ticks)),
            tuplet=None if tuplet is None else tuplet.advance(),
            event=None,
            tied_pitches=event.pitches if event.is_tied else frozenset(),
            has_note=state.has_note or bool(event.pitches),
        )

    def _begin_bar(self, state: TuneState) -> TuneState:
        return state._replace(position="")

    def _cross_bar_line(self, state: TuneState, line: BarLine) -> TuneState:
        part, full = state.section, self.alphabet.bar_ticks(state.meter)
        if state.position == "start":
            part = part._replace(in_repeat=True)
        elif part.second_ending_due:
            part = part.begin_second_ending()
        else:
            part = part.advance(line, state.elapsed, full, self.min_bars, state.has_note)
        before = "notes" if state.position == "start" or line.ending == 2 else "line"
        return state._replace(section=part, position=before, elapsed=0)

    # The way to the end

    def _choose_exit_token(self, state: TuneState) -> int:
        """An allowed token that leads to the end."""
        event = state.event
        if event is not None and not event.in_chord:
            if not event.ticks and not event.is_tied:
                ticks = self._choose_ticks(state)
                if ticks != self._solver.eighth_ticks:
                    return self._duration_ids[ticks]
            state = self._complete_event(state)
        allowed = self.get_allowed_tokens(state)
        if allowed[END]:
            return END
        for number in self._rank_tokens(state):
            if allowed[number]:
                return number
        return int(allowed.argmax())

    def _find_path_to_bar_line(self, state: TuneState) -> tuple[tuple[int, ...], TuneState]:
        tokens: list[int] = []
        while not tokens or tokens[-1] not in self._end_lines:
            tokens.append(self._choose_exit_token(state))
            state = self.advance(state, tokens[-1])
        return tuple(tokens), state

    def _canonicalise(self, state: TuneState) -> TuneState:
        """A state from which it is as far: which note it is makes no difference."""
        event = state.event
        if event is None or event.in_chord or event.is_tied or not event.pitches:
            return state
        return state._replace(
            event=event._replace(pitches=self._any_pitch), tied_pitches=frozenset()
        )

    def _compute_max_distance(self) -> int:
        """What the way takes at most: the rest of a tuplet and of its bar, and bars to come."""
        longest = max(map(self.alphabet.bar_ticks, self.alphabet.meters.values()))
        bar = 1 + self._solver.max_tokens_to_fill(longest)
        return 2 * MAX_TUPLET_EVENTS + _MAX_CHORD_NOTES + (self.min_bars + 4) * bar

    def _rank_tokens(self, state: TuneState) -> list[int]:
        """What to take if it is allowed, the best first."""
        if state.event is not None or not state.mode:
            return self._close_ids
        line, goals = self._choose_goals(state)
        if self._solver.min_tokens(state.elapsed, state.tuplet, goals) == 0:
            return [*self._bar_line_ids(line), *self.alphabet.pitches]
        return [*self.alphabet.pitches, *self._bar_line_ids(PLAIN)]

    def _choose_goals(self, state: TuneState) -> tuple[BarLine, BarGoals]:
        """By which line and where this bar should end."""
        part, full = state.section, self.alphabet.bar_ticks(state.meter)
        if CLOSE in self._lines and (
            part.in_repeat or part.ending == 1 or PLAIN not in self._lines
        ):
            totals = frozenset(part.find_totals(CLOSE, full, self.min_bars))
            goals = BarGoals(full, totals, False)
            if self._solver.min_tokens(state.elapsed, state.tuplet, goals) < UNREACHABLE:
                return CLOSE, goals
        goals = BarGoals(full, frozenset([full]), False)
        return PLAIN, goals

    def _choose_ticks(self, state: TuneState) -> int:
        """The ticks for the event under way that bring the bar soonest to where it should end."""
        _, goals = self._choose_goals(state)
        ways = self._solver.next_ticks(state.elapsed, state.tuplet, goals) or self._possible_ticks(
            state
        )
        return min(ways, key=lambda ticks: (ways[ticks] + self._solver.costs[ticks], ticks))
