"""The grammar of tunes, against what `score.parse` reads and against bars added up by hand."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sampling import thin_out
from sluice.sequence import (
    EndingGrammar,
    LanguageModel,
    LanguageModelConfig,
    Sampling,
    Vocabulary,
    beam_search,
    generate,
)
from sluice.sequence.vocabulary import END
from sluice.tunes.corpus import collections
from sluice.tunes.errors import InvalidTokensError, TuneError
from sluice.tunes.grammar.bars import TuneGrammar, TuneState
from sluice.tunes.notation import score
from sluice.tunes.notation.score import Bar, Score

WORDS = (
    "M:6/8 M:4/4 M:3/8 M:9/8 K:Cmaj K:Cdor C E G c _e ^F g' z 2 3 4 6 3/2 /2 3/4 7/4 /8 "
    "(3 (2 (5 (3:2:4 | || |: :| :: |1 |2 [ ] -"
).split()
VOCABULARY = Vocabulary.of([[*WORDS, "nonsense", "0", "M:4/0", "/0", "|7", "(0", "M:99/1"]])
GRAMMAR = TuneGrammar(VOCABULARY, min_bars=4)


def allowed_ids(state: TuneState) -> list[int]:
    found: list[int] = GRAMMAR.get_allowed_tokens(state).nonzero()[0].tolist()
    return found


def walk_randomly(choose: random.Random, free: int, liking: Sequence[str]) -> Iterator[int]:
    """Random ids, some preferred, for `free` tokens; then ones that lead to the end."""
    state, liked = GRAMMAR.start(), {*VOCABULARY.encode(liking)}
    for place in range(10_000):
        ways = allowed_ids(state)
        left = GRAMMAR.distance_to_end(state)
        assert ways and left <= GRAMMAR.max_distance, state
        if place >= free:
            ways = [
                token
                for token in ways
                if token == END or GRAMMAR.distance_to_end(GRAMMAR.advance(state, token)) < left
            ]
            assert ways, state
        else:
            ways = [token for token in ways if token != END] or ways
            ways = [token for token in ways if token in liked] or ways
        token = choose.choice(ways)
        if token == END:
            assert left == 1
            return
        yield token
        state = GRAMMAR.advance(state, token)


def sections(music: Score) -> list[list[Bar]]:
    """The bars between repeat signs and double bars."""
    found: list[list[Bar]] = [[]]
    for before, bar in pairwise([None, *music.bars]):
        ended = before is not None and (before.closes or before.is_double)
        if ended or (before is not None and bar is not None and bar.opens):
            found.append([])
        assert bar is not None
        found[-1].append(bar)
    return found


def adds_up(music: Score) -> bool:
    """Whether the bars of a tune without endings do: the rule in the docstring, bar by bar."""
    lead, lacking = None, None
    parts = sections(music)
    for number, bars in enumerate(parts):
        first, last = bars[0], bars[-1]
        short = first.duration if first.duration < first.length and lead is None else None
        same_meter = number and parts[number - 1][-1].length == first.length
        if lacking is not None and lead is None and same_meter and (short or 0) != lacking:
            return False
        alone = len(bars) == 1 and number + 1 < len(parts) and not last.closes
        inside = bars[1:-1] if short is not None else bars[:-1]
        if any(bar.duration != bar.length for bar in inside):
            return False
        if alone:
            lead, lacking = short, None
            continue
        due = short if short and short < last.length else 0
        possible = {last.length - due}
        if not last.closes:
            possible = {last.length, *(last.length - s for s in (short, lead) if s)}
        if last.duration not in possible:
            return False
        lead, lacking = None, last.length - last.duration
    return True


@given(st.integers(0, 2**32), st.integers(0, 150), st.sampled_from(["", "(3 (5 /2", "| |1 :| |:"]))
@settings(deadline=None, max_examples=25)
def test_every_walk_can_end_and_parses_and_adds_up(seed: int, free: int, liking: str) -> None:
    ids = list(walk_randomly(random.Random(seed), free, liking.split()))
    tokens = VOCABULARY.decode(ids)
    music = score.parse(tokens)
    assert len(music.bars) >= 4
    assert tokens[-1] in ("|", "||", ":|")
    for before, bar, after in zip(music.bars, music.bars[1:], music.bars[2:], strict=False):
        seam = bar.opens or bar.closes or bar.ending or after.opens or before.closes
        seam = seam or bar.is_double or before.is_double
        assert seam or bar.duration == bar.length, (bar, tokens)
    if "|1" not in tokens:
        assert adds_up(music), tokens
    assert tokens.count("|1") == tokens.count("|2")
    opened = [token for token in tokens if token in ("|:", "::", ":|")]
    assert all(after in ("::", ":|") for before, after in pairwise(opened) if before != ":|")
    assert not opened or opened[-1] == ":|"
    events = music.events
    for event, then in zip(events, [*events[1:], None], strict=True):
        assert not event.is_tied or (then is not None and {*then.pitches} == {*event.pitches})
        assert len({*event.pitches}) == len(event.pitches) <= 4
    assert GRAMMAR.find_violation(tokens) is None


@given(st.integers(0, 2**32), st.integers(10, 90), st.integers(0, 200), st.sampled_from(WORDS))
@settings(deadline=None, max_examples=40)
def test_a_token_changed_is_refused_or_still_parses(
    seed: int, free: int, place: int, other: str
) -> None:
    tokens = VOCABULARY.decode(list(walk_randomly(random.Random(seed), free, [])))
    place %= len(tokens)
    changed = [*tokens[:place], other, *tokens[place + 1 :]]
    try:
        music = score.parse(changed)
    except InvalidTokensError:
        assert GRAMMAR.find_violation(changed) is not None
        return
    assume(not {"|1", "|2"} & {*changed})
    if not adds_up(music):
        assert GRAMMAR.find_violation(changed) is not None


def tune(text: str) -> list[str]:
    return f"M:6/8 K:Cmaj {text}".split()


LEGAL = [
    "c 6 | c 6 | c 6 | c 6 |",
    "c | c 6 | c 6 | c 6 | c 4 c :|",
    "c | c 6 | c 6 | c 6 | G 2 E 3 |",
    "c | c 6 | c 6 | c 6 | G 6 |",
    "|: c 2 | c 6 | c 4 :: c 2 | c 6 | c 4 :|",
    "c |: c 6 | c 3 c 3 :| c 6 | c 6 |",
    "c | c 6 | c 6 |1 c 3 c 2 :| |2 c 6 | c 3 c 2 |",
    "c 6 | c 6 |1 c 6 :| |2 c 6 |: c 6 | c 6 :|",
    "c 6 | c 4 - c 2 - | c 6 | [ c E ] 4 - [ E c ] 2 |",
    "(3 c E G (3 c E G c 2 | c 6 | c 6 | z 6 |",
    "c 6 | c 6 | M:9/8 c 6 c 3 | c 6 c 3 |",
]
REFUSED = [
    ("|: c 6 | c 6 :: c 2 | c 6 | c 4 :|", 11, "a pickup after a complete last bar"),
    ("|: c 2 | c 6 | c 4 :: c 6 | c 6 :|", 13, "no pickup after a last bar that lacks one"),
    ("c 2 c 2 | c 6 | c 6 | c 2 |", 6, "a pickup of more than half a bar"),
    ("c 6 | c 6 || c 6 |: c 6 | c 6 :|", 10, "a section of one bar"),
    ("c 6 | c 6 | c 6 |", 11, "too few bars"),
    ("c 6 | c 4 | c 6 | c 6 |", 7, "a short bar inside"),
    ("c 6 | c 4 c 3 | c 6 | c 6 |", 8, "a note too long"),
    ("c | c 6 | c 6 | c 4 | c 6 |", 12, "short by more than the pickup"),
    ("c | c 6 | c 6 | c 6 :|", 12, "complete, where the pickup comes again"),
    ("c 6 | c 6 |: c 6 | c 6 |", 14, "a repeat left open"),
    ("c 2 |: c 6 |: c 6 | c 6 :|", 7, "one within another"),
    ("c 6 | c 6 |1 c 6 | c 6 |", 14, "a first ending left open"),
    ("c 6 | c 6 :| |2 c 6 | c 6 |", 8, "a second ending without a first"),
    ("c 6 | (3 c E | c 6 | c 6 |", 8, "half a tuplet"),
    ("c 6 | c 4 - E 2 | c 6 | c 6 |", 8, "a tie to another note"),
    ("c 6 | z 4 - z 2 | c 6 | c 6 |", 7, "a tied rest"),
    ("c 6 | [ c c ] 6 | c 6 | c 6 |", 7, "a note twice in a chord"),
    ("z 6 | z 6 | z 6 | z 6 |", 14, "no note"),
    ("c 6 - :| c 6 | c 6 | c 6 |", 5, "a tie over a repeat"),
    ("| c 6 | c 6 | c 6 | c 6 |", 2, "nothing before a bar line"),
    ("c 6 | nonsense", 5, "no token of a tune"),
    ("c 6 | c 0", 6, "no time at all"),
    ("c 6 | M:99/1 c", 5, "a bar beyond all measure"),
]


@pytest.mark.parametrize("text", LEGAL)
def test_well_formed_tunes(text: str) -> None:
    assert GRAMMAR.find_violation(tune(text)) is None
    assert score.parse(tune(text))


@pytest.mark.parametrize(("text", "place", "why"), REFUSED, ids=[why for *_, why in REFUSED])
def test_invalid_tunes_are_refused_at_the_right_place(text: str, place: int, why: str) -> None:
    assert GRAMMAR.find_violation(tune(text)) == place


def test_an_invalid_head() -> None:
    assert GRAMMAR.find_violation("K:Cmaj M:6/8 c 6 |".split()) == 0
    assert GRAMMAR.find_violation("M:6/8 c 6 |".split()) == 1
    assert GRAMMAR.find_violation("M:4/0 K:Cmaj c |".split()) == 0


def test_printed_tunes_are_accepted_exactly_where_their_bars_add_up() -> None:
    """Aird's airs, those without endings or a change of meter; a double bar is a bar line."""
    (path,) = [path for path in collections._list_collection_files() if path.name == "book1.abc"]
    tunes = [
        replace(tune, tokens=tuple("|" if t == "||" else t for t in tune.tokens))
        for tune in collections.load_collections([path]).tunes
        if not {"|1", "|2"} & {*tune.tokens} and sum(t.startswith("M:") for t in tune.tokens) == 1
    ][:100]
    grammar = TuneGrammar(Vocabulary.of([tune.tokens for tune in tunes]))
    judged = [grammar.find_violation(tune.tokens) is None for tune in tunes]
    assert 0.6 < sum(judged) / len(judged) < 1
    for tune, is_fine in zip(tunes, judged, strict=True):
        assert not is_fine or adds_up(tune.score), tune.tokens
    lost = [
        tune
        for tune, is_fine in zip(tunes, judged, strict=True)
        if not is_fine and adds_up(tune.score)
    ]
    assert len(lost) <= 0.05 * len(tunes), [" ".join(tune.tokens) for tune in lost]


