"""The state of a tune after one more token."""

from __future__ import annotations

from sluice.sequence.vocabulary import END
from sluice.tunes.grammar.alphabet import TuneAlphabet
from sluice.tunes.grammar.sections import BarEnd, SectionPhase, SectionState
from sluice.tunes.grammar.state import OpenEvent, Position, TuneState


class Transitions:
    """From a state and a token that is allowed in it to the next state.

    Args:
        alphabet: what the tokens mean.
        min_bars: the least number of bars of a tune; they are counted up to it.
    """

    def __init__(self, alphabet: TuneAlphabet, min_bars: int) -> None:
        self.alphabet, self.min_bars = alphabet, min_bars

    def advance(self, state: TuneState, token: int) -> TuneState:
        """After a token that was allowed."""
        if not state.meter:
            if token in self.alphabet.rhythms:
                return state._replace(has_rhythm=True)
            return state._replace(meter=self.alphabet.meters[token])
        if not state.mode:
            return state._replace(mode=True)
        if state.event is None:
            return self._advance_between_events(state, token)
        event = self._extend_event(state.event, token)
        if event is not None:
            return state._replace(event=event)
        return self._advance_between_events(self.complete_event(state), token)

    def complete_event(self, state: TuneState) -> TuneState:
        """After the unfinished event, which has all its tokens."""
        event, tuplet = state.event, state.tuplet
        assert event is not None
        ticks = event.ticks or self.alphabet.solver.eighth_ticks
        return state._replace(
            elapsed=state.elapsed + (ticks if tuplet is None else tuplet.scale(ticks)),
            tuplet=None if tuplet is None else tuplet.advance(),
            event=None,
            tied_pitches=event.pitches if event.is_tied else frozenset(),
            has_note=state.has_note or bool(event.pitches),
        )

    def describe_bar_end(self, state: TuneState, token: int) -> BarEnd:
        """How the bar ends if this bar line comes now."""
        alphabet = self.alphabet
        full = alphabet.bar_ticks(state.meter)
        return BarEnd(alphabet.bar_lines[token], state.elapsed, full, alphabet.bar_counts[token])

    def finish_bar(self, state: TuneState, token: int) -> SectionState:
        """The section after this bar and this bar line."""
        end = self.describe_bar_end(state, token)
        return state.section.advance(end, self.min_bars, state.has_note)

    def _advance_between_events(self, state: TuneState, token: int) -> TuneState:
        alphabet = self.alphabet
        if token == END:
            return state
        if token in alphabet.bar_lines:
            return self._cross_bar_line(state, token)
        if token in alphabet.meters:
            return state._replace(
                meter=alphabet.meters[token],
                position=Position.BAR_START,
                section=state.section.allow_any_pickup(),
            )
        if token in alphabet.tuplets:
            tuplet = alphabet.resolve_tuplet(token, state.meter)
            return state._replace(tuplet=tuplet, position=Position.IN_BAR)
        return state._replace(event=self._begin_event(token), position=Position.IN_BAR)

    def _begin_event(self, token: int) -> OpenEvent:
        pitch = self.alphabet.pitches.get(token)
        pitches = frozenset[int]() if pitch is None else frozenset([pitch])
        return OpenEvent(pitches, in_chord=token in self.alphabet.open_chord_ids)

    def _extend_event(self, event: OpenEvent, token: int) -> OpenEvent | None:
        """The event with this token, or None if the token no longer belongs to it."""
        if event.in_chord:
            if token in self.alphabet.close_chord_ids:
                return event._replace(in_chord=False)
            return event._replace(pitches=event.pitches | {self.alphabet.pitches[token]})
        if token in self.alphabet.durations:
            return event._replace(ticks=self.alphabet.durations[token])
        return event._replace(is_tied=True) if token in self.alphabet.tie_ids else None

    def _cross_bar_line(self, state: TuneState, token: int) -> TuneState:
        line, count = self.alphabet.bar_lines[token], self.alphabet.bar_counts[token]
        if state.position == Position.BODY_START:
            phase = SectionPhase.IN_REPEAT if line.opens else SectionPhase.NO_REPEAT
            section = state.section._replace(phase=phase, ahead=count)
        elif state.section.phase == SectionPhase.SECOND_ENDING_DUE:
            section = state.section.begin_second_ending(count)
        else:
            section = self.finish_bar(state, token)
        needs_notes = state.position == Position.BODY_START or line.ending == 2
        position = Position.BAR_START if needs_notes else Position.BAR_LINE
        return state._replace(section=section, position=position, elapsed=0)
