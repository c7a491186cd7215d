"""One training against the same training written with torch's own layers, and its gradients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sluice.cells import GRU, LSTM, LSTM1997, Cell, Elman, LayerNormLSTM
from sluice.report.comparison import ComparisonSettings, TrialSpec
from sluice.report.comparison.settings import load_cells
from sluice.report.comparison.trial import (
    ReadoutModel,
    Trial,
    gate_init_options,
    measure_gradient_norms,
)
from sluice.report.tasks import TaskBatch, list_tasks

SETTINGS = ComparisonSettings(
    cells=load_cells([Elman, GRU, LSTM]),
    task=list_tasks()["order"],
    lags=(6,),
    seeds=1,
    rates=(0.01,),
    hidden=5,
    steps=12,
    batch=4,
    match="hidden",
    start="plain",
)
TORCH = {"Elman": torch.nn.RNN, "GRU": torch.nn.GRU, "LSTM": torch.nn.LSTM}


def never() -> bool:
    return False


@pytest.mark.parametrize("name", TORCH)
def test_training_equals_a_training_loop_in_torch(name: str) -> None:
    training = Trial(SETTINGS, TrialSpec(name, 6, 0, 0.01))
    layer = TORCH[name](4, 5)
    layer.load_state_dict({k: v.clone() for k, v in training.model.layer.state_dict().items()})
    readout = torch.nn.Linear(5, 4)
    readout.load_state_dict({k: v.clone() for k, v in training.model.readout.state_dict().items()})
    weights = [*layer.parameters(), *readout.parameters()]
    optimizer, losses = torch.optim.Adam(weights, lr=0.01), []
    generator = torch.Generator().manual_seed(training.generator.initial_seed())
    x, y = training.validation_batch
    for update in range(13):
        if update:
            drawn = SETTINGS.task.draw(6, 4, generator)
            optimizer.zero_grad()
            answered = readout(layer(drawn.inputs)[0][-1])
            torch.nn.functional.cross_entropy(answered, drawn.targets[0]).backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
        answered = readout(layer(x)[0][-1]).detach()
        losses.append(float(torch.nn.functional.cross_entropy(answered, y[0])))
    judged = []
    assert training.run(lambda one: judged.append(one.updates[-1]), never)
    run = training.result()
    assert judged == run.updates == list(range(13)) and run.spec == training.spec
    np.testing.assert_allclose(run.losses, losses, rtol=1e-4)
    score = float((answered.argmax(-1) == y[0]).double().mean())
    assert run.scores[-1] == pytest.approx(score) and run.solved is None
    assert run.parameters == sum(weight.numel() for weight in weights)


def test_the_flow_is_the_gradient_of_every_state() -> None:
    model = ReadoutModel(LSTM(), SETTINGS, TrialSpec("LSTM", 6, 0, 0.01)).double()
    x, y = SETTINGS.task.draw(6, 3, torch.Generator().manual_seed(0))
    found = measure_gradient_norms(model, SETTINGS.task, TaskBatch(x.double(), y))
    cell = torch.nn.LSTMCell(4, 5).double()
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in model.layer.state_dict().items()})
    state, states = None, []
    for row in x.double():
        state = cell(row, state)
        states.append(state)
    each = torch.nn.functional.cross_entropy(model.readout(state[0]), y[0], reduction="none")
    h = torch.autograd.grad(each.sum(), [h for h, _ in states], retain_graph=True)
    c = torch.autograd.grad(each.sum(), [c for _, c in states])
    norms = [torch.stack(g).norm(dim=-1).mean(dim=-1) for g in (h, c)]
    torch.testing.assert_close(torch.from_numpy(found), torch.maximum(*norms))
    assert all(weight.grad is None for weight in model.parameters())


@pytest.mark.parametrize(
    ("cell", "start", "begins"),
    [
        (LSTM(), "plain", {}),
        (LSTM(), "forget", {"forget_bias": 1.0}),
        (LSTM(), "chrono", {"chrono": 30.0}),
        (GRU(), "chrono", {"chrono": 30.0}),
        (Elman(), "chrono", {}),
        (LSTM1997(), "chrono", {}),
        (LayerNormLSTM(), "chrono", {}),  # its gates have no bias of their own
    ],
)
def test_initial_gate_values(cell: Cell, start: str, begins: dict[str, float]) -> None:
    assert gate_init_options(cell, start, 30) == begins


def test_a_solved_run_stops_and_the_reason_is_reported() -> None:
    settings = replace(SETTINGS, steps=300, hidden=16, batch=32)
    training = Trial(settings, TrialSpec("GRU", 6, 0, 0.01))
    assert training.run(lambda one: None, never)
    run = training.result()
    assert run.solved == run.updates[-1] < 300 and run.scores[-1] >= 0.95 > run.scores[-2]
    assert len(run.before) == len(run.after) == 7
    assert run.arrives[0] == pytest.approx(run.before[0] / run.before[-1])
    assert not Trial(settings, TrialSpec("GRU", 6, 0, 0.01)).run(lambda one: None, lambda: True)


def test_equal_parameters() -> None:
    settings = replace(SETTINGS, match="parameters", hidden=40)
    counts = {}
    for name in settings.cells:
        sizes = settings.sizes(name)
        layer = TORCH[name](sizes.input, sizes.hidden)
        readout = torch.nn.Linear(sizes.hidden, 4)
        counts[name] = sum(p.numel() for m in (layer, readout) for p in m.parameters())
        assert settings.count_parameters(name, sizes) == counts[name]
    assert settings.sizes("Elman").hidden == 40
    assert max(counts.values()) / min(counts.values()) < 1.1
