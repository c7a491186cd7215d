"""Beam search against a plain search over torch's modules, and against exhaustive search."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from sequence.generation.torch_reference import END, Plain, sharp
from sluice.sequence import Hypothesis, LanguageModel, SequenceError, beam_search, log_likelihood


def search_beam(
    plain: Plain, vocabulary: int, width: int, longest: int, power: float, prime: list[int]
) -> list[tuple[list[int], float]]:
    """A beam search, as a loop over lists: the ended sequences and their scores, best first."""
    live: list[tuple[float, list[int]]] = [(0.0, [])]
    ended: list[tuple[float, list[int]]] = []
    for _ in range(longest):
        grown = []
        for total, ids in live:
            logs = plain.logs([*prime, *ids])
            grown += [
                (total + float(logs[token]), [*ids, token]) for token in range(END, vocabulary)
            ]
        best = sorted(grown, key=lambda one: (-one[0], one[1]))[:width]
        ended += [one for one in best if one[1][-1] == END]
        live = [one for one in best if one[1][-1] != END]
        if not live or len(ended) >= width:
            break
    scored = [(ids[:-1], total / len(ids) ** power) for total, ids in ended]
    return sorted(scored, key=lambda one: (-one[1], one[0]))[:width]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize(("width", "power"), [(1, 1.0), (2, 0.0), (3, 1.0), (5, 0.7)])
def test_the_same_as_a_plain_search(cell: str, width: int, power: float) -> None:
    model = sharp(7, cell)
    with torch.no_grad():
        model.readout.bias[END] += 1.0
    expected = search_beam(Plain(model), 7, width, 12, power, [4])
    assert expected
    found = beam_search(model, width, prompt=[[4]], max_length=13, length_penalty=power)
    assert [one.ids for one in found] == [[4, *ids] for ids, _ in expected]
    assert [one.score for one in found] == pytest.approx([score for _, score in expected])


def test_an_exhaustive_beam_finds_the_most_likely_sequence() -> None:
    model = sharp(5)
    plain, tokens, longest = Plain(model), (3, 4), 4
    every = [ids for length in range(longest) for ids in map(list, product(tokens, repeat=length))]
    likeliest = max(every, key=lambda ids: plain.sum_of_logs([*ids, END]) / (len(ids) + 1))
    best = beam_search(model, 40, max_length=longest)[0]
    assert best.ids == likeliest and best.is_finished
    assert best.log_likelihood == pytest.approx(plain.sum_of_logs([*likeliest, END]))


@pytest.mark.parametrize("backend", [None, "reference"])
def test_scores_are_likelihoods(backend: str | None) -> None:
    model = sharp(9)
    model.layers.backend = backend
    with torch.no_grad():
        model.readout.bias[END] += 2.0
    found = [one for one in beam_search(model, 4, max_length=40) if one.is_finished]
    judged = log_likelihood(model, [one.ids for one in found])
    assert judged.tolist() == pytest.approx([one.log_likelihood for one in found])
    lengths = [len(one.ids) + 1 for one in found]
    assert [one.score * n for one, n in zip(found, lengths, strict=True)] == pytest.approx(
        judged.tolist()
    )


def indifferent(vocabulary: int) -> LanguageModel:
    model = sharp(vocabulary)
    with torch.no_grad():
        model.readout.weight.zero_()
        model.readout.bias.zero_()
        model.readout.bias[END] = -9.0
    return model


def test_exact_ties_are_broken_by_token_order() -> None:
    found = beam_search(indifferent(9), 3, max_length=3)
    assert [one.ids for one in found] == [[3, 3, 3], [3, 3, 4], [3, 3, 5]]
    assert len({one.score for one in found}) == 1


def test_a_search_that_never_ends_is_reported() -> None:
    model = indifferent(6)
    with torch.no_grad():
        model.readout.bias[END] = -1e9
    found = beam_search(model, 2, max_length=5)
    assert [(len(one.ids), one.is_finished) for one in found] == [(5, False)] * 2


def test_sets_of_tokens_in_the_prompt_are_searched() -> None:
    model = sharp(9)
    every = beam_search(model, 1, prompt=[[4], [5, 6, 7]], max_length=6)[0]
    logs = Plain(model).logs([4])
    assert every.ids[1] == max((5, 6, 7), key=lambda token: float(logs[token]))


def test_the_search_uses_the_current_weights_and_is_deterministic() -> None:
    model = sharp(9).float()

    def look() -> list[Hypothesis]:
        torch.rand(3)
        return beam_search(model, 3, max_length=30)

    first = look()
    assert look() == first
    with torch.no_grad():
        model.readout.bias[5] += 50
    assert look() != first


def test_bad_searches_are_refused() -> None:
    model = sharp(9)
    with pytest.raises(SequenceError, match="width must be at least 1"):
        beam_search(model, 0)
    with pytest.raises(SequenceError, match="length_penalty= must be at least 0"):
        beam_search(model, length_penalty=-1)
    with pytest.raises(SequenceError, match="above the prompt's 1 tokens, got 1"):
        beam_search(model, prompt=[[3]], max_length=1)
    with torch.no_grad():
        model.readout.bias[3] = float("nan")
    with pytest.raises(SequenceError, match="NaN"):
        beam_search(model)
