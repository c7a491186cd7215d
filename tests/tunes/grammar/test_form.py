"""Tunes in parts of eight bars, counted by what `score.parse` reads."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
import torch

from sampling import thin_out
from sluice.sequence import (
    EndingGrammar,
    LanguageModel,
    LanguageModelConfig,
    Sampling,
    Vocabulary,
    generate,
)
from sluice.sequence.vocabulary import END
from sluice.tunes.errors import TuneError
from sluice.tunes.grammar.cadence import Ending
from sluice.tunes.grammar.form import BarGrammars, FormGrammar
from sluice.tunes.grammar.plans import PLANS, count_plans, draw_plan
from sluice.tunes.notation import score
from sluice.tunes.notation.score import Bar
from sluice.tunes.tune import Tune

WORDS = "M:6/8 M:4/4 K:Cmaj K:Cdor C E G c _e z 2 3 4 6 3/2 /2 (3 (2 | |: :| :: |1 |2 [ ] -".split()
VOCABULARY = Vocabulary.of([WORDS])
BARS = BarGrammars(VOCABULARY)


def model(seed: int) -> LanguageModel:
    torch.manual_seed(seed)
    return LanguageModel(
        LanguageModelConfig(len(VOCABULARY), embedding_size=8, hidden_size=8)
    ).eval()


def parts(tokens: list[str]) -> list[list[Bar]]:
    """The bars of each part, its pickup left out."""
    found: list[list[Bar]] = [[]]
    for bar in score.parse(tokens).bars:
        found[-1].append(bar)
        if bar.closes:
            found.append([])
    assert not found.pop()
    return [part[1:] if len(part) == 9 else part for part in found]


def holds(tokens: list[str], plan: str) -> None:
    """Whether parts, bars and repetitions are as planned."""
    found = parts(tokens)
    assert [len(part) for part in found] == [8] * len(plan.split())
    first: dict[str, tuple[Fraction, list[str]]] = {}
    for part in found:
        assert all(bar.duration == bar.length for bar in part[:-1])
        assert part[-1].duration <= part[-1].length
    for letter, bar in zip(plan.replace(" ", ""), [b for p in found for b in p], strict=True):
        spelt = tokens[bar.start : bar.stop]
        length, earlier = first.setdefault(letter, (bar.duration, spelt))
        assert spelt == earlier or length != bar.duration or len(earlier) > 24, (plan, tokens)


@pytest.mark.parametrize("plan", thin_out([*[*PLANS][:3], "abababab acacacac babababd"], 3))
def test_an_untrained_model_writes_parts_of_eight_bars(plan: str) -> None:
    grammar = FormGrammar(BARS, plan)
    assert isinstance(grammar, EndingGrammar)
    sequences = generate(
        model(3), range(6), sampling=Sampling(max_length=700, temperature=0.8), grammar=grammar
    )
    for ids in sequences:
        holds(VOCABULARY.decode(ids), plan)


@pytest.mark.parametrize("seed", thin_out(range(12), 3))
def test_every_state_ends_in_time(seed: int) -> None:
    choose, plan = random.Random(seed), draw_plan(seed)
    home = bool(seed % 3)
    ending = Ending(True if home else None, [None, True, False][seed // 3 % 3])
    grammar = FormGrammar(BARS, plan, ending=ending)
    state, ids, free = grammar.start(), [], choose.randrange(150)
    while True:
        left = grammar.distance_to_end(state)
        assert left <= grammar.max_distance
        ways = grammar.get_allowed_tokens(state).nonzero()[0].tolist()
        if len(ids) >= free:
            ways = [
                t
                for t in ways
                if t == END or grammar.distance_to_end(grammar.advance(state, t)) < left
            ]
        token = choose.choice(ways)
        if token == END:
            assert left == 1
            break
        state = grammar.advance(state, token)
        ids.append(token)
    tokens = VOCABULARY.decode(ids)
    holds(tokens, plan)
    last = score.parse(tokens).events[-1]
    assert not home or {pitch % 12 for pitch in last.pitches} == {0}


def test_the_dance_in_front_says_how_the_tune_ends() -> None:
    words = Vocabulary(("R:jig", "R:reel", "R:air", *VOCABULARY.tokens))
    torch.manual_seed(1)
    small = LanguageModel(LanguageModelConfig(len(words), embedding_size=4, hidden_size=4)).eval()
    endings = {"R:jig": Ending(True, True), "R:reel": Ending(False, False)}
    by_dance = {words.encode([name])[0]: ending for name, ending in endings.items()}
    other = Ending(False, True)
    grammar = FormGrammar(BarGrammars(words), draw_plan(2), ending=other, dance_endings=by_dance)
    sampling, dances = Sampling(max_length=700), words.encode(["R:jig", "R:reel", "R:air"])
    seen = set()
    for ids in generate(small, range(12), prompt=[dances], sampling=sampling, grammar=grammar):
        dance, *tokens = words.decode(ids)
        seen.add(dance)
        last = score.parse(tokens).events[-1]
        found = Ending({pitch % 12 for pitch in last.pitches} == {0}, last.duration >= 2)
        assert found == endings.get(dance, other)
    assert len(seen) == 3


def test_without_a_sign_of_both_kinds_parts_follow_one_another() -> None:
    words = Vocabulary.of(["M:2/4 K:Cmaj c e 2 | |: :|".split()])
    torch.manual_seed(0)
    small = LanguageModel(LanguageModelConfig(len(words), embedding_size=4, hidden_size=4)).eval()
    grammar = FormGrammar(BarGrammars(words), "aaaaaaab cccccccb")
    (ids,) = generate(small, [1], sampling=Sampling(max_length=400), grammar=grammar)
    holds(words.decode(ids), "aaaaaaab cccccccb")


def test_a_vocabulary_without_repeats() -> None:
    with pytest.raises(TuneError, match=r"'\|:', but the model"):
        BarGrammars(Vocabulary.of(["M:2/4 K:Cmaj c 4 | :|".split()]))


def tune(body: str) -> Tune:
    return Tune(("M:2/4", "K:Cmaj", *body.split()))


def test_plans_are_measured() -> None:
    a, b, c = "c 4", "e 4", "g 2 e 2"
    part = " | ".join([a, b, a, c] * 2)
    short = " | ".join([a, b, a, c, a, b, a, "g 3"])
    tunes = [
        tune(f"|: {part} :: {part} :|"),
        tune(f"|: {part} :| {part} |"),
        tune(f"|: g | {short} :: {' | '.join([b] * 8)} :|"),
        tune(f"g |: {part} |1 c 4 :| |2 e 4 |: {part} :|"),
        tune(f"|: {' | '.join([a] * 7)} |1 {b} :| |2 {c} |: {part} :|"),
        tune(f"|: {part} :|"),
        tune(f"{part} | {part} |"),
    ]
    assert count_plans(tunes) == {
        "abacabac abacabac": 2,
        "abacabad bbbbbbbb": 1,
        "aaaaaaab abacabac": 1,
    }


def test_plans_are_drawn_at_their_frequency() -> None:
    assert draw_plan(7) == draw_plan(7)
    seen = [draw_plan(seed) for seed in range(3000)]
    most = max(PLANS, key=PLANS.__getitem__)
    expected = PLANS[most] / sum(PLANS.values())
    assert abs(seen.count(most) / 3000 - expected) < 0.02
    assert all(len(plan.replace(" ", "")) == 16 for plan in PLANS)
