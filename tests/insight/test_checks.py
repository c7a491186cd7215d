"""What measures cannot answer they refuse, in the user's terms."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

import sluice
from sluice import insight

LAYER = sluice.nn.LSTM(3, 4)
X, VALUES, NAN = torch.randn(5, 2, 3), torch.rand(5, 2, 4), torch.full((5, 2, 4), math.nan)
CASES: list[tuple[type[Exception], str, Callable[[], object]]] = [
    (TypeError, "give a layer of a tape", lambda: insight.gradient_flow(VALUES)),  # type: ignore[arg-type]
    (ValueError, "lengths must be from 0", lambda: insight.saturation(VALUES, lengths=[9, 1])),  # type: ignore[arg-type]
    (ValueError, "2 integers", lambda: insight.timescales(VALUES, torch.tensor([1, 2, 3]))),
    (ValueError, "finite, got NaN", lambda: insight.saturation(NAN)),
    (ValueError, "meta device", lambda: insight.timescales(VALUES.to("meta"))),
    (ValueError, "negative or NaN", lambda: insight.timescale_distribution(NAN[0, 0])),
    (ValueError, "finite", lambda: insight.memory_length(NAN[:2, :2])),
    (ValueError, "does not vary", lambda: insight.memory_capacity(
        torch.randn(300, 4), torch.ones(300), 5)),
    (ValueError, "input must be finite", lambda: insight.step_jacobians(LAYER, NAN[..., :3])),
    (ValueError, "one sequence", lambda: insight.step_jacobians(LAYER, X[:, :0])),
    (ValueError, "x must be finite", lambda: insight.find_fixed_points(
        LAYER, torch.zeros(1, 8), NAN[0, 0, :3])),
    (ValueError, "numbered from 0", lambda: insight.probe(
        torch.randn(9, 2), torch.arange(9) * 10**6)),
    (ValueError, "property must be finite", lambda: insight.find_correlated_units(
        VALUES, NAN[..., 0])),
    (ValueError, "penalty", lambda: insight.probe(VALUES, VALUES[..., 0], penalty=-1.0)),
    (ValueError, "units must be integers", lambda: insight.find_matches(
        VALUES, torch.tensor([9]), 2, 0.5)),
    (ValueError, "values must be finite", lambda: insight.active_units(NAN, 0, 1, 3, 0.5)),
    (TypeError, "recurrent layer of sluice.nn", lambda: insight.clamp_gates(
        torch.nn.LSTM(3, 4), forget=1.0).__enter__()),  # type: ignore[type-var]
    (IndexError, "from 0 to 3, got 9", lambda: insight.clamp_units(
        LAYER, {"h": 0.0}, [9]).__enter__()),
    (ValueError, "one for each of 4 units", lambda: insight.clamp_units(
        LAYER, {"h": torch.zeros(3)}).__enter__()),
    (TypeError, "module or a stream, got int", lambda: sluice.record(5)),  # type: ignore[arg-type]
    (ValueError, "classes from 0 to 3", lambda: insight.connectivity(
        LAYER(X)[0], X, torch.full((5, 2), 9))),
    (ValueError, "got a path", lambda: insight.from_keras("model.h5")),  # type: ignore[arg-type]
]  # fmt: skip


@pytest.mark.parametrize(("kind", "words", "call"), CASES, ids=[case[1] for case in CASES])
def test_odd_inputs(kind: type[Exception], words: str, call: Callable[[], object]) -> None:
    with pytest.raises(kind, match=words):
        call()
    assert LAYER.cell is LAYER.cell and LAYER(X)[0].isfinite().all()  # nothing stays clamped
