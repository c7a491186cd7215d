"""Sampling in the kernels against the reference loop of torch operations."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from sampling import thin_out
from sluice.run.kernels import extension
from sluice.sequence import Sampling, generate
from sluice.sequence.errors import SequenceError
from sluice.sequence.models import LanguageModel, LanguageModelConfig

WAYS = [
    Sampling(max_length=60),
    Sampling(temperature=0.3, max_length=60),
    Sampling(temperature=1.7, top_k=4, max_length=60),
    Sampling(top_p=0.6, max_length=60),
    Sampling(top_k=1, max_length=20),
    Sampling(top_k=9, top_p=0.3, temperature=2.5, max_length=60),
    Sampling(typical=0.4, max_length=60),
    Sampling(top_k=9, typical=0.6, temperature=1.5, max_length=60),
]


def model(cell: Any, **options: Any) -> LanguageModel:
    torch.manual_seed(4)
    sharpened = LanguageModel(LanguageModelConfig(23, cell, 16, 16, **options))
    with torch.no_grad():
        for parameter in sharpened.parameters():
            parameter.mul_(3)  # sharper than an untrained model's
    return sharpened


@pytest.mark.parametrize("sampling", thin_out(WAYS, 2))
@pytest.mark.parametrize(
    ("cell", "options"), [("lstm", {}), ("gru", {"tied": True}), ("elman", {"num_layers": 3})]
)
def test_the_same_tokens_as_the_reference(cell: str, options: Any, sampling: Sampling) -> None:
    language_model = model(cell, **options).double()
    opening = [[5, 9, 11], [7]]
    assert language_model.layers.resolved_backend.name == "fused"
    found = generate(language_model, range(12), prompt=opening, sampling=sampling)
    language_model.layers.backend = "reference"
    assert found == generate(language_model, range(12), prompt=opening, sampling=sampling)
    assert all(ids[0] in opening[0] and ids[1] == 7 for ids in found)
    assert sampling.top_k == 1 or len({tuple(ids) for ids in found}) > 1


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_threads_share_the_layers_of_a_large_model(cell: str, threads: int) -> None:
    torch.manual_seed(4)
    language_model = LanguageModel(LanguageModelConfig(90, cell, 40, 192, num_layers=2)).double()
    extension.set_num_threads(threads)
    try:
        found = generate(language_model, range(3), sampling=WAYS[0])
    finally:
        extension.set_num_threads(torch.get_num_threads())
    language_model.layers.backend = "reference"
    assert found == generate(language_model, range(3), sampling=WAYS[0])


def test_a_vocabulary_too_large_for_a_table() -> None:
    torch.manual_seed(4)
    language_model = LanguageModel(LanguageModelConfig(70_000, "lstm", 4, 16)).double()
    sampling = Sampling(max_length=12, top_k=5)
    found = generate(language_model, range(2), sampling=sampling)
    language_model.layers.backend = "reference"
    assert found == generate(language_model, range(2), sampling=sampling)


def test_float32_draws_by_seed_alone() -> None:
    language_model = model("lstm")
    together = generate(language_model, range(9), sampling=WAYS[0])
    assert together == [generate(language_model, [seed], sampling=WAYS[0])[0] for seed in range(9)]
    assert together == generate(language_model, range(9), sampling=WAYS[0])


def test_nan_logits_are_reported() -> None:
    language_model = model("gru")
    with torch.no_grad():
        language_model.readout.weight[3, 2] = float("nan")
    with pytest.raises(SequenceError, match="NaN"):
        generate(language_model, [1])
