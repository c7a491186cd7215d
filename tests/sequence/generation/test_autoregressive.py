import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from sluice.sequence import LanguageModel, LanguageModelConfig, Sampling, SequenceError, generate

END, A, B, C, D = 2, 3, 4, 5, 6


def random_model() -> LanguageModel:
    return LanguageModel(
        LanguageModelConfig(7, embedding_size=5, hidden_size=9, num_layers=1)
    ).eval()


def make_constant_model(weights: dict[int, float]) -> LanguageModel:
    """A model whose token probabilities are the same at every step."""
    model = random_model()
    model.readout.weight.data.zero_()
    model.readout.bias.data.fill_(-1e9)
    for token, weight in weights.items():
        model.readout.bias.data[token] = torch.tensor(weight).log()
    return model


def frequencies(sequences: list[list[int]]) -> dict[int, float]:
    counts = Counter(ids[0] if ids else END for ids in sequences)
    return {token: count / len(sequences) for token, count in counts.items()}


def first_tokens(weights: dict[int, float], **options: Any) -> dict[int, float]:
    return frequencies(
        generate(
            make_constant_model(weights), range(4000), sampling=Sampling(max_length=1, **options)
        )
    )


def test_tokens_come_as_often_as_they_are_likely() -> None:
    found = first_tokens({A: 0.5, B: 0.3, END: 0.2})
    assert found == pytest.approx({A: 0.5, B: 0.3, END: 0.2}, abs=0.03)


def test_temperature_takes_probabilities_to_a_power() -> None:
    found = first_tokens({A: 0.8, B: 0.2}, temperature=2.0)
    assert found[A] == pytest.approx(0.8**0.5 / (0.8**0.5 + 0.2**0.5), abs=0.03)


def test_a_temperature_near_zero_is_greedy() -> None:
    assert first_tokens({A: 0.49, B: 0.51}, temperature=1e-3) == {B: 1.0}


def test_top_k_and_top_p_leave_out_the_tail() -> None:
    weights = {A: 0.4, B: 0.3, C: 0.2, D: 0.1}
    assert first_tokens(weights, top_k=1) == {A: 1.0}
    assert first_tokens(weights, top_k=2) == pytest.approx({A: 4 / 7, B: 3 / 7}, abs=0.03)
    assert first_tokens(weights, top_p=0.6) == pytest.approx({A: 4 / 7, B: 3 / 7}, abs=0.03)
    assert set(first_tokens(weights, top_p=1.0)) == {A, B, C, D}


def test_padding_and_start_are_never_drawn() -> None:
    assert first_tokens({0: 0.5, 1: 0.4, C: 0.1}) == {C: 1.0}


def test_a_sequence_ends_at_the_end_mark_or_at_the_longest_allowed() -> None:
    model = make_constant_model({A: 0.5, END: 0.5})
    lengths = [len(ids) for ids in generate(model, range(2000))]
    assert sum(lengths) / 2000 == pytest.approx(1.0, abs=0.1)  # mean of a geometric distribution
    assert generate(make_constant_model({A: 1.0}), [0], sampling=Sampling(max_length=5)) == [
        [A] * 5
    ]


def test_the_prompt_is_kept_and_its_sets_are_sampled() -> None:
    model = make_constant_model({A: 0.98, B: 0.01, C: 0.01})
    sequences = generate(model, range(2000), prompt=[[D], {B, C}], sampling=Sampling(max_length=3))
    assert {ids[0] for ids in sequences} == {D}
    assert frequencies([ids[1:] for ids in sequences]) == pytest.approx({B: 0.5, C: 0.5}, abs=0.04)
    assert {ids[2] for ids in sequences} >= {A}


def test_continuations_depend_on_the_prompt() -> None:
    """Greedy continuations equal those of a plain loop over the whole beginning."""
    model = random_model()
    for beginning in ([A], [B, C], [D, D, A, B]):
        ids = [1, *beginning]
        while len(ids) < 13:
            logits, _ = model(torch.tensor(ids)[:, None])
            logits[-1, 0, :2] = -torch.inf
            ids.append(int(logits[-1, 0].argmax()))
            if ids[-1] == END:
                ids.pop()
                break
        greedy = Sampling(temperature=1e-6, max_length=12)
        sequences = generate(model, [0], prompt=[[token] for token in beginning], sampling=greedy)
        assert sequences == [ids[1:]]


@pytest.fixture
def two_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("two_threads")
def test_the_result_depends_on_the_seed_alone() -> None:
    model, sampling = random_model(), Sampling(max_length=60)
    together = generate(model, range(6), sampling=sampling)
    torch.set_num_threads(1)
    torch.rand(3)
    alone = [generate(model, [seed], sampling=sampling)[0] for seed in range(6)]
    assert together == alone
    assert len({tuple(ids) for ids in together}) > 1


def test_the_model_is_unchanged() -> None:
    model = random_model().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    generate(model, [0], sampling=Sampling(max_length=3))
    assert model.training
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"temperature": float("nan")}, "temperature must be above 0"),
        ({"top_k": 0}, "top_k"),
        ({"top_k": 2.5}, "top_k must be a whole number, got 2.5"),
        ({"max_length": 10.0}, "max_length must be a whole number"),
        ({"top_p": 1.5}, "top_p"),
        ({"max_length": 0}, "max_length"),
    ],
)
def test_bad_sampling_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SequenceError, match=message):
        Sampling(**options)


def test_bad_prompts_seeds_and_weights_are_refused() -> None:
    model = random_model()
    for opening in ([[]], [[A], [7]], [[END]]):
        with pytest.raises(SequenceError, match="of the prompt must be from 3 to 6"):
            generate(model, [0], prompt=opening)
    for seeds in ([-1], [3, -(2**70)], [1.0], [True], ["1"], [None], [np.float64(2)]):
        with pytest.raises(SequenceError, match="whole number of at least 0, got"):
            generate(model, seeds)  # type: ignore[arg-type]
    with pytest.raises(SequenceError, match="one number per sequence, got none"):
        generate(model, [])
    model.readout.bias.data[3] = torch.nan
    with pytest.raises(SequenceError, match="computes NaN"):
        generate(model, [0])


def test_seeds_of_any_size() -> None:
    """One of 64 bits or more stands for the first 8 bytes of its SHA-256."""
    model, sampling = random_model(), Sampling(max_length=30)
    large = 2**64 + 5
    digest = hashlib.sha256(bytes([1, *[0] * 7, 5])).digest()
    seeds = [2**64 - 1, large, 10**40, np.int64(7), np.uint64(2**64 - 1)]
    found = generate(model, seeds, sampling=sampling)
    small = [2**64 - 1, int.from_bytes(digest[:8], "big"), 7]
    expected = generate(model, small, sampling=sampling)
    assert [found[0], found[1], found[3]] == expected
    assert found[4] == found[0]
    assert len({tuple(ids) for ids in found}) == 4
