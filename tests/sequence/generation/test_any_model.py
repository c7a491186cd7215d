"""Generation from models of any cell, and prompts that are read in one pass."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

import sluice
from sequence.generation.torch_reference import END, START, Plain, sharp
from sluice.sequence import (
    LanguageModel,
    Sampling,
    SequenceError,
    beam_search,
    generate,
    stream_tokens,
)
from sluice.sequence.generation.sampling import draw

CELLS = [
    sluice.cells.PeepholeLSTM(),
    sluice.cells.SLSTM(),
    sluice.cells.LayerNormLSTM(),
    sluice.cells.zoneout(sluice.cells.LSTM(), h=0.2, c=0.3),
    sluice.cells.recurrent_dropout(sluice.cells.GRU(), 0.3),
]


def with_layers(layers: Any) -> LanguageModel:
    model = sharp(9)
    model.layers = layers.double()
    with torch.no_grad():
        for parameter in model.layers.parameters():
            parameter.mul_(2)
    return model.eval()


def draw_by_hand(model: LanguageModel, seed: int, prime: list[int], longest: int) -> list[int]:
    """Each token from the layer's own pass over all tokens before it."""
    numbers = torch.Generator().manual_seed(seed)
    uniforms = torch.rand(longest, generator=numbers, dtype=torch.float64)
    ids = list(prime)
    anything = torch.tensor([False, False] + [True] * 7)
    for uniform in uniforms[len(prime) :]:
        with torch.no_grad():
            inputs = functional.embedding(
                torch.tensor([START, *ids])[:, None], model.embedding.weight
            )
            hidden, _ = model.layers(inputs)
            logits = functional.linear(hidden[-1], model.readout.weight, model.readout.bias)
        token = int(draw(logits, anything, uniform[None], Sampling()))
        if token == END:
            break
        ids.append(token)
    return ids


@pytest.mark.parametrize(
    ("cell", "backend"),
    [*((cell, None) for cell in CELLS), (CELLS[1], "reference")],
    ids=lambda one: one if isinstance(one, str | None) else one.name,
)
def test_any_cell_generates_in_evaluation(cell: Any, backend: str | None) -> None:
    model = with_layers(sluice.nn.Recurrent(cell, 6, 10, num_layers=2, dropout=0.5))
    model.layers.backend = backend
    sampling = Sampling(max_length=15)
    for prime in ([], [3, 8, 4]):
        opening = [[token] for token in prime]
        found = generate(model.train(), range(3), prompt=opening, sampling=sampling)
        model.eval()
        assert found == [draw_by_hand(model, seed, prime, 15) for seed in range(3)]
    beam = beam_search(model, 2, prompt=[[3]], max_length=9)
    assert beam[0].ids[0] == 3


def test_layers_of_different_sizes_with_learned_initial_states() -> None:
    layers = sluice.nn.Recurrent(sluice.cells.GRU, 6, (7, 10), learn_initial_state=True)
    model = with_layers(layers)
    with torch.no_grad():
        for name, parameter in layers.named_parameters():
            if "initial" in name:
                parameter.uniform_(-1, 1)
    expected = [draw_by_hand(model, seed, [5], 12) for seed in range(3)]
    for backend in (None, "reference"):
        layers.backend = backend
        sampling = Sampling(max_length=12)
        assert generate(model, range(3), prompt=[[5]], sampling=sampling) == expected


def test_a_bidirectional_model_is_refused() -> None:
    model = with_layers(sluice.nn.LSTM(6, 5, bidirectional=True))
    with pytest.raises(SequenceError, match="bidirectional=False"):
        generate(model, [0])


@pytest.mark.parametrize("cell", ["lstm", "gru", "elman"])
def test_draws_go_by_torch_s_own_modules(cell: str) -> None:
    model, sampling = sharp(9, cell), Sampling(max_length=20, temperature=0.8, top_k=5)
    plain = Plain(model)
    anything = torch.tensor([False, False] + [True] * 7)
    for seed in range(4):
        numbers = torch.Generator().manual_seed(seed)
        ids: list[int] = []
        for uniform in torch.rand(20, generator=numbers, dtype=torch.float64):
            token = int(draw(plain.logs(ids)[None], anything, uniform[None], sampling))
            if token == END:
                break
            ids.append(token)
        assert generate(model, [seed], sampling=sampling) == [ids]


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_a_prompt_is_read_as_if_it_was_drawn_in_any_batch(precision: str) -> None:
    """Where the first id is one of two, nothing is read at once."""
    model = sharp(9, "lstm").float()
    model.layers.precision = precision
    beginning, sampling = [4, 7, 3, 3, 8, 5], Sampling(max_length=30)
    at_once = [[token] for token in beginning]
    with torch.no_grad():
        model.readout.bias[beginning[0]] += 60  # so that a choice of two is none
    slowly = [[beginning[0], 6], *at_once[1:]]
    together = generate(model, range(5), prompt=at_once, sampling=sampling)
    assert together == generate(model, range(5), prompt=slowly, sampling=sampling)
    alone = [generate(model, [s], prompt=at_once, sampling=sampling)[0] for s in range(5)]
    assert together == alone


def test_a_stream_yields_the_tokens_of_generate() -> None:
    model, sampling = sharp(9).float(), Sampling(max_length=50)
    with torch.no_grad():
        model.readout.bias[END] = -30.0
    opening = [[3], [4, 5]]
    (expected,) = generate(model, [2], prompt=opening, sampling=sampling)
    assert len(expected) == 50
    coming = stream_tokens(model, 2, prompt=opening, sampling=sampling)
    assert next(coming) == 3
    assert [3, *coming] == expected
    with pytest.raises(SequenceError, match="whole number of at least 0, got -1"):
        stream_tokens(model, -1)


def test_more_tokens_than_are_drawn_at_once() -> None:
    model = sharp(9).float()
    with torch.no_grad():
        model.readout.bias[END] = -40.0
    (ids,) = generate(model, [1], sampling=Sampling(max_length=2500))
    assert len(ids) == 2500
    assert ids == [*stream_tokens(model, 1, sampling=Sampling(max_length=2500))]


def test_a_prompt_longer_than_the_maximum_is_refused() -> None:
    with pytest.raises(SequenceError, match="prompt has 3 tokens, but max_length is 2"):
        generate(sharp(9), [0], prompt=[[3]] * 3, sampling=Sampling(max_length=2))
    full = generate(sharp(9), [0, 1], prompt=[[3]] * 2, sampling=Sampling(max_length=2))
    assert full == [[3, 3], [3, 3]]
