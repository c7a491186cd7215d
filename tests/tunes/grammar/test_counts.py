"""Bar lines that count: what the grammar writes is what counting the bars afterwards gives."""

from __future__ import annotations

import random

import pytest

from sampling import thin_out
from sluice.sequence import Vocabulary
from sluice.sequence.vocabulary import END
from sluice.tunes.grammar.bars import TuneGrammar
from sluice.tunes.notation import score
from sluice.tunes.notation.model_tokens import ModelTokens

_LINES = ["|", "||", "|:", ":|", "::", "|1", "|2"]
VOCABULARY = Vocabulary.of(
    [
        "R:jig M:2/4 M:6/8 K:Cmaj c e G z 2 3 4 6 [ ] -".split(),
        [f"{line}{{{count}}}" for line in _LINES for count in range(5)],
        _LINES,
    ]
)
GRAMMAR = TuneGrammar(VOCABULARY, min_bars=4)


@pytest.mark.parametrize("seed", thin_out(range(40), 4))
def test_counting_what_was_drawn_gives_the_same_tokens(seed: int) -> None:
    choose, state, ids = random.Random(seed), GRAMMAR.start(), []
    for place in range(4_000):
        allowed = GRAMMAR.get_allowed_tokens(state)
        left = GRAMMAR.distance_to_end(state)
        assert left <= GRAMMAR.max_distance
        ways = [int(token) for token in allowed.nonzero()[0]]
        if place > 30 + 4 * seed:
            ways = [
                token
                for token in ways
                if token == END or GRAMMAR.distance_to_end(GRAMMAR.advance(state, token)) < left
            ]
        token = choose.choice(ways)
        if token == END:
            break
        ids.append(token)
        state = GRAMMAR.advance(state, token)
    tokens = VOCABULARY.decode(ids)
    rhythm, tune = ModelTokens().decode(tokens)
    score.parse(tune)
    again = ModelTokens(frozenset(["jig"])).encode(tune, rhythm)
    assert [*again] == [*tokens]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("|:{2} c 4 |{1} c 4 ::{2} c 4 |{1} c 4 :|{0}", None),
        ("|:{2} c 4 |{2} c 4 |{1} c 4 :|{0}", 5),
        ("|:{3} c 4 |{2} c 4 :|{0}", 8),
        ("|{2} c 4 |{1} c 4 :|{0}", 8),
        ("|:{2} c 4 |{1} c 4 :|{0} c", 9),
        ("|:{2} c 2 |{2} c 4 |{1} c 2 ::{2} c 2 |{2} c 4 |{1} c 2 :|{0}", None),
        ("|:{2} c 2 |{1}", 5),
        ("|:{3} c 4 |{2} c 4 |1{1} c 4 :|{1} |2{1} c 4 ||{2} c 4 |{1} c 4 |{0}", None),
        ("|:{3} c 4 |{2} c 4 |1{1} c 4 :|{1} |2{2}", 12),
    ],
)
def test_lines_must_announce_what_the_section_began_with(text: str, place: int | None) -> None:
    short = TuneGrammar(VOCABULARY, min_bars=2)
    assert short.find_violation(["M:2/4", "K:Cmaj", *text.split()]) == place
