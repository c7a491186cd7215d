"""Which tokens may follow which, so that a tune's bars add up and what opens is closed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sluice.sequence import Vocabulary
from sluice.sequence.vocabulary import END
from sluice.tunes.errors import TuneError
from sluice.tunes.lengths import LARGEST_TUPLET, NEVER, Goals
from sluice.tunes.parts import CLOSE, PLAIN, Part
from sluice.tunes.states import Event as Event
from sluice.tunes.states import State as State
from sluice.tunes.words import BarLine, Words

_LARGEST_CHORD = 4

_REMEMBERED = 50_000
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
        least_bars: bars that a tune has at least, pickups counted.
        lines: the bar lines that may end a bar; all if None.

    Raises:
        TuneError: a vocabulary that spells no tune, or `least_bars` below 1.

    >>> from sluice.sequence import Vocabulary
    >>> words = "M:2/4 K:Cmaj c d 2 3 | :| [ ]".split()
    >>> grammar = TuneGrammar(Vocabulary.of([words]), least_bars=2)
    >>> grammar.refused("M:2/4 K:Cmaj c | c 3 d | c 3 :|".split())
    >>> grammar.refused("M:2/4 K:Cmaj c | c 3 d | c 2 :|".split())
    10
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        least_bars: int = 4,
        lines: Collection[BarLine] | None = None,
    ) -> None:
        if least_bars < 1:
            raise TuneError(f"A tune has at least 1 bar, but least_bars is {least_bars}.")
        self.words, self.least = Words(vocabulary), least_bars
        self._vocabulary, self._size = vocabulary, len(vocabulary)
        self._lengths = self.words.lengths
        self._ends = {
            number: line
            for number, line in self.words.lines.items()
            if lines is None or line in lines
        }
        self._lines = tuple(self._ends.values())
        self._rest, self._open = self.words.mark("z"), self.words.mark("[")
        self._shut, self._tie = self.words.mark("]"), self.words.mark("-")
        if not self._shut or len({*self.words.pitches.values()}) < 2:
            self._open = []
        self._said = {ticks: number for number, ticks in self.words.durations.items()}
        self._by_midi: dict[int, list[int]] = {}
        for number, midi in self.words.pitches.items():
            self._by_midi.setdefault(midi, []).append(number)
        self._some_note = frozenset([next(iter(self._by_midi))])
        self._to_end: dict[State, int] = {}
        self.farthest = self._farthest()
        self._masks = lru_cache(maxsize=_REMEMBERED)(self._mask)
        self._goals = lru_cache(maxsize=_REMEMBERED)(self._goals_of)
        self._tuplets = lru_cache(maxsize=_REMEMBERED)(self._tuplets_of)
        self._to_line = lru_cache(maxsize=_REMEMBERED)(self._way_to_line)

    # What the protocol asks for

    def start(self) -> State:
        return State()

    def allowed(self, state: State) -> Mask:
        """Boolean (vocabulary,), not to be written to."""
        return self._masks(state)

    def advance(self, state: State, token: int) -> State:
        """After a token that was allowed."""
        event = state.event
        if not state.meter:
            return state._replace(meter=self.words.meters[token])
        if not state.mode:
            return state._replace(mode=True)
        if event is not None:
            if (longer := self._continued(event, token)) is not None:
                return state._replace(event=longer)
            state = self._complete(state)
        if token == END:
            return state
        if token in self.words.lines:
            return self._after_line(state, self.words.lines[token])
        if token in self.words.meters:
            return state._replace(meter=self.words.meters[token], before="notes")
        if token in self.words.tuplets:
            return state._replace(tuplet=self.words.tuplet(token, state.meter), before="")
        pitch = self.words.pitches.get(token)
        started = Event(frozenset() if pitch is None else frozenset([pitch]), token in self._open)
        return self._begun(state)._replace(event=started)

    def to_end(self, state: State) -> int:
        """How many tokens are enough to end from here, `END` included."""
        if len(self._to_end) > _REMEMBERED:
            self._to_end.clear()
        path: list[State] = []
        while (state := self._alike(state)) not in self._to_end:
            token = self._way(state)
            if token == END:
                self._to_end[state] = 1
                break
            path.append(state)
            state = self.advance(state, token)
        count = self._to_end[state]
        for passed in reversed(path):
            count += 1
            self._to_end[passed] = count
        return count

    def to_line(self, state: State) -> tuple[tuple[int, ...], State]:
        """From a state in the body: what ends this bar soon, its line included, and what then."""
        return self._to_line(self._alike(state))

    def refused(self, tokens: Sequence[str]) -> int | None:
        """The place of the first token that is not allowed, `len(tokens)` for the end, or None.

        Raises:
            UnknownToken: a token that the vocabulary does not hold.
        """
        state = self.start()
        for place, number in enumerate([*self._vocabulary.encode(tokens), END]):
            if not self.allowed(state)[number]:
                return place
            state = self.advance(state, number)
        return None

    # What may come

    def _mask(self, state: State) -> Mask:
        mask = np.zeros(self._size, dtype=np.bool_)
        mask[[*self._next(state)]] = True
        mask.flags.writeable = False
        return mask

    def _next(self, state: State) -> Iterable[int]:
        if not state.meter:
            return self.words.meters
        if not state.mode:
            return self.words.modes
        if state.event is None:
            return self._between(state)
        if state.event.in_chord:
            return self._in_chord(state.event.pitches, state.held)
        return self._in_event(state, state.event)

    def _in_chord(self, pitches: frozenset[int], held: frozenset[int]) -> list[int]:
        if held:
            more, full = held - pitches, pitches == held
        else:
            room = len(pitches) < _LARGEST_CHORD
            more = frozenset(self._by_midi) - pitches if room else _NOTHING
            full = len(pitches) > 1
        return [*self._spelt(more), *(self._shut if full else ())]

    def _in_event(self, state: State, event: Event) -> list[int]:
        ways = self._ways(state)
        found: list[int] = []
        if not event.ticks and not event.tied:
            found += [number for number, ticks in self.words.durations.items() if ticks in ways]
        if event.ticks or self._lengths.eighth in ways:
            found += self._between(self._complete(state))
            if event.pitches and not event.tied and self._may_tie(state, event):
                found += self._tie
        return found

    def _may_tie(self, state: State, event: Event) -> bool:
        after = self._complete(state._replace(event=event._replace(tied=True)))
        return bool(self._ways(after)) or (PLAIN in self._lines and self._fits(after, PLAIN))

    def _between(self, state: State) -> list[int]:
        part = state.part
        if state.before == "line" and part.due:
            return self._line_ids(BarLine(ending=2))
        found = [END] if state.before == "line" and part.may_end and not state.held else []
        if part.over:
            return found
        if self._ways(state):
            found += self._starts(state.held)
        if state.tuplet is None:
            found += self._tuplets(state.passed, state.meter, self._goals_here(state))
        if state.before == "start":
            found += self._line_ids(BarLine(opens=True))
        elif state.before == "line" and not state.held:
            found += [n for n, meter in self.words.meters.items() if meter != state.meter]
        elif state.before == "" and state.tuplet is None:
            found += [n for n, line in self._ends.items() if self._fits(state, line)]
        return found

    def _starts(self, held: frozenset[int]) -> list[int]:
        """What an event begins with."""
        if len(held) > 1:
            return self._open
        if held:
            return [*self._spelt(held)]
        return [*self.words.pitches, *self._rest, *self._open]

    def _spelt(self, pitches: Iterable[int]) -> Iterable[int]:
        for pitch in sorted(pitches):
            yield from self._by_midi[pitch]

    def _line_ids(self, line: BarLine) -> list[int]:
        return [number for number, known in self.words.lines.items() if known == line]

    def _ways(self, state: State) -> Mapping[int, int]:
        return self._lengths.possible(state.passed, state.tuplet, self._goals_here(state))

    def _tuplets_of(self, passed: int, meter: str, goals: Goals) -> list[int]:
        """Those that can be completed, and the bar behind them."""
        found = {number: self.words.tuplet(number, meter) for number in self.words.tuplets}
        return [
            number
            for number, tuplet in found.items()
            if tuplet and self._lengths.need(passed, tuplet, goals) < NEVER
        ]

    def _fits(self, state: State, line: BarLine) -> bool:
        """Whether this bar line may stand here, where events are complete."""
        full, part = self.words.full(state.meter), state.part
        if state.tuplet is not None or (line != PLAIN and state.held):
            return False
        pickup = self._lengths.pickup(state.passed, full)
        if not part.fits(line, state.passed, full, self.least, pickup):
            return False
        after = part.after(line, state.passed, full, self.least, state.sung)
        return not after.over or (after.may_end and not state.held)

    def _goals_here(self, state: State) -> Goals:
        return self._goals(state.part, state.meter)

    def _goals_of(self, part: Part, meter: str) -> Goals:
        return part.goals(self._lines, self.words.full(meter), self.least)

    # What comes of a token

    def _continued(self, event: Event, token: int) -> Event | None:
        """The event with this token, or None if the token belongs to it no longer."""
        if event.in_chord:
            if token in self._shut:
                return event._replace(in_chord=False)
            return event._replace(pitches=event.pitches | {self.words.pitches[token]})
        if token in self.words.durations:
            return event._replace(ticks=self.words.durations[token])
        return event._replace(tied=True) if token in self._tie else None

    def _complete(self, state: State) -> State:
        event, tuplet = state.event, state.tuplet
        assert event is not None
        ticks = event.ticks or self._lengths.eighth
        return state._replace(
            passed=state.passed + (ticks if tuplet is None else tuplet.scaled(ticks)),
            tuplet=None if tuplet is None else tuplet.after_one(),
            event=None,
            held=event.pitches if event.tied else frozenset(),
            sung=state.sung or bool(event.pitches),
        )

    def _begun(self, state: State) -> State:
        return state._replace(before="")

    def _after_line(self, state: State, line: BarLine) -> State:
        part, full = state.part, self.words.full(state.meter)
        if state.before == "start":
            part = part._replace(repeat=True)
        elif part.due:
            part = part.second_ending()
        else:
            part = part.after(line, state.passed, full, self.least, state.sung)
        before = "notes" if state.before == "start" or line.ending == 2 else "line"
        return state._replace(part=part, before=before, passed=0)

    # The way to the end

    def _way(self, state: State) -> int:
        """An allowed token that leads to the end."""
        event = state.event
        if event is not None and not event.in_chord:
            if not event.ticks and not event.tied:
                ticks = self._shortest(state)
                if ticks != self._lengths.eighth:
                    return self._said[ticks]
            state = self._complete(state)
        allowed = self.allowed(state)
        if allowed[END]:
            return END
        for number in self._wanted(state):
            if allowed[number]:
                return number
        return int(allowed.argmax())

    def _way_to_line(self, state: State) -> tuple[tuple[int, ...], State]:
        tokens: list[int] = []
        while not tokens or tokens[-1] not in self._ends:
            tokens.append(self._way(state))
            state = self.advance(state, tokens[-1])
        return tuple(tokens), state

    def _alike(self, state: State) -> State:
        """A state from which it is as far: which note it is makes no difference."""
        event = state.event
        if event is None or event.in_chord or event.tied or not event.pitches:
            return state
        return state._replace(event=event._replace(pitches=self._some_note), held=frozenset())

    def _farthest(self) -> int:
        """What the way takes at most: the rest of a tuplet and of its bar, and bars to come."""
        longest = max(map(self.words.full, self.words.meters.values()))
        bar = 1 + self._lengths.slowest(longest)
        return 2 * LARGEST_TUPLET + _LARGEST_CHORD + (self.least + 4) * bar

    def _wanted(self, state: State) -> list[int]:
        """What to take if it is allowed, the best first."""
        if state.event is not None or not state.mode:
            return self._shut
        line, goals = self._aim(state)
        if self._lengths.need(state.passed, state.tuplet, goals) == 0:
            return [*self._line_ids(line), *self.words.pitches]
        return [*self.words.pitches, *self._line_ids(PLAIN)]

    def _aim(self, state: State) -> tuple[BarLine, Goals]:
        """By which line and where this bar should end."""
        part, full = state.part, self.words.full(state.meter)
        if CLOSE in self._lines and (part.repeat or part.ending == 1 or PLAIN not in self._lines):
            totals = frozenset(part.totals(CLOSE, full, self.least))
            goals = Goals(full, totals, False)
            if self._lengths.need(state.passed, state.tuplet, goals) < NEVER:
                return CLOSE, goals
        goals = Goals(full, frozenset([full]), False)
        return PLAIN, goals

    def _shortest(self, state: State) -> int:
        """The ticks for the event under way that bring the bar soonest to where it should end."""
        _, goals = self._aim(state)
        ways = self._lengths.possible(state.passed, state.tuplet, goals) or self._ways(state)
        return min(ways, key=lambda ticks: (ways[ticks] + self._lengths.costs[ticks], ticks))
