import math
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from sluice.sequence import (
    Batch,
    BatchSource,
    LanguageModel,
    LanguageModelConfig,
    Progress,
    SequenceError,
    TrainingConfig,
    TrainingDivergedError,
    TrainingResult,
    compute_loss_per_token,
    train,
)
from sluice.sequence.batching.bucketed import BucketBatches

RISING = [[start + step for step in range(3 + start % 4)] for start in (3, 4, 5, 6)] * 20
DATA = BucketBatches(RISING, batch_size=8, seed=0)
FEW = BucketBatches(RISING[:4], batch_size=64, seed=0)


def model(dropout: float = 0.0) -> LanguageModel:
    torch.manual_seed(3)
    return LanguageModel(
        LanguageModelConfig(14, embedding_size=8, hidden_size=16, num_layers=1, dropout=dropout)
    )


def train_model(**plan: Any) -> tuple[LanguageModel, TrainingResult]:
    learner = model(dropout=0.1)
    values: dict[str, Any] = {"epochs": 4, "learning_rate": 0.02, **plan}
    data = BucketBatches(RISING, batch_size=8, seed=values.get("seed", 0))
    return learner, train(learner, data, FEW, TrainingConfig(**values))


def weights(learner: LanguageModel) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in learner.state_dict().items()}


def test_loss_per_token_is_the_mean_over_a_plain_loop() -> None:
    learner = model()
    losses = []
    for sequence in RISING[:7]:
        ids = torch.tensor([1, *sequence, 2])
        logits, _ = learner.eval()(ids[:-1, None])
        losses += cross_entropy(logits[:, 0], ids[1:], reduction="none").tolist()
    found = compute_loss_per_token(learner.train(), RISING[:7], batch_size=3)
    assert found == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    assert learner.training


def test_training_beats_the_unigram_entropy() -> None:
    tokens = [token for sequence in RISING for token in [*sequence, 2]]
    shares = [tokens.count(token) / len(tokens) for token in set(tokens)]
    unigram = -sum(share * math.log(share) for share in shares)
    learner, outcome = train_model()
    assert outcome.stop_reason == "budget"
    assert outcome.validation_loss < 0.6 * unigram
    assert compute_loss_per_token(learner, RISING[:4]) == pytest.approx(outcome.validation_loss)
    assert outcome.steps == 4 * 80 / 8
    assert outcome.tokens == 4 * len(tokens)


def test_a_seed_repeats_a_run() -> None:
    first, second, other = (train_model(epochs=1, seed=seed)[0] for seed in (5, 5, 6))
    torch.testing.assert_close(weights(first), weights(second), rtol=0, atol=0)
    assert not torch.equal(first.readout.weight, other.readout.weight)


def test_callbacks_change_nothing() -> None:
    learner = model(dropout=0.1)
    train(
        learner, DATA, FEW, TrainingConfig(epochs=1, learning_rate=0.02),
        on_progress=lambda progress: torch.rand(3), on_best=lambda loss: torch.rand(3),
    )  # fmt: skip
    torch.testing.assert_close(weights(learner), weights(train_model(epochs=1)[0]), rtol=0, atol=0)


class SlowSource:
    """Validation data that take so many seconds of a clock that the test turns."""

    stateful = False

    def __init__(self, seconds: float) -> None:
        self.seconds, self.now, self.passes = seconds, 0.0, 0

    def __len__(self) -> int:
        return len(FEW)

    def batches(self, epoch: int) -> Iterator[Batch]:
        self.passes += 1
        self.now += self.seconds
        yield from FEW.batches(epoch)

    def tick(self) -> float:
        self.now += 0.1
        return self.now


@pytest.mark.parametrize("seconds", [0.5, 1.4, 10.0])
def test_validations_take_a_small_part_of_a_time(seconds: float) -> None:
    slow = SlowSource(seconds)
    config = TrainingConfig(seconds=30.0)
    result = train(model(), DATA, slow, config, clock=slow.tick)
    # Of 30 seconds 4.5 at most, the last one among them; the first and the last always.
    assert slow.passes == 2 or slow.passes * seconds <= 4.5
    assert slow.passes + result.skipped_validations == 10
    assert result.skipped_validations > 0


def test_a_budget_in_seconds_ends_by_the_clock() -> None:
    ticks = count()
    reports: list[Progress] = []
    outcome = train(
        model(),
        DATA,
        FEW,
        TrainingConfig(seconds=100, validations=4),
        on_progress=reports.append,
        clock=lambda: float(next(ticks)),
    )
    assert outcome.seconds == pytest.approx(100, abs=10)
    assert sum(report.has_new_validation for report in reports) == 4
    assert reports[-1].fraction == 1
    assert reports[-1].seconds_left == 0
    assert [report.step for report in reports] == list(range(1, len(reports) + 1))
    middle = reports[len(reports) // 2]
    assert middle.seconds + middle.seconds_left == pytest.approx(100, abs=10)
    assert middle.tokens_per_second > 0


def test_the_best_weights_are_kept_and_reported() -> None:
    """Validation on data that training moves away from: the first validation stays the best."""
    learner, falling = model(), [sequence[::-1] for sequence in RISING[:4]]
    announced: list[tuple[float, dict[str, torch.Tensor]]] = []
    outcome = train(
        learner,
        DATA,
        BucketBatches(falling, batch_size=8, seed=0),
        TrainingConfig(epochs=5, learning_rate=0.05, validations=10),
        on_best=lambda loss: announced.append((loss, weights(learner))),
    )
    losses = [loss for loss, _ in announced]
    assert losses == sorted(losses, reverse=True)
    assert len(losses) < 10
    assert outcome.validation_loss == losses[-1]
    torch.testing.assert_close(weights(learner), announced[-1][1], rtol=0, atol=0)
    assert compute_loss_per_token(learner, falling) == pytest.approx(outcome.validation_loss)


@pytest.mark.parametrize("stop_at", [1, 25])
def test_an_interrupt_ends_cleanly_with_the_best_weights(stop_at: int) -> None:
    learner, announced = model(), []

    def interrupt(progress: Progress) -> None:
        if progress.step == stop_at:
            raise KeyboardInterrupt

    outcome = train(
        learner,
        DATA,
        FEW,
        TrainingConfig(epochs=4),
        on_progress=interrupt,
        on_best=announced.append,
    )
    assert outcome.stop_reason == "interrupted"
    assert outcome.steps == stop_at
    assert outcome.validation_loss == announced[-1]
    assert compute_loss_per_token(learner, RISING[:4]) == pytest.approx(outcome.validation_loss)
    assert not learner.training


def test_a_nan_loss_stops_and_keeps_the_best() -> None:
    learner, best = model(), {}

    def poison(progress: Progress) -> None:
        if progress.step == 20:
            best.update(weights(learner))
            learner.readout.bias.data.fill_(torch.nan)

    with pytest.raises(TrainingDivergedError, match=r"after step 20.*below 0.004.*best validation"):
        train(
            learner,
            DATA,
            FEW,
            TrainingConfig(epochs=4, validations=8),
            on_progress=poison,
        )
    torch.testing.assert_close(weights(learner), best, rtol=0, atol=0)


class Nothing:
    stateful = False

    def __len__(self) -> int:
        return 0

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        return iter(())


@pytest.mark.parametrize(
    ("training", "validation", "named"),
    [(Nothing(), FEW, "training"), (FEW, Nothing(), "validation")],
)
def test_no_data_is_refused(training: BatchSource, validation: BatchSource, named: str) -> None:
    with pytest.raises(SequenceError, match=f"The {named} data needs"):
        train(model(), training, validation, TrainingConfig(epochs=1))
