from collections.abc import Callable
from typing import Any

import pytest

from sluice.sequence import SequenceError, TrainingConfig
from sluice.sequence.training import ConstantRate, Cosine, Exponential, Plateau, StepDecay
from sluice.sequence.training.schedules import Schedule, ScheduleState


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing() -> None:
    plan = TrainingConfig(seconds=10, learning_rate=2.0, warmup=0.2)
    rates = [plan.learning_rate_at(ScheduleState(part)) for part in (0.1, 0.2, 0.6, 1.0)]
    assert rates == pytest.approx([1.0, 2.0, 1.0, 0.0])
    assert plan.learning_rate_at(ScheduleState(0.0)) > 0


def rates(schedule: Schedule, stands: list[ScheduleState]) -> list[float]:
    plan = TrainingConfig(epochs=40, learning_rate=1.0, schedule=schedule, warmup=0.0)
    return [plan.learning_rate_at(stand) for stand in stands]


def test_schedules_follow_their_formulas() -> None:
    epochs = [ScheduleState(epoch / 40, epoch) for epoch in (0.5, 9.9, 10, 11.5, 29)]
    assert rates(ConstantRate(), epochs) == [1.0] * 5
    # char-rnn multiplies at the end of every epoch from the tenth on.
    assert rates(Exponential(0.5, after=10), epochs) == [1, 1, 0.5, 0.25, 0.5**20]
    assert rates(StepDecay(0.1, every=10), epochs) == pytest.approx([1, 1, 0.1, 0.1, 0.01])
    assert rates(
        Cosine(floor=0.2), [ScheduleState(0), ScheduleState(0.5), ScheduleState(1)]
    ) == pytest.approx([1, 0.6, 0.2])
    assert rates(Plateau(0.5), [ScheduleState(0.3, 3, falls) for falls in (0, 1, 3)]) == [
        1,
        0.5,
        0.125,
    ]


def test_a_rate_may_rise_to_any_schedule() -> None:
    plan = TrainingConfig(steps=10, learning_rate=2.0, schedule=ConstantRate(), warmup=0.5)
    assert [plan.learning_rate_at(ScheduleState(part)) for part in (0.25, 0.5, 0.9)] == [
        1.0,
        2.0,
        2.0,
    ]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda: StepDecay(decay=0), r"decay must be in \(0, 1\], got 0"),
        (lambda: Exponential(1.1), r"decay must be in \(0, 1\], got 1.1"),
        (lambda: Plateau(patience=0), "patience must be above 0, got 0"),
    ],
)
def test_a_bad_schedule_is_refused(bad: Callable[[], Schedule], message: str) -> None:
    with pytest.raises(SequenceError, match=message):
        bad()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "exactly one of seconds, epochs and steps"),
        ({"seconds": 1, "epochs": 1}, "exactly one of seconds, epochs and steps"),
        ({"seconds": 0}, "seconds must be above 0"),
        ({"epochs": float("nan")}, "epochs must be above 0"),
        ({"epochs": 1, "steps": 3}, "exactly one of seconds, epochs and steps"),
        ({"epochs": 1, "learning_rate": -1.0}, "learning_rate must be above 0"),
        ({"epochs": 1, "warmup": 1.0}, "warmup must be in"),
        ({"epochs": 1, "ema_decay": 1.0}, "ema_decay must be in"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"epochs": 1, "accumulation_steps": 0}, "accumulation_steps must be at least 1"),
        ({"epochs": 1, "bptt": (4, 3)}, r"1 <= k1 <= k2, got \(4, 3\)"),
        ({"epochs": 1, "bptt": 0}, "1 <= k1 <= k2"),
        ({"epochs": 1, "optimizer": "sgd", "sparse_embeddings": True}, "needs the optimizer adamw"),
        ({"epochs": 1, "optimizer": "adam"}, "one of adamw, sgd, rmsprop"),
    ],
)
def test_a_bad_plan_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SequenceError, match=message):
        TrainingConfig(**values)