@pytest.mark.parametrize(
    "options", thin_out([{}, {"top_k": 3}, {"typical": 0.5}, {"temperature": 3.0}], 2, 1)
)
def test_an_untrained_model_writes_tunes(options: dict[str, float]) -> None:
    model = LanguageModel(
        LanguageModelConfig(len(VOCABULARY), hidden_size=24, embedding_size=8)
    ).eval()
    assert isinstance(GRAMMAR, EndingGrammar)
    sampling = Sampling(max_length=120, **options)  # type: ignore[arg-type]
    for ids in generate(model, range(2), grammar=GRAMMAR, sampling=sampling):
        assert len(ids) < 120
        assert len(score.parse(VOCABULARY.decode(ids)).bars) >= 4


def test_a_beam_finds_tunes_and_keeps_the_prompt() -> None:
    model = LanguageModel(
        LanguageModelConfig(len(VOCABULARY), hidden_size=24, embedding_size=8)
    ).eval()
    found = beam_search(model, 3, grammar=GRAMMAR, max_length=60)
    assert all(score.parse(VOCABULARY.decode(one.ids)) for one in found)
    beginning = "M:6/8 K:Cdor (3 c E".split()
    opening = [[number] for number in VOCABULARY.encode(beginning)]
    (ids,) = generate(model, [1], prompt=opening, grammar=GRAMMAR)
    assert VOCABULARY.decode(ids)[:5] == beginning
    assert score.parse(VOCABULARY.decode(ids))


