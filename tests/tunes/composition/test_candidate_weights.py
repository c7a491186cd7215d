"""The weights of candidates against plain forward passes of whole sequences in float64."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch

from sluice.sequence import Checkpoint, LanguageModel, LanguageModelConfig, Sampling, Vocabulary
from sluice.sequence.generation.packed_model import PackedLanguageModel
from sluice.sequence.generation.random_numbers import UniformNumbers
from sluice.sequence.vocabulary import END, START
from sluice.tunes.composition.candidates import CandidateSampler
from sluice.tunes.composition.gaps import Gap
from sluice.tunes.composition.infilling import GapFiller
from sluice.tunes.composition.model_rows import read_beginning, read_given
from sluice.tunes.composition.monitor import GenerationMonitor
from sluice.tunes.grammar.alphabet import TuneAlphabet
from sluice.tunes.grammar.gap_grammar import GapGrammar
from sluice.tunes.notation import score

BEFORE, AFTER = "M:6/8 K:Cmaj C 3 E 3 |".split(), "| E C | C E | C 3 |".split()
FILLINGS = [
    filling
    for count in (1, 2, 3)
    for filling in product("CE23", repeat=count)
    if "".join(filling) in ("C2", "E2", "CC", "CE", "EC", "EE")
]
"""All that last two eighths, of `C`, `E` and the durations 2 and 3."""
TEMPERATURE = 0.7


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    torch.manual_seed(3)
    vocabulary = Vocabulary.of([[*BEFORE, *AFTER, "2"]])
    config = LanguageModelConfig(len(vocabulary), embedding_size=6, hidden_size=10, num_layers=2)
    model = LanguageModel(config).double().eval()
    with torch.no_grad():
        model.readout.weight *= 4
    return Checkpoint(model, vocabulary, {})


def compute_odds(checkpoint: Checkpoint, tokens: list[str], temperature: float) -> torch.Tensor:
    """log p of each id at each place of a sequence and behind it."""
    ids = [START, *checkpoint.vocabulary.encode(tokens)]
    with torch.no_grad():
        logits, _ = checkpoint.model(torch.tensor(ids)[:, None])
    return (logits[:, 0] / temperature).log_softmax(1)


def compute_weight(checkpoint: Checkpoint, filling: tuple[str, ...]) -> tuple[float, float]:
    """Of a filling: the log-probability that it is drawn, and its weight with what follows."""
    tokens = [*BEFORE, *filling, *AFTER]
    tempered = compute_odds(checkpoint, tokens, TEMPERATURE)
    plain = compute_odds(checkpoint, tokens, 1.0)
    drawn = weight = 0.0
    for place in range(len(filling) + 1):
        options = {f[place] for f in FILLINGS if f[:place] == filling[:place] and len(f) > place}
        options |= {"|"} if filling[:place] in FILLINGS else set()
        row = tempered[len(BEFORE) + place]
        mass = float(row[checkpoint.vocabulary.encode(sorted(options))].logsumexp(0))
        chosen = checkpoint.vocabulary.encode([(*filling, "|")[place]])[0]
        drawn += float(row[chosen]) - mass
        weight += mass
    weight -= float(tempered[len(BEFORE) + len(filling), checkpoint.vocabulary.encode(["|"])[0]])
    start = len(BEFORE) + len(filling)
    targets = [*checkpoint.vocabulary.encode(AFTER), END]
    weight += sum(float(plain[start + n, token]) for n, token in enumerate(targets))
    return drawn, weight


def test_candidates_are_drawn_and_weighed_as_by_plain_forward_passes(
    checkpoint: Checkpoint,
) -> None:
    vocabulary = checkpoint.vocabulary
    engine, monitor = PackedLanguageModel(checkpoint.model).make_engine(), GenerationMonitor(1)
    after = [*vocabulary.encode(AFTER), END]
    grammar = GapGrammar(TuneAlphabet(vocabulary), Fraction(2))
    with torch.inference_mode():
        rows = read_beginning(engine, [START, *vocabulary.encode(BEFORE)], monitor)
        draw = CandidateSampler(
            engine, grammar, after[0], TEMPERATURE, UniformNumbers(5), monitor
        ).draw
        found, ends = draw(rows, [0] * 6000, grammar.begin("6/8"))
        by_ids = {one.ids: row for row, one in enumerate(found)}
        chosen = [by_ids[tuple(vocabulary.encode(filling))] for filling in FILLINGS]
        _, weights, _ = read_given(
            engine,
            ends.select(chosen),
            [after] * len(chosen),
            [found[row].weight for row in chosen],
            monitor,
        )
    assert len(found) == 6000
    expected = [compute_weight(checkpoint, filling) for filling in FILLINGS]
    np.testing.assert_allclose(weights, [weight for _, weight in expected], rtol=1e-9)
    chances = np.exp([drawn for drawn, _ in expected])
    assert chances.sum() == pytest.approx(1)
    counts = [sum(one.ids == found[row].ids for one in found) for row in chosen]
    errors = np.sqrt(6000 * chances * (1 - chances))
    assert (np.abs(counts - 6000 * chances) < 5 * errors).all()


def test_the_candidate_with_the_most_weight_is_chosen(checkpoint: Checkpoint) -> None:
    gap = Gap(0, 0, Fraction(2), "6/8", 7)
    segments = [checkpoint.vocabulary.encode(part) for part in (BEFORE, AFTER)]
    filler = GapFiller(checkpoint)
    found = filler.fill(segments, [gap], Sampling(temperature=TEMPERATURE), seed=1)
    best = max(FILLINGS, key=lambda filling: compute_weight(checkpoint, filling)[1])
    assert found == {7: list(best)}


def test_what_stood_there_is_not_drawn_again(checkpoint: Checkpoint) -> None:
    """The second best is chosen where the best one is the original."""
    ranked = sorted(FILLINGS, key=lambda filling: -compute_weight(checkpoint, filling)[1])
    music = score.parse(["M:6/8", "K:Cmaj", *ranked[0]]).events
    gap = Gap(0, 0, Fraction(2), "6/8", 0, tuple(music))
    segments = [checkpoint.vocabulary.encode(part) for part in (BEFORE, AFTER)]
    found = GapFiller(checkpoint).fill(segments, [gap], Sampling(temperature=TEMPERATURE), seed=1)
    assert found == {0: list(ranked[1])}


def test_rows_of_unequal_lengths_are_read_as_each_alone(checkpoint: Checkpoint) -> None:
    vocabulary = checkpoint.vocabulary
    packed, monitor = PackedLanguageModel(checkpoint.model), GenerationMonitor(1)
    given = [vocabulary.encode(part.split()) for part in ("C", "E 2 | C", "C C | E 3")]
    with torch.inference_mode():
        engine = packed.make_engine()
        rows = read_beginning(engine, [START, *vocabulary.encode(BEFORE)], monitor).select([0] * 3)
        kept, weights, after = read_given(engine, rows, given, [1.0, 2.0, 3.0], monitor)
    assert kept == [0, 1, 2]
    for row, ids in enumerate(given):
        odds = compute_odds(checkpoint, [*BEFORE, *vocabulary.decode(ids)], 1.0)
        place = len(BEFORE)
        expected = 1.0 + row + sum(float(odds[place + n, token]) for n, token in enumerate(ids))
        assert weights[row] == pytest.approx(expected)
        next_odds = torch.from_numpy(after.logits[row]).log_softmax(0)
        torch.testing.assert_close(next_odds, odds[-1])


def test_those_far_behind_are_dropped_on_the_way(checkpoint: Checkpoint) -> None:
    vocabulary = checkpoint.vocabulary
    packed, monitor = PackedLanguageModel(checkpoint.model), GenerationMonitor(1)
    ids = vocabulary.encode(AFTER)
    with torch.inference_mode():
        engine = packed.make_engine()
        rows = read_beginning(engine, [START, *vocabulary.encode(BEFORE)], monitor).select([0] * 4)
        kept, weights, _ = read_given(
            engine, rows, [ids] * 4, [-5.0, 0.0, -90.0, -1.0], monitor, [(2, 3), (5, 2)]
        )
    assert kept == [1, 3]
    assert weights[0] - weights[1] == pytest.approx(1.0)
