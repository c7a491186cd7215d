"""Weight updates against plain loops of torch."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pad_sequence

import sluice
from sluice.sequence import Progress, SequenceError, TrainingConfig, train
from sluice.sequence.batch import Batch, Loss
from sluice.sequence.training import ConstantRate, Plateau


class Filter(nn.Module):
    """Values in, values out, at every step."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.layers = sluice.nn.GRU(2, 5, dtype=torch.float64)
        self.readout = nn.Linear(5, 1, dtype=torch.float64)

    def loss(self, batch: Batch, state: Any = None) -> tuple[Loss, Any]:
        y, state = self.layers(batch.inputs, state, lengths=batch.lengths, resets=batch.resets)
        wrong = self.readout(y) - batch.targets
        counts = ~batch.targets.isnan()
        return Loss(wrong[counts].square().sum(), int(counts.sum())), state


@dataclass
class FixedBatches:
    """The same batches in every epoch."""

    given: list[Batch]
    stateful: bool = False
    asked: list[tuple[int, int]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.given)

    def batches(self, epoch: int, first: int = 0) -> Any:
        self.asked.append((epoch, first))
        return iter(self.given[first:])


def batch(steps: int, width: int = 3, seed: int = 0, **more: Any) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    inputs, targets = (
        torch.randn(steps, width, n, generator=generator, dtype=torch.float64) for n in (2, 1)
    )
    return Batch(inputs, targets, **more)


def plan(**values: Any) -> TrainingConfig:
    """One step of plain gradient descent after another, without anything else."""
    plain: dict[str, Any] = {"optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0}
    plain |= {
        "learning_rate": 0.1,
        "schedule": ConstantRate(),
        "warmup": 0.0,
        "max_grad_norm": None,
    }
    return TrainingConfig(**{**plain, "validations": 1, **values})


def train_filter(
    given: FixedBatches, plan: TrainingConfig
) -> tuple[dict[str, Tensor], list[Progress]]:
    model, reports = Filter(), list[Progress]()
    train(model, given, FixedBatches([batch(4)]), plan, on_progress=reports.append)
    return model.state_dict(), reports


def close(ours: dict[str, Tensor], theirs: nn.Module, **tolerance: float) -> None:
    torch.testing.assert_close(ours, dict(theirs.state_dict()), **tolerance)


def test_gradients_are_clipped_and_the_norm_before_is_reported() -> None:
    given, expected = batch(6), Filter()
    ours, reports = train_filter(FixedBatches([given]), plan(epochs=1, max_grad_norm=0.01))
    y, _ = expected.layers(given.inputs)
    mse_loss(expected.readout(y), given.targets).backward()
    norm = clip_grad_norm_(expected.parameters(), 0.01)
    torch.optim.SGD(expected.parameters(), lr=0.1).step()
    close(ours, expected)
    assert reports[0].gradient_norm == pytest.approx(norm.item()) and norm > 0.01
    assert reports[0].learning_rate == 0.1


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("sgd", torch.optim.SGD, {"momentum": 0.9, "weight_decay": 0.02}),
        ("rmsprop", torch.optim.RMSprop, {"alpha": 0.95, "weight_decay": 0.02}),
        ("adamw", torch.optim.AdamW, {"betas": (0.8, 0.99), "weight_decay": 0.02}),
    ],
)
def test_optimizers_are_torchs(name: Any, kind: Any, options: dict[str, Any]) -> None:
    given, expected = [batch(6), batch(4, seed=1)], Filter()
    ours, _ = train_filter(
        FixedBatches(given),
        plan(epochs=2, optimizer=name, momentum=0.9, weight_decay=0.02, betas=(0.8, 0.99)),
    )
    optimizer = kind(expected.parameters(), lr=0.1, **options)
    for one in given * 2:
        y, _ = expected.layers(one.inputs)
        optimizer.zero_grad()
        mse_loss(expected.readout(y), one.targets).backward()
        optimizer.step()
    close(ours, expected)


def test_accumulated_batches_are_one_big_batch() -> None:
    """Of 15 and 28 and 6 items: the mean over all is not the mean of the means."""
    parts = [batch(5, 3), batch(7, 4, seed=1), batch(3, 2, seed=2)]
    inputs, targets = (
        pad_sequence([s for p in parts for s in getattr(p, of).unbind(1)], padding_value=value)
        for of, value in (("inputs", 0.0), ("targets", torch.nan))
    )
    whole = Batch(inputs, targets)
    ours, reports = train_filter(FixedBatches(parts), plan(epochs=2, accumulation_steps=3))
    expected, _ = train_filter(FixedBatches([whole]), plan(epochs=2))
    torch.testing.assert_close(ours, expected)
    assert [progress.step for progress in reports] == [1, 2]


