"""What the page's grammar knows of a model's tokens, as numbers for its script."""

from __future__ import annotations

from typing import Any

from sluice.sequence import Checkpoint
from sluice.tunes.composition.heads import HeadChooser
from sluice.tunes.composition.titles import ADJECTIVES, NOUNS, PLACES
from sluice.tunes.composition.transposition import PLAYABLE
from sluice.tunes.grammar.alphabet import TuneAlphabet
from sluice.tunes.grammar.form import BarGrammars
from sluice.tunes.grammar.plans import BARS_PER_SECTION, PLANS
from sluice.tunes.theory.dances import beam_length, beat_length, default_tempo
from sluice.tunes.theory.durations import MAX_TUPLET_EVENTS


def build_table(checkpoint: Checkpoint) -> dict[str, Any]:
    """Tokens by what they mean, ids as numbers, times in ticks.

    Raises:
        TuneError: the vocabulary lacks what tunes in repeated parts need.
    """
    grammars = BarGrammars(checkpoint.vocabulary)
    alphabet = grammars.alphabet
    solver = alphabet.solver
    meters = _describe_meters(alphabet)
    chooser = HeadChooser(checkpoint)
    *_, _meters, modes = chooser.choose(None, None, None)
    dances = {}
    for name in chooser.list_dances():
        [(number,), own, _] = chooser.choose(name, None, None)
        dances[name] = {"id": number, "meters": own}
    return {
        "pitches": alphabet.pitches,
        "durations": {n: ticks for n, ticks in alphabet.durations.items() if ticks in solver.costs},
        "eighth": solver.eighth_ticks,
        "step": solver.step_ticks,
        "longestBar": max(one["ticks"] for one in meters.values()),
        "tuplets": {
            number: _describe_tuplets(alphabet, one) for number, one in alphabet.meters.items()
        },
        "longestTuplet": MAX_TUPLET_EVENTS,
        "meters": meters,
        "modes": {alphabet.modes[number].removeprefix("K:C"): number for number in modes},
        "dances": dances,
        "rest": alphabet.rest_ids,
        "tie": alphabet.tie_ids,
        "openChord": alphabet.open_chord_ids,
        "closeChord": alphabet.close_chord_ids,
        "allLines": grammars.line_ids,
        "lines": {
            "open": grammars.opening_ids,
            "plain": grammars.plain_ids,
            "between": grammars.between_ids,
            "close": grammars.close_ids,
        },
        "barsPerPart": BARS_PER_SECTION,
        "plans": PLANS,
        "tonics": PLAYABLE,
        "tempos": {
            f"{dance} {meter}": f"{beat_length(meter) / 8}={default_tempo(dance, meter)}"
            for dance in ["", *dances]
            for meter in alphabet.meters.values()
        },
        "titles": {"adjectives": ADJECTIVES, "nouns": NOUNS, "places": PLACES},
    }


def _describe_meters(alphabet: TuneAlphabet) -> dict[int, dict[str, Any]]:
    return {
        number: {
            "name": meter,
            "ticks": alphabet.bar_ticks(meter),
            "beam": alphabet.solver.to_ticks(beam_length(meter)),
        }
        for number, meter in alphabet.meters.items()
    }


def _describe_tuplets(alphabet: TuneAlphabet, meter: str) -> dict[int, list[int]]:
    """Of each tuplet how many events it has, and in the time of how many notes how many sound."""
    resolved = {number: alphabet.resolve_tuplet(number, meter) for number in alphabet.tuplets}
    return {number: [*tuplet] for number, tuplet in resolved.items() if tuplet is not None}