@pytest.mark.parametrize("missing", ["M", "K", "notes", "|"])
def test_a_vocabulary_without_tunes(missing: str) -> None:
    words = "M:2/4 K:Cmaj c d 2 |".split()
    keep = [w for w in words if w[0] != missing and not (missing == "notes" and w in "cd")]
    with pytest.raises(TuneError, match="A grammar of tunes needs"):
        TuneGrammar(Vocabulary.of([keep]))


def test_a_tune_without_bars_is_no_tune() -> None:
    with pytest.raises(TuneError, match="min_bars must be at least 1, got 0"):
        TuneGrammar(VOCABULARY, min_bars=0)
    short = TuneGrammar(VOCABULARY, min_bars=1)
    assert short.find_violation(tune("c 6 |")) is None
    assert short.distance_to_end(short.start()) == 6


def test_repeats_that_cannot_be_closed_are_never_opened() -> None:
    vocabulary = Vocabulary.of(["M:2/4 K:Cmaj c 2 | |: :: |1 [ -".split()])
    grammar = TuneGrammar(vocabulary, min_bars=2)
    torch.manual_seed(0)
    model = LanguageModel(
        LanguageModelConfig(len(vocabulary), hidden_size=8, embedding_size=8)
    ).eval()
    for ids in generate(model, range(5), grammar=grammar, sampling=Sampling(max_length=60)):
        assert not {"|:", "::", "|1", "["} & {*vocabulary.decode(ids)}