def test_remaining_batches_at_the_end_of_an_epoch_make_an_update() -> None:
    parts = [batch(5), batch(4, seed=1), batch(3, seed=2)]
    _, reports = train_filter(FixedBatches(parts), plan(epochs=2, accumulation_steps=2))
    assert [progress.epoch for progress in reports] == pytest.approx([2 / 3, 1, 5 / 3, 2])


def test_the_average_of_the_weights_is_saved() -> None:
    given = [batch(6), batch(4, seed=1), batch(5, seed=2)]
    ours, _ = train_filter(FixedBatches(given), plan(epochs=1, ema_decay=0.8))
    expected, seen = Filter(), list[dict[str, Tensor]]()
    optimizer = torch.optim.SGD(expected.parameters(), lr=0.1)
    for one in given:
        y, _ = expected.layers(one.inputs)
        optimizer.zero_grad()
        mse_loss(expected.readout(y), one.targets).backward()
        optimizer.step()
        seen.append(deepcopy(expected.state_dict()))
    weights = [0.2 * 0.8 ** (2 - k) / (1 - 0.8**3) for k in range(3)]
    for name, value in ours.items():
        mean = sum(w * one[name] for w, one in zip(weights, seen, strict=True))
        torch.testing.assert_close(value, mean)


def run_truncated(
    expected: Filter, x: Tensor, y: Tensor, resets: Tensor, k1: int, k2: int, lr: float
) -> None:
    """Truncated BPTT as Williams & Peng state it, one step at a time.

    Every k1 steps, the losses of the last k1 are backpropagated over the last k2 steps, from the
    state carried to there.
    """
    carried: list[Any] = [torch.zeros(1, x.shape[1], 5, dtype=torch.float64)]
    for end in [*range(k1, len(x), k1), len(x)]:
        begin = len(carried) - 1
        first = max(0, begin - (k2 - k1))
        state, total = carried[first].detach(), torch.zeros((), dtype=torch.float64)
        for t in range(first, end):
            state = torch.where(resets[t][None, :, None], torch.zeros_like(state), state)
            out, state = expected.layers(x[t : t + 1], state)
            if t >= begin:
                total = total + (expected.readout(out) - y[t]).square().sum()
                carried.append(state.detach())
        expected.zero_grad()
        (total / ((end - begin) * x.shape[1])).backward()
        torch.optim.SGD(expected.parameters(), lr=lr).step()


@pytest.mark.parametrize("bptt", [(4, 4), (4, 8), (4, 16), (3, 6), (1, 5), (4, 40)])
@pytest.mark.parametrize("chunks", [1, 3])
def test_truncated_backpropagation(bptt: tuple[int, int], chunks: int) -> None:
    """Windows begin where a chunk does, or carry the state exactly where weights stand still."""
    steps = 12 * chunks
    whole = batch(steps, resets=torch.rand(steps, 3) < 0.1)
    assert whole.resets is not None
    cut = [
        Batch(whole.inputs[k : k + 12], whole.targets[k : k + 12], resets=whole.resets[k : k + 12])
        for k in range(0, steps, 12)
    ]
    ours, reports = train_filter(FixedBatches(cut, stateful=True), plan(epochs=1, bptt=bptt))
    expected = Filter()
    run_truncated(expected, whole.inputs, whole.targets, whole.resets, *bptt, lr=0.1)
    assert len(reports) == steps // bptt[0]
    close(ours, expected)


