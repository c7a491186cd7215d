from typing import Any

import pytest

from sluice.sequence import Plan, SequenceError
from sluice.sequence.training.schedules import Stand


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing() -> None:
    plan = Plan(seconds=10, learning_rate=2.0, warmup=0.2)
    rates = [plan.learning_rate_at(Stand(part)) for part in (0.1, 0.2, 0.6, 1.0)]
    assert rates == pytest.approx([1.0, 2.0, 1.0, 0.0])
    assert plan.learning_rate_at(Stand(0.0)) > 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "seconds or epochs or steps"),
        ({"seconds": 1, "epochs": 1}, "seconds or epochs or steps"),
        ({"seconds": 0}, "seconds is above 0"),
        ({"epochs": float("nan")}, "epochs is above 0"),
        ({"epochs": 1, "steps": 3}, "seconds or epochs or steps"),
        ({"epochs": 1, "learning_rate": -1.0}, "learning_rate is above 0"),
        ({"epochs": 1, "warmup": 1.0}, "warmup lies in"),
    ],
)
def test_a_bad_plan_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SequenceError, match=message):
        Plan(**values)
