from typing import Any

import pytest

from sluice.sequence import Plan, SequenceError
from sluice.sequence.plan import learning_rate


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing() -> None:
    plan = Plan(seconds=10, learning_rate=2.0, warmup=0.2)
    rates = [learning_rate(part, plan) for part in (0.1, 0.2, 0.6, 1.0)]
    assert rates == pytest.approx([1.0, 2.0, 1.0, 0.0])
    assert learning_rate(0.0, plan) > 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "either seconds or epochs"),
        ({"seconds": 1, "epochs": 1}, "either seconds or epochs"),
        ({"seconds": 0}, "seconds is above 0"),
        ({"epochs": float("nan")}, "epochs is above 0"),
        ({"epochs": 1, "batch_size": 0}, "batch_size is above 0"),
        ({"epochs": 1, "learning_rate": -1.0}, "learning_rate is above 0"),
        ({"epochs": 1, "warmup": 1.0}, "warmup lies in"),
    ],
)
def test_a_bad_plan_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SequenceError, match=message):
        Plan(**values)
