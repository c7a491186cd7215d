"""Which tokens are drawn, against the papers' formulas in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.sequence import Sampling
from sluice.sequence.generation import generate
from sluice.sequence.generation.sampling import draw
from sluice.sequence.models import LanguageModel, LanguageModelConfig

UNLIKELY = -1e9


def typical_set(probabilities: Sequence[float], mass: float) -> set[int]:
    """Meister et al. 2023, equation 9: nearest in information to the entropy, until `mass`."""
    entropy = -sum(p * math.log(p) for p in probabilities if p > 0)
    order = sorted(
        (place for place, p in enumerate(probabilities) if p > 0),
        key=lambda place: abs(-math.log(probabilities[place]) - entropy),
    )
    typical, total = set(), 0.0
    for place in order:
        if total >= mass:
            break
        typical.add(place)
        total += probabilities[place]
    return typical


def drawable(logits: torch.Tensor, sampling: Sampling) -> set[int]:
    """All tokens drawn by a fine grid of uniform numbers."""
    grid = torch.linspace(0, 1, 5001, dtype=torch.float64)[:-1]
    allowed = torch.ones(len(logits), dtype=torch.bool)
    return set(draw(logits.double().expand(5000, -1), allowed, grid, sampling).tolist())


@given(st.lists(st.floats(0, 4), min_size=2, max_size=9), st.floats(0.05, 0.99))
@settings(deadline=None, max_examples=60)
def test_the_typical_set_is_the_formula_s(logits: list[float], mass: float) -> None:
    row = torch.tensor(logits, dtype=torch.float64)
    probabilities = row.softmax(0).tolist()
    expected = typical_set(probabilities, mass)
    # What is drawn less than once in 5,000 times may be missed by the grid.
    found = drawable(row, Sampling(typical=mass))
    assert found <= expected
    assert all(probabilities[one] < 1e-3 for one in expected - found)


def test_typical_sampling_may_exclude_the_most_likely_token() -> None:
    """One likely token among many: it says less than is expected, and so it goes first."""
    probabilities = torch.tensor([0.4, *[0.05] * 12])
    assert 0 not in drawable(probabilities.log(), Sampling(typical=0.5))
    assert 0 in drawable(probabilities.log(), Sampling(top_p=0.5))


def test_filters_apply_in_sequence() -> None:
    """Of the two likeliest the one with more than the entropy's information: by hand."""
    logits = torch.tensor([0.5, 0.3, 0.1, 0.1]).log()
    two = [0.625, 0.375]
    assert drawable(logits, Sampling(top_k=2, typical=0.3)) == typical_set(two, 0.3)
    assert drawable(logits, Sampling(top_k=1, typical=0.3)) == {0}


@pytest.mark.parametrize("mass", [0.2, 0.5, 0.93])
def test_the_kernels_draw_from_the_typical_set(mass: float) -> None:
    probabilities = [0.0, 0.0, 0.05, 0.35, 0.3, 0.15, 0.1, 0.05]
    model = LanguageModel(LanguageModelConfig(8, embedding_size=5, hidden_size=9, num_layers=1))
    model.readout.weight.data.zero_()
    logs = [math.log(p) if p else UNLIKELY for p in probabilities]
    model.readout.bias.data.copy_(torch.tensor(logs))
    assert model.layers.resolved_backend.name == "fused"
    sequences = generate(model, range(800), sampling=Sampling(typical=mass, max_length=1))
    assert {ids[0] if ids else 2 for ids in sequences} == typical_set(probabilities, mass)


@pytest.mark.parametrize("value", [0.0, -1.0, 1.5, math.nan])
def test_a_mass_out_of_range_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"typical must be in \(0, 1\]"):
        Sampling(typical=value)
