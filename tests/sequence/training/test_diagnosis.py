import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sequence.training.test_update import Filter, FixedBatches, batch, plan
from sluice.sequence import Progress, TrainingDivergedError, train
from sluice.sequence.batch import Batch, Loss


def train_until_divergence(model: nn.Module, data: Batch, **more: Any) -> str:
    with pytest.raises(TrainingDivergedError) as error:
        train(
            model,
            FixedBatches([data]),
            FixedBatches([batch(4)]),
            plan(epochs=3, validations=3),
            **more,
        )
    return str(error.value)


def test_a_nan_input_is_found() -> None:
    given = batch(6)
    given.inputs[3, 1, 0] = torch.nan
    model = Filter()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    message = train_until_divergence(model, given)
    assert "loss became nan after step 0: NaN first appears in 'layers' l0" in message
    assert "step 3, sequence 1" in message
    assert "train again with a learning rate below 0.1 (weights kept: none yet)" in message
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)


def test_the_gate_is_named_and_the_best_weights_are_kept(tmp_path: Path) -> None:
    model, best = Filter(), {}

    def poison(progress: Progress) -> None:
        if progress.step == 2:
            model.layers.weight_hh_l0.data[7] = torch.nan  # rows 5 to 9 are the update gate's

    def keep(loss: float) -> None:
        best.update({name: value.clone() for name, value in model.state_dict().items()})

    message = train_until_divergence(
        model, batch(6), on_progress=poison, on_best=keep, folder=tmp_path
    )
    assert "after step 2" in message
    assert "weight_hh_l0 of that layer already hold one" in message
    assert "unit 2" in message and "'update'" in message
    torch.testing.assert_close(dict(model.state_dict()), best, rtol=0, atol=0)


def test_a_fault_after_the_layers_is_reported_as_such() -> None:
    given = batch(6)
    given.targets[2, 0] = torch.inf
    assert "so it starts in the readout or the loss" in train_until_divergence(Filter(), given)
    model = Filter()
    model.readout.weight.data[0, 0] = torch.nan
    assert "readout.weight already held such a value" in train_until_divergence(model, batch(6))


def test_a_nan_gradient_changes_no_weight() -> None:
    model = Filter()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.readout.weight.register_hook(lambda gradient: gradient * torch.nan)
    message = train_until_divergence(model, batch(6))
    assert (
        "gradients' norm became nan after step 0: first in the gradient of readout.weight"
        in message
    )
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)


def test_a_gradient_that_begins_in_a_layer_names_gate_and_step() -> None:
    def spoil(gradient: torch.Tensor) -> torch.Tensor:
        spoiled = gradient.clone()
        spoiled[3, 1, 2] = torch.inf
        return spoiled

    class Spoiled(Filter):
        def loss(self, given: Batch, state: Any = None) -> tuple[Loss, Any]:
            y, state = self.layers(given.inputs, state)
            if y.requires_grad:
                y.register_hook(spoil)
            return Loss(self.readout(y).square().sum(), len(y)), state

    message = train_until_divergence(Spoiled(), batch(6))
    assert "gradients' norm became" in message
    assert "first in the gradient of 'layers' l0, value '" in message
    assert "step 3, sequence 1, unit 2" in message


def test_gradients_that_are_finite_but_have_no_norm_are_described() -> None:
    model = Filter().double()
    model.readout.weight.register_hook(lambda gradient: torch.full_like(gradient, 1e308))
    given = batch(6)
    data = Batch(given.inputs.double(), given.targets.double(), given.lengths, given.resets)
    with pytest.raises(TrainingDivergedError) as error:
        train(model, FixedBatches([data]), FixedBatches([data]), plan(epochs=3, validations=3))
    assert "the largest is 1e+308, of readout.weight" in str(error.value)
    assert "None" not in str(error.value)


def test_curves_for_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events_seen: list[Progress] = []

    def run(stop: int) -> None:
        def show(progress: Progress) -> None:
            events_seen.append(progress)
            if progress.step == stop:
                raise KeyboardInterrupt

        train(
            Filter(), FixedBatches([batch(5)]), FixedBatches([batch(4)]),
            plan(epochs=6, validations=3),
            folder=tmp_path, resume=True, tensorboard=True, on_progress=show,
        )  # fmt: skip

    run(3)
    run(99)
    events = EventAccumulator(os.fspath(tmp_path / "tensorboard"))
    events.Reload()
    losses = events.Scalars("loss/training")
    assert [event.step for event in losses] == [1, 2, 3, 4, 5, 6]
    assert [event.value for event in losses] == pytest.approx([one.loss for one in events_seen])
    assert len(events.Scalars("loss/validation")) == 3
    norms = [event.value for event in events.Scalars("gradient norm")]
    assert norms == pytest.approx([one.gradient_norm for one in events_seen])