def test_a_window_may_begin_inside_a_chunk() -> None:
    """With weights that hardly move, the carried state and the recomputed state agree."""
    whole = batch(20, resets=torch.zeros(20, 3, dtype=torch.bool))
    assert whole.resets is not None
    begin, moves = Filter().state_dict(), {}
    for back in (7, 8):
        ours, _ = train_filter(
            FixedBatches([whole]), plan(epochs=1, bptt=(4, back), learning_rate=1e-6)
        )
        moves[back] = (ours["layers.weight_hh_l0"] - begin["layers.weight_hh_l0"]) * 1e6
    expected = Filter()
    run_truncated(expected, whole.inputs, whole.targets, whole.resets, 4, 7, lr=1e-6)
    move = (expected.layers.weight_hh_l0.detach() - begin["layers.weight_hh_l0"]) * 1e6
    torch.testing.assert_close(moves[7], move, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(moves[8], move, rtol=1e-5, atol=1e-5)


def test_batches_without_carried_state_start_from_zero() -> None:
    given = [batch(8), batch(8, seed=1)]
    ours, reports = train_filter(FixedBatches(given), plan(epochs=1, bptt=(4, 8)))
    expected = Filter()
    nothing = torch.zeros(8, 3, dtype=torch.bool)
    for one in given:
        run_truncated(expected, one.inputs, one.targets, nothing, 4, 8, lr=0.1)
    assert len(reports) == 4
    close(ours, expected)


def test_lengths_are_cut_with_the_steps() -> None:
    """Each chunk gets the remaining length of each sequence."""
    lengths = torch.tensor([8, 3, 6])
    mask = torch.arange(8)[:, None] >= lengths
    full = batch(8)
    targets = full.targets.masked_fill(mask[..., None], torch.nan)
    ours, _ = train_filter(
        FixedBatches([Batch(full.inputs, targets, lengths)]),
        plan(epochs=1, bptt=4, accumulation_steps=2),
    )
    expected = Filter()
    y, state = expected.layers(full.inputs[:4])
    state = state.detach()
    late, _ = expected.layers(full.inputs[4:], state)
    wrong = expected.readout(torch.cat([y, late])) - full.targets
    wrong[~mask].square().mean().backward()
    torch.optim.SGD(expected.parameters(), lr=0.1).step()
    close(ours, expected)


def test_one_label_a_sequence_cannot_be_cut() -> None:
    labels = Batch(batch(8).inputs, torch.zeros(3, dtype=torch.long))
    with pytest.raises(SequenceError, match="one label per sequence; leave bptt out"):
        train(Filter(), FixedBatches([labels]), FixedBatches([labels]), plan(epochs=1, bptt=4))


def test_a_source_that_yields_fewer_batches_than_its_length() -> None:
    class Short(FixedBatches):
        def __len__(self) -> int:
            return 3

    with pytest.raises(SequenceError, match=r"has len\(\) 3, but"):
        train(Filter(), Short([batch(4)]), FixedBatches([batch(4)]), plan(epochs=2))


def test_patience_stops_a_loss_that_no_longer_falls() -> None:
    """Validation on the opposite of what is learnt only rises."""
    given, opposite = batch(6), batch(6)
    wrong = FixedBatches([Batch(opposite.inputs, -opposite.targets)])
    model, reports = Filter(), list[Progress]()
    outcome = train(
        model, FixedBatches([given]), wrong,
        plan(epochs=50, validations=25, patience=3), on_progress=reports.append,
    )  # fmt: skip
    assert outcome.stop_reason == "patience"
    losses = [progress.validation_loss for progress in reports if progress.has_new_validation]
    assert outcome.validation_loss == min(losses) == losses[-4]
    assert len(losses) < 25


def test_a_plateau_lowers_the_rate() -> None:
    opposite = batch(6)
    wrong, reports = FixedBatches([Batch(opposite.inputs, -opposite.targets)]), list[Progress]()
    falling = plan(epochs=8, validations=8, schedule=Plateau(decay=0.5, patience=2))
    train(Filter(), FixedBatches([batch(6)]), wrong, falling, on_progress=reports.append)
    losses = [progress.validation_loss for progress in reports]
    assert losses == sorted(losses, key=lambda loss: loss or 0)  # the first is the lowest
    rates = [0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125]
    assert [progress.learning_rate for progress in reports] == pytest.approx(rates)


def test_the_requested_precision_is_that_of_the_layers() -> None:
    model = Filter()
    train(
        model,
        FixedBatches([batch(4)]),
        FixedBatches([batch(4)]),
        plan(epochs=1, precision="bfloat16"),
    )
    assert model.layers.precision == "bfloat16"


@pytest.mark.parametrize("size", [1e-30, 1e22, 1e36])
def test_gradients_are_clipped_at_any_size_of_float32(size: float) -> None:
    class Steep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = sluice.nn.GRU(2, 2)  # without a part in the loss
            self.weight = nn.Parameter(torch.zeros(2))

        def loss(self, batch: Batch, state: Any = None) -> tuple[Loss, Any]:
            slope = size * torch.tensor([3.0, -4.0])
            return Loss((slope * self.weight).sum(), 1), state

    model, reports = Steep(), list[Progress]()
    given = FixedBatches([batch(3)])
    train(model, given, given, plan(epochs=1, max_grad_norm=1.0), on_progress=reports.append)
    assert reports[0].gradient_norm == pytest.approx(5 * size)
    step = -0.1 * torch.tensor([3.0, -4.0]) * min(size, 0.2)
    torch.testing.assert_close(model.weight.detach(), step, rtol=1e-5, atol=0)
